"""Hang a vantage on its access router, behind a gateway of its own where its plan says so.

    router --- gw1 (public IPv4) --- vantage (192.168.1.2)

The gateway is a home router: IPv4 is translated, IPv6 is routed. Each translates for one vantage,
so its public address tells the vantage; which of the vantage's flows a translated one is, the
kernel's own record tells (`filterbed.stage.translation`).

- `cone`: mapping independent of the endpoint (RFC 4787 section 4.1, REQ-1): the kernel keeps the
  client's port, whatever the destination, and there is one client alone to use it.
- `symmetric`: address and port-dependent mapping: a port by chance for each destination.

Filtering is address and port-dependent for both (section 5): what comes from where the client has
sent nothing is dropped. The RFC's older name for the first is "port restricted cone".
Limits:  a full cone (endpoint-independent filtering) needs a module that kernels do not have.
Source:  iptables-extensions(8), SNAT; RFC 4787; RFC 5780 for how it is measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import Final, get_args

from topologies.address import Area
from topologies.draft import Draft, Standing
from topologies.place import Vantage
from topologies.plan import Nat, Plan

KINDS: Final[tuple[str, ...]] = get_args(Nat)
#: Where private networks are taken from, one /24 a gateway (RFC 1918).
PRIVATE: Final = IPv4Network("192.168.0.0/16")


def names(vantages: Mapping[str, Vantage]) -> dict[str, str]:
    """Name the gateways; gateway -> the vantage behind it."""
    behind = (name for name, vantage in vantages.items() if vantage.nat is not None)
    return {f"gw{number}": name for number, name in enumerate(behind, start=1)}


def hang(
    draft: Draft,
    router: str,
    name: str,
    vantage: Vantage,
    area: Area,
    resolver: str,
    about: Standing,
) -> str:
    """Add the vantage, and its gateway if it has one; return the router's interface to them."""
    if vantage.nat is None:
        draft.node(name, "vantage", **about, resolver=resolver)
        return draft.link(router, name, area)[0]
    number = draft.gateways() + 1
    gateway = draft.node(f"gw{number}", "router", **about, nat=vantage.nat)
    facing, _ = draft.link(router, gateway, area)
    draft.node(name, "vantage", **about, resolver=resolver)
    network = IPv4Network((int(PRIVATE.network_address) + 256 * number, 24))
    draft.link(gateway, name, area, private=network)
    return facing


def script(plan: Plan, node: str) -> str:
    """Write what makes a node translate; nothing for all but gateways.

    Unasked packets are dropped before the kernel remembers them: remembered, they would take the
    port from the client, which then would get another one toward that sender. Out-of-window
    segments are translated too: what a client makes of forged ones is its own affair.
    """
    kind = plan.node(node).nat
    if kind is None:
        return ""
    outer, inner = (e for li in plan.links for e in li.ends if e.node == node)
    public = outer.addresses[0].partition("/")[0]
    here = f"-A POSTROUTING -o {outer.interface} -s {inner.addresses[0]}"
    chance = ":1024-65535 --random-fully" if kind == "symmetric" else ""
    rules = [f"{here} -p {p} -j SNAT --to-source {public}{chance}" for p in ("udp", "tcp")]
    rules.append(f"{here} -j SNAT --to-source {public}")
    closed = [f"-A INPUT -i {outer.interface} -p {p} -j DROP" for p in ("udp", "tcp")]
    table = ["*nat", *rules, "COMMIT", "*filter", *closed, "COMMIT"]
    return "\n".join(
        (
            'export XTABLES_LOCKFILE="$(mktemp -u)"',
            "iptables-restore -w 5 <<'END'",
            *table,
            "END",
            'rm -f "$XTABLES_LOCKFILE"',
            *(f"echo 1 > /proc/sys/net/netfilter/nf_conntrack_{key}" for key in _SYSCTLS),
        )
    )


#: Forged segments pass; the kernel tells of each translation.
_SYSCTLS: Final = ("tcp_be_liberal", "events")
