"""Stand a scenario's ground up: network, captures, delay, censors, servers, control helper."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

from filterbed import doctor
from filterbed.order import Order
from filterbed.rundir import RunDir
from filterbed.sandbox.place import Place, nest
from filterbed.stage.box import BoxError, BoxProcess
from filterbed.stage.capture import Captures
from filterbed.stage.delay import Holds
from filterbed.stage.translator import Translators
from filterbed.stage.vantage import Control, place
from topologies import gateway, services
from topologies import network as net
from topologies.errors import ServiceError
from topologies.network import Network
from topologies.services import unbound
from topologies.services.standing import Standing

#: The sandbox's own; gone with it.
WORK = Path("/run/stage")
_FIRST_QUEUE = 10
#: A queue with room for nothing: what a host would send is dropped, what comes to it is not.
_SILENCE = "tc qdisc replace dev {} root pfifo limit 0"
#: The censor's exit status where the machine lacks something.
LACKS = 3


#: What the ground itself is made with; servers say themselves what they need.
PROGRAMS = frozenset({"ip", "iptables", "ip6tables", "ethtool", "mnexec", "dumpcap", "conntrack"})


class Ground:
    """Everything that stands; `stop` takes the traffic away first, then the witnesses."""

    def __init__(self, order: Order, say: Callable[[str], None]) -> None:
        self.order = order
        self.rundir = RunDir(Path(order.directory))
        self.problems: list[str] = []
        WORK.mkdir(exist_ok=True)
        # What servers say is kept even when the run is killed: it never lies in the sandbox alone.
        (WORK / "logs").symlink_to(self.rundir.logs)
        scenario = order.scenario
        plan = scenario.plan
        _require((PROGRAMS if order.capture else PROGRAMS - {"dumpcap"}) | _clients(order))
        say(f"network: {len(plan.nodes)} hosts, {len(plan.links)} links")
        self.network: Network = net.stand(plan, nest=nest)
        self.captures = Captures(self.network, self.rundir) if order.capture else None
        self.holds = Holds(self.network, self.rundir, order.seed)
        self.translators = Translators(self.network, self.rundir)
        # What takes its time to start does so while the servers do.
        self.boxes = self._censors()
        self.control = Control(self.network, order.vantages, WORK, self.rundir.logs / "control.log")
        say("servers")
        self.standing = self._servers()
        self.ca = self.standing.ca.read_text()
        self._await()

    def _servers(self) -> Standing:
        if self.captures:
            self.captures.ready()  # before there is any traffic: what a door sees, they saw
        scenario = self.order.scenario
        try:
            return services.stand(
                scenario.plan,
                scenario.services,
                scenario.dns,
                workdir=WORK,
                spawn=self.network.popen,
                namespace=lambda node: f"/proc/{self.network.pid(node)}/ns/net",
            )
        except ServiceError as error:
            # A server that nobody can reach is not the one to blame if a box on the way is dead.
            for box in self.boxes:
                if not box.alive():
                    raise _never_stood(box, error) from error
            raise

    def place(self, host: str) -> Place:
        """Return a tool's place on `host`, with the targets that were asked for."""
        wanted = [t for t in self.order.scenario.targets if t.name in self.order.targets]
        return place(self.network, host, self.order, self.ca, wanted)

    def casualties(self) -> list[str]:
        """Say what has died: a censor, a server, a capture, the control helper, a delay."""
        found = [
            f"the censor at {box.name} died: {box.last_words()}"
            for box in self.boxes
            if not box.alive()
        ]
        found += [
            f"the server {dead.program} died with {dead.status}: {dead.log.strip()[-300:]}"
            for dead in self.standing.alive()
        ]
        found += self.captures.dead() if self.captures else []
        found += [] if self.control.alive() else ["the control helper died"]
        return found + self.holds.dead() + self.translators.dead()

    def forget(self) -> None:
        """Have recursors forget what they keep, and portals who has logged in.

        Raises: MachineError, NetworkError where one does not.
        """
        for recursor in unbound.recursors(self.network.plan, self.order.scenario.services):
            unbound.flush(recursor, WORK)
        for node in self.network.plan.nodes:
            if node.portal:
                self.network.run(node.name, gateway.relocked())

    def still(self) -> list[str]:
        """End what makes traffic, then let go what is on its way; say what a delay lost.

        The ends fall silent and still take what comes, so that both sides of every box see the
        last packet: what a delay still held when a box stopped would come to it and never leave.
        """
        self.standing.stop()
        if self.control.alive():
            self.control.process.kill()
        ends = {n.name for n in self.network.plan.nodes if n.role not in ("router", "box")}
        scripts: dict[str, list[str]] = {node: [] for node in sorted(ends)}
        for end in (end for link in self.network.plan.links for end in link.ends):
            if end.node in ends:
                scripts[end.node].append(_SILENCE.format(end.interface))
        self.network.run_all({node: "\n".join(lines) for node, lines in scripts.items()})
        return self.holds.stop()

    def settle(self) -> list[str]:
        """End the captures once all traffic is out; say which may lack something."""
        return self.captures.stop() if self.captures else []

    def _await(self) -> None:
        for box in self.boxes:
            try:
                box.ready()
            except BoxError as error:
                raise _never_stood(box, error) from None
        self.holds.ready()
        self.translators.ready()
        self.control.ready(self.ca)

    def _censors(self) -> list[BoxProcess]:
        started = []
        for number, censor in enumerate(self.order.scenario.censors):
            path = self.rundir.path / f".{censor.name}.policy.json"
            path.write_text(json.dumps(self.order.policies[censor.name], indent=1))
            where = next(b for b in self.network.plan.boxes if b.node == censor.node)
            started.append(
                BoxProcess(
                    self.network,
                    where,
                    censor.name,
                    self.rundir.path,
                    number=_FIRST_QUEUE + number,
                    seed=self.order.seed,
                    clock_rate=self.order.clock_rate,
                )
            )
        return started


def _never_stood(box: BoxProcess, error: Exception) -> Exception:
    """Return what to raise for a censor that is not there, whoever noticed."""
    if box.process.poll() == LACKS:
        return net.NetworkError(f"the censor could not start: {box.last_words()}")
    if isinstance(error, BoxError):
        return error
    return BoxError(f"the censor at {box.name}: {box.last_words()}")


def _clients(order: Order) -> set[str]:
    """Return the programs that the targets ask for by name, of those one can do without."""
    asked = (t for t in order.scenario.targets if t.name in order.targets)
    return {str(target.fields.get("client")) for target in asked} & doctor.OPTIONAL.keys()


def _require(programs: Iterable[str]) -> None:
    """Refuse, with the cure, where a program is not installed."""
    packages = {name: package for name, _, package in doctor.PROGRAMS}
    lacking = [name for name in sorted(programs) if doctor.find_program(name) is None]
    if lacking:
        cure = " ".join(dict.fromkeys(packages[name] for name in lacking))
        raise net.NetworkError(
            f"not installed: {', '.join(lacking)}; cure: bin/bootstrap, or as root: "
            f"apt-get install --no-install-recommends {cure}"
        )
