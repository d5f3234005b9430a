"""Make a plan real: the one module that touches Mininet's networks and nodes.

Hosts, routers and point-to-point links only, so no switch, controller or Open vSwitch is needed.
Must run inside a sandbox (`filterbed.sandbox`): it never looks at, cleans or limits the host.
Limits:  Mininet names interfaces itself; the plan's names are those it would give.
Source:  mininet 2.3, `mininet.net`, `mininet.node`.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from topologies import gateway
from topologies.distutils_gap import filled
from topologies.plan import MTU, Plan

with filled():
    from mininet.link import Link as MininetLink
    from mininet.net import Mininet
    from mininet.node import Node as MininetNode
    from mininet.topo import Topo

#: What every node gets, stated so that nothing depends on what the host happens to have.
#: fib_multipath_*: of several next hops one is taken by addresses, protocol and ports, the same in
#: every run (the seed can be stated since Linux 6.11; before, it is the machine's own). Policy 1,
#: which means the same, believes a number that the sending socket drew, for veth hands it on.
#: icmp_msgs_*: the limit of a whole host, beside that of each destination; 50 at once without it.
#: tcp_rmem/tcp_wmem: without root the queue's socket holds 212,992 bytes; one queue's flows fit.
SYSCTLS: Mapping[str, str] = {
    "net/ipv4/ip_forward": "1",
    "net/ipv6/conf/all/forwarding": "1",
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
    "net/ipv4/icmp_ratelimit": "0",
    "net/ipv6/icmp/ratelimit": "0",
    "net/ipv4/icmp_msgs_per_sec": "1000000",
    "net/ipv4/icmp_msgs_burst": "100000",
    "net/ipv4/conf/all/send_redirects": "0",
    "net/ipv4/conf/default/send_redirects": "0",
    "net/ipv6/conf/all/accept_ra": "0",
    "net/ipv6/conf/default/accept_ra": "0",
    "net/ipv6/conf/default/accept_dad": "0",
    "net/ipv4/fib_multipath_hash_fields": "55",
    "net/ipv6/fib_multipath_hash_fields": "55",
    "net/ipv4/fib_multipath_hash_policy": "3",
    "net/ipv6/fib_multipath_hash_policy": "3",
    "net/ipv4/fib_multipath_hash_seed": "1",
    "net/ipv4/tcp_rmem": "4096 65536 65536",
    "net/ipv4/tcp_wmem": "4096 65536 65536",
    "net/ipv4/ping_group_range": "0 0",
    "net/ipv4/ip_unprivileged_port_start": "0",
}
_CARRIER_SECONDS = 5.0


class NetworkError(Exception):
    """The machine could not make the network; the message holds the node and what it said."""


class _Shell(MininetNode):  # type: ignore[misc]
    """A Mininet node whose shell may be started inside namespaces of a nested user namespace."""

    def __init__(self, name: str, nest: Callable[[], None] | None = None, **params: Any) -> None:
        self._nest = nest
        super().__init__(name, inNamespace=nest is None, **params)

    def startShell(self, mnopts: str | None = None) -> None:
        """Start the shell; then have interfaces made later skip duplicate address detection.

        Mininet brings an interface up as it makes it, and a router whose link-local address is
        still tentative asks for no neighbours: the first second of IPv6 would be lost.
        """
        super().startShell(mnopts)
        said = self.cmd(
            "cd /proc/sys/net/ipv6/conf/default; echo 0 > accept_dad; echo 0 > dad_transmits; cd /"
        )
        if said.strip():
            raise NetworkError(f"{self.name}: {said.strip()}")

    def config(self, **_params: Any) -> dict[str, Any]:
        """Leave everything to the node's script; Mininet would run a program for each thing."""
        return {}

    def _popen(self, cmd: list[str], **params: Any) -> Any:
        if self._nest is not None and self.shell is None:
            params["preexec_fn"] = self._nest
        return super()._popen(cmd, **params)


class _Link(MininetLink):  # type: ignore[misc]
    """A veth pair whose two ends have different interface numbers.

    The kernel reports a carrier at once only where an interface's number differs from its peer's;
    where they happen to be equal (eth0 to eth0, each number 2 in its namespace) it waits up to a
    second, and everything sent meanwhile is lost (linkwatch_urgent_event in net/core/link_watch.c).
    """

    _numbers = count(10)

    def __init__(self, *nodes: Any, waiting: list[str] | None = None, **params: Any) -> None:
        """Make the pair, or only note in `waiting` how `ip -batch` makes it."""
        self._waiting = waiting
        super().__init__(*nodes, **params)

    def makeIntfPair(
        self,
        intfname1: str,
        intfname2: str,
        addr1: str | None = None,
        addr2: str | None = None,
        node1: Any = None,
        node2: Any = None,
        deleteIntfs: bool = True,
    ) -> None:
        command = (
            f"link add name {intfname1} index {next(self._numbers)} netns {node1.pid} type veth "
            f"peer name {intfname2} index {next(self._numbers)} netns {node2.pid}"
        )
        if self._waiting is not None:
            self._waiting.append(command)
        elif said := node1.cmd(f"ip {command}").strip():
            raise NetworkError(f"link {intfname1} - {intfname2}: {said}")


class PlanTopo(Topo):  # type: ignore[misc]
    """The plan as a Mininet topology: bare nodes and links, which `stand` makes ready."""

    def build(self, plan: Plan) -> None:
        """Add every node and link; interface names come out as the plan states them."""
        for node in plan.nodes:
            self.addHost(node.name, ip=None)
        for link in plan.links:
            a, b = link.ends
            self.addLink(a.node, b.node, intfName1=a.interface, intfName2=b.interface)


class _Ready(_Shell):
    """A node that gets its addresses, routes and sysctls when Mininet configures it."""

    def config(self, script: str = "", **params: Any) -> dict[str, Any]:
        """Run the node's script."""
        _finish(self.name, _start(int(self.pid), script))
        for interface in self.intfList():
            interface.updateIP()  # what `mn` prints, and pings
        return super().config(**params)


class ReadyTopo(Topo):  # type: ignore[misc]
    """The plan as a Mininet topology that needs nothing else, for `mn --custom`."""

    def build(self, plan: Plan) -> None:
        """Add every node with what makes it ready, and every link."""
        for node in plan.nodes:
            self.addHost(node.name, cls=_Ready, ip=None, script=script(plan, node.name))
        for link in plan.links:
            a, b = link.ends
            self.addLink(a.node, b.node, cls=_Link, intfName1=a.interface, intfName2=b.interface)


class Network:
    """A network that stands. Create it with `stand`, end it with `stop`."""

    def __init__(self, plan: Plan, net: Mininet) -> None:
        self.plan = plan
        self._net = net
        self._processes: list[subprocess.Popen[bytes]] = []

    def pid(self, node: str) -> int:
        """Return the process whose namespaces are the node's."""
        return int(self._net.get(node).pid)

    def popen(self, node: str, argv: Sequence[str], **params: Any) -> subprocess.Popen[bytes]:
        """Start a program on a node, as the sandbox's own user; `params` are Popen's."""
        process = subprocess.Popen(["mnexec", "-a", str(self.pid(node)), *argv], **params)
        self._processes.append(process)
        return process

    def run(self, node: str, script: str) -> str:
        """Run a shell script on a node and return what it printed.

        Raises: NetworkError with the script's last words when it fails.
        """
        return _finish(node, _start(self.pid(node), script))

    def run_all(self, scripts: Mapping[str, str]) -> None:
        """Run one shell script per node, all at once; raise for the first that fails."""
        started = {node: _start(self.pid(node), script) for node, script in scripts.items()}
        for node, process in started.items():
            _finish(node, process)

    def stop(self) -> None:
        """End every program started here, then the network."""
        for process in self._processes:
            if process.poll() is None:
                process.kill()
        for process in self._processes:
            process.wait()
        self._net.stop()


def stand(plan: Plan, *, nest: Callable[[], None]) -> Network:
    """Make the network: namespaces, links, addresses, routes, sysctls, offloads off.

    Args:
        plan: what to make.
        nest: called in a vantage's first process before its shell starts; moves it into a nested
            user namespace with its own network and mount namespaces.
    Raises: NetworkError naming the node and what the kernel or a program said.
    """
    Mininet.inited = True  # init() would change the host's sysctls
    os.environ["PATH"] = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    vantages = {node.name for node in plan.nodes if node.role == "vantage"}

    def host(name: str, **params: Any) -> _Shell:
        return _Shell(name, nest=nest if name in vantages else None, **params)

    waiting: list[str] = []

    def link(*nodes: Any, **params: Any) -> _Link:
        return _Link(*nodes, waiting=waiting, up=None, **params)

    net = Mininet(
        topo=PlanTopo(plan=plan),
        host=host,
        link=link,
        controller=None,
        switch=None,
        autoSetMacs=False,
        autoStaticArp=False,
        waitConnected=False,
        build=False,
    )
    try:
        net.build()
    except Exception as error:
        raise NetworkError(f"Mininet could not build {plan.topology}: {error}") from error
    network = Network(plan, net)
    made = subprocess.run(
        ["ip", "-batch", "-"], input="\n".join(waiting), capture_output=True, text=True
    )
    if made.returncode != 0:
        raise NetworkError(f"the links of {plan.topology}: {made.stderr.strip()[-500:]}")
    network.run_all({node.name: script(plan, node.name) for node in plan.nodes})
    return network


def _interfaces(plan: Plan, node: str) -> list[tuple[str, tuple[str, ...]]]:
    return [
        (end.interface, end.addresses)
        for link in plan.links
        for end in link.ends
        if end.node == node
    ]


def script(plan: Plan, node: str) -> str:
    """Write what makes a node ready: sysctls, offloads off, links up, addresses, routes.

    Addresses wait for every link's carrier: given before, the first packets of IPv6 are lost.
    Few programs are started, for a hundred nodes run this at once.
    """
    interfaces = _interfaces(plan, node)
    lines = [
        f"[ ! -e /proc/sys/{path} ] || echo '{value}' > /proc/sys/{path}"
        for path, value in SYSCTLS.items()
    ]
    lines += [
        f"ethtool -K {name} tso off gso off gro off tx off rx off >/dev/null 2>&1 || true"
        for name, _ in interfaces
    ]
    lines.append(_batch(["link set lo up", *_up(plan, node)]))
    lines += _silence(plan, node)
    lines.append(
        "n=0; until said=$(ip -o link); up=${said//state UP/}; "
        f"[ $(( (${{#said}} - ${{#up}}) / 8 )) -ge {len(interfaces)} ]; do n=$((n+1)); "
        f'[ $n -lt {int(_CARRIER_SECONDS / 0.01)} ] || {{ echo "no carrier: $said"; exit 1; }}; '
        "read -t 0.01 _ <> <(:) || true; done"
    )
    held = [(a, "lo") for a in plan.node(node).addresses]
    held += [(a, name) for name, addresses in interfaces for a in addresses]
    batch = [f"addr add {a}{' nodad' if ':' in a else ''} dev {name}" for a, name in held]
    for route in plan.routes:
        if route.node == node:
            hops = " ".join(f"nexthop via {via}" for via in (route.via, *route.also))
            batch.append(f"route add {route.prefix} {hops if route.also else f'via {route.via}'}")
    return "\n".join([*lines, _batch(batch), gateway.script(plan, node)])


def _up(plan: Plan, node: str) -> Iterator[str]:
    """Bring the links up, with the size of packets that each takes."""
    for link in plan.links:
        for end in link.ends:
            if end.node == node:
                mtu = f" mtu {link.mtu}" if link.mtu != MTU else ""
                yield f"link set {end.interface} up{mtu}"


def _silence(plan: Plan, node: str) -> Iterator[str]:
    """Keep a node on a silent link from saying that a packet was too big for it."""
    if any(link.silent and end.node == node for link in plan.links for end in link.ends):
        yield "iptables -w 5 -A OUTPUT -p icmp --icmp-type fragmentation-needed -j DROP"
        yield "ip6tables -w 5 -A OUTPUT -p ipv6-icmp --icmpv6-type packet-too-big -j DROP"


def _batch(commands: Sequence[str]) -> str:
    return "ip -batch - <<'END'\n" + "\n".join(commands) + "\nEND"


def _start(pid: int, script: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["mnexec", "-a", str(pid), "bash", "-e", "-c", script],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def _finish(node: str, process: subprocess.Popen[bytes]) -> str:
    output = process.communicate()[0].decode(errors="replace")
    if process.returncode != 0:
        raise NetworkError(f"{node}: exit {process.returncode}: {output.strip()[-500:]}")
    return output


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for a condition; NetworkError says what did not come about in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise NetworkError(f"{what} did not happen within {seconds:g} s")
        time.sleep(0.005)
