"""Hang a vantage on its access router, behind a gateway where its plan says so.

    router --- gw1 (public IPv4) --- vantage (192.168.1.2)

    router --- cgn (public IPv4) --+-- vantage (192.168.2.2)
                                   +-- vantage (192.168.3.2)

A gateway of a vantage's own is a home router, one that several share is a carrier's (RFC 6888).
IPv4 is translated, IPv6 is routed. A public address tells the vantages behind it; which of their
flows a translated one is, the kernel's own record tells (`filterbed.stage.translator`).

- `cone`: mapping independent of the endpoint (RFC 4787 section 4.1, REQ-1): the kernel keeps the
  client's port, whatever the destination, and there is one client alone to use it.
- `symmetric`: address and port-dependent mapping: a port by chance for each destination.

Filtering is address and port-dependent for both (section 5): what comes from where the client has
sent nothing is dropped. The RFC's older name for the first is "port restricted cone".

HTTP of the client (IPv4, TCP port 80) may go by a transparent proxy on a gateway of its own
(`topologies.services.squid`), or be held up by a captive portal (`topologies.portal`) until the
client has logged in: HTTP is answered there, other TCP is reset, DNS passes or is answered there
too, all else, and all IPv6, is dropped. What measures the path before a run passes.
Limits:  a full cone (endpoint-independent filtering) needs a module that kernels do not have. Only
         symmetric ones are shared: of two clients that use one port, a cone could keep it for one.
Source:  iptables-extensions(8), SNAT; RFC 4787; RFC 5780 for how it is measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network
from typing import Final, get_args

from topologies.address import Area
from topologies.draft import Draft, Standing
from topologies.place import Vantage
from topologies.plan import End, Nat, Plan, Portal

KINDS: Final[tuple[str, ...]] = get_args(Nat)
#: Where private networks are taken from, one /24 a gateway (RFC 1918).
PRIVATE: Final = IPv4Network("192.168.0.0/16")
#: Where the proxy takes what was not sent to it.
PROXY_PORT: Final = 3129
#: The chains, in every table that knows one, in which who has logged in is let through.
ADMITTED: Final = "ADMITTED"


def own(vantages: Mapping[str, Vantage]) -> frozenset[str]:
    """Return the names that gateways of one vantage's own may get."""
    behind = sum(vantage.nat is not None for vantage in vantages.values())
    return frozenset(f"gw{number}" for number in range(1, behind + 1))


def shared(vantages: Mapping[str, Vantage]) -> dict[str, tuple[str, ...]]:
    """Return who is behind each gateway that has a name; gateway -> vantages."""
    found: dict[str, tuple[str, ...]] = {}
    for name, vantage in vantages.items():
        if vantage.gateway is not None:
            found[vantage.gateway] = (*found.get(vantage.gateway, ()), name)
    return found


def hang(
    draft: Draft,
    router: str,
    name: str,
    vantage: Vantage,
    area: Area,
    resolver: str,
    about: Standing,
) -> str | None:
    """Add the vantage, and its gateway if it has one; return the router's interface to them.

    None where the gateway is there already.
    """
    if vantage.nat is None:
        draft.node(name, "vantage", **about, resolver=resolver)
        return draft.link(router, name, area)[0]
    number = draft.translated() + 1
    gateway, facing = vantage.gateway or f"gw{number}", None
    if not draft.has(gateway):
        draft.node(gateway, "router", **about, nat=vantage.nat, proxy=vantage.proxy,
                   portal=vantage.portal)  # fmt: skip
        facing, _ = draft.link(router, gateway, area)
    draft.node(name, "vantage", **about, resolver=resolver)
    network = IPv4Network((int(PRIVATE.network_address) + 256 * number, 24))
    draft.link(gateway, name, area, private=network)
    return facing


def ends(plan: Plan, node: str) -> tuple[End, ...]:
    """Return a gateway's interfaces: the one that looks at the world, then those at its clients."""
    return tuple(end for link in plan.links for end in link.ends if end.node == node)


def inner(plan: Plan, node: str) -> str:
    """Return the address under which a gateway's client knows it."""
    return ends(plan, node)[1].addresses[0].partition("/")[0]


def script(plan: Plan, node: str) -> str:
    """Write what makes a node translate; nothing for all but gateways.

    Unasked packets are dropped before the kernel remembers them: remembered, they would take the
    port from the client, which then would get another one toward that sender. Out-of-window
    segments are translated too: what a client makes of forged ones is its own affair.
    """
    here = plan.node(node)
    if here.nat is None:
        return ""
    outside, *clients = ends(plan, node)
    inside = clients[0]
    nat, table = _translation(here.nat, outside, clients), _closed(outside.interface)
    six: list[str] = []
    if here.proxy:
        nat.append(f"{_asked(inside)} -p tcp --dport 80 -j REDIRECT --to-ports {PROXY_PORT}")
        answered = "-m conntrack --ctstate ESTABLISHED -j ACCEPT"
        table.insert(0, f"-A INPUT -i {outside.interface} {answered}")
    if here.portal:
        passing = [plan.primary(other.name) for other in plan.nodes if other.role == "control"]
        nat += _captured(inside, here.portal)
        table += _held(inside, here.portal, passing)
        six += ["*filter", *_held(inside, None, ()), "COMMIT"]
    return "\n".join(
        (
            'export XTABLES_LOCKFILE="$(mktemp -u)"',
            *_restore("iptables", ["*nat", *nat, "COMMIT", "*filter", *table, "COMMIT"]),
            *(_restore("ip6tables", six) if six else ()),
            'rm -f "$XTABLES_LOCKFILE"',
            *(f"echo 1 > /proc/sys/net/netfilter/nf_conntrack_{key}" for key in _SYSCTLS),
        )
    )


def relocked() -> str:
    """Write what makes a gateway's portal forget who has logged in."""
    tables = ("iptables -w 5 -t nat", "iptables -w 5", "ip6tables -w 5")
    flushed = "\n".join(f"{table} -F {ADMITTED}" for table in tables)
    return f'export XTABLES_LOCKFILE="$(mktemp -u)"\n{flushed}\nrm -f "$XTABLES_LOCKFILE"'


def _restore(tool: str, lines: list[str]) -> list[str]:
    return [f"{tool}-restore -w 5 <<'END'", *lines, "END"]


def _translation(kind: Nat, outside: End, clients: Iterable[End]) -> list[str]:
    public = outside.addresses[0].partition("/")[0]
    private = ",".join(end.addresses[0] for end in clients)
    leaving = f"-A POSTROUTING -o {outside.interface} -s {private}"
    chance = ":1024-65535 --random-fully" if kind == "symmetric" else ""
    rules = [f"{leaving} -p {p} -j SNAT --to-source {public}{chance}" for p in ("udp", "tcp")]
    return [*rules, f"{leaving} -j SNAT --to-source {public}"]


def _closed(interface: str) -> list[str]:
    return [f"-A INPUT -i {interface} -p {p} -j DROP" for p in ("udp", "tcp")]


def _asked(inside: End) -> str:
    return f"-A PREROUTING -i {inside.interface}"


def _captured(inside: End, portal: Portal) -> list[str]:
    """Have the gateway itself answer what the portal answers."""
    taken = [("tcp", 80), *((p, 53) for p in ("udp", "tcp") if portal.answers_dns)]
    return [
        f":{ADMITTED} - [0:0]",
        f"{_asked(inside)} -j {ADMITTED}",
        *(f"{_asked(inside)} -p {p} --dport {port} -j REDIRECT" for p, port in taken),
    ]


def _held(inside: End, portal: Portal | None, passing: Iterable[str]) -> list[str]:
    """Keep everything else of the client's; without a portal for this version of IP, silently."""
    rule = f"-A FORWARD -i {inside.interface}"
    questions = [f"{rule} -p {p} --dport 53 -j ACCEPT" for p in ("udp", "tcp")]
    return [
        f":{ADMITTED} - [0:0]",
        f"{rule} -j {ADMITTED}",
        *(f"{rule} -p udp -d {address} -j ACCEPT" for address in passing),
        *(questions if portal and not portal.answers_dns else ()),
        *([f"{rule} -p tcp -j REJECT --reject-with tcp-reset"] if portal else ()),
        f"{rule} -j DROP",
    ]


#: Forged segments pass; the kernel tells of each translation.
_SYSCTLS: Final = ("tcp_be_liberal", "events")
