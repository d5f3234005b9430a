"""Draw what hangs on either side of a box: clients inside, the rest of the world outside."""

from __future__ import annotations

from collections.abc import Mapping

from topologies import gateway
from topologies.address import (
    ACCESS,
    CABLE,
    CAMPUS,
    NAME_SERVERS,
    RESOLVER,
    RESOLVER_ASN,
    TRANSIT,
)
from topologies.draft import Draft, Standing
from topologies.place import Place, Vantage

#: The nodes outside that every topology has, and where services stand when no host is named.
OUTSIDE = ("resolver", *(server.node for server in NAME_SERVERS), "control")
DEFAULT_PLACE = "servers"
#: Who holds the addresses that every topology has.
TAKEN: Mapping[str, str] = {
    **dict.fromkeys(RESOLVER, "resolver"),
    **{address: server.node for server in NAME_SERVERS for address in server.addresses},
}


def inside(
    draft: Draft, at: str, vantages: Mapping[str, Vantage], places: Mapping[str, Place]
) -> tuple[str, ...]:
    """Hang the clients, and the servers that stand with them, on `at`.

    Returns: the interfaces of `at` that look at them.
    """
    facing = []
    for name, vantage in vantages.items():
        if not vantage.abroad:
            about: Standing = {"asn": ACCESS.asn}
            interface = gateway.hang(draft, at, name, vantage, ACCESS, RESOLVER[0], about)
            facing += [interface] if interface else []
    for name, place in places.items():
        if place.inside:
            draft.node(name, "server", place.addresses, asn=ACCESS.asn, resolver=RESOLVER[0])
            facing.append(draft.link(at, name, ACCESS)[0])
    return tuple(facing)


def outside(
    draft: Draft,
    at: str,
    vantages: Mapping[str, Vantage],
    places: Mapping[str, Place],
    *,
    validates: bool = False,
) -> None:
    """Hang the rest of the world on `at`: vantages abroad, servers, resolver, DNS, control.

    The recursor there `validates` where zones are signed.
    """
    for name, vantage in vantages.items():
        if vantage.abroad:
            gateway.hang(draft, at, name, vantage, CABLE, RESOLVER[0], {"asn": CABLE.asn})
    for name, place in places.items():
        if place.carrier is None and not place.inside:
            draft.node(name, "server", place.addresses, asn=TRANSIT.asn, resolver=RESOLVER[0])
            draft.link(at, name, TRANSIT)
    draft.node("resolver", "resolver", RESOLVER, asn=RESOLVER_ASN, validates=validates)
    draft.link(at, "resolver", TRANSIT)
    for server in NAME_SERVERS:
        draft.node(server.node, "server", server.addresses, asn=server.asn)
        draft.link(at, server.node, TRANSIT)
    draft.node("control", "control", asn=CAMPUS.asn, resolver=RESOLVER[0])
    draft.link(at, "control", CAMPUS)


def reserved(places: Mapping[str, Place]) -> tuple[str, ...]:
    """List the addresses no link may be numbered with."""
    return (*(a for place in places.values() for a in place.addresses), *TAKEN)
