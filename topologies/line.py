"""Plan `line`: clients, one box, and everything else behind it.

    vantage --- censor === core --- servers, resolver, auth, control, vantages abroad

Every client's packets to any server, and its queries to the resolver, cross the box; the control
and vantages abroad reach the same servers without it. The delay lies between box and core.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from topologies import check
from topologies.address import (
    ACCESS,
    AUTHORITATIVE,
    AUTHORITATIVE_ASN,
    CABLE,
    CAMPUS,
    LINE_BACKBONE,
    RESOLVER,
    RESOLVER_ASN,
    TRANSIT,
)
from topologies.draft import Draft
from topologies.errors import PlanError, Problem
from topologies.place import Place, Vantage
from topologies.plan import Box, Plan

OPTIONS = ("delay",)
#: Nodes that every `line` has.
FIXED = ("censor", "core", "resolver", "auth", "control")
#: Where services stand when a scenario names no host for them.
DEFAULT_PLACE = "servers"


def plan(
    options: Mapping[str, Any],
    vantages: Mapping[str, Vantage],
    places: Mapping[str, Place],
) -> Plan:
    """Draw the line.

    Args:
        options: `delay`, seconds one way between box and core, 0 where absent.
        vantages: none has a city or a carrier; those abroad hang on `core`.
        places: server hosts; one named `servers` without addresses where there is none.
    Raises: PlanError with every problem.
    """
    problems = (*problems_of(options, vantages, places),)
    if problems:
        raise PlanError(problems)
    return _draw(float(options.get("delay", 0.0)), vantages, places or {DEFAULT_PLACE: Place()})


def problems_of(
    options: Mapping[str, Any],
    vantages: Mapping[str, Vantage],
    places: Mapping[str, Place],
) -> list[Problem]:
    """List everything wrong with what was asked."""
    taken = {**dict.fromkeys(RESOLVER, "resolver"), **dict.fromkeys(AUTHORITATIVE, "auth")}
    found = [
        *check.keys(options, OPTIONS),
        *check.delay(options),
        *check.names(vantages, places, FIXED),
        *check.addresses(places, taken),
    ]
    hint = "a line has no cities and carriers: `use: national` has"
    for name, vantage in vantages.items():
        for key, value in (("city", vantage.city), ("carrier", vantage.carrier)):
            if value is not None:
                found.append(Problem(("vantages", name, key), value, "nothing", hint))
    for name, place in places.items():
        if place.carrier is not None:
            found.append(Problem(("places", name, "carrier"), place.carrier, "nothing", hint))
    return found


def _draw(delay: float, vantages: Mapping[str, Vantage], places: Mapping[str, Place]) -> Plan:
    reserved = [address for place in places.values() for address in place.addresses]
    draft = Draft("line", [*reserved, *RESOLVER, *AUTHORITATIVE])
    draft.node("censor", "box", asn=LINE_BACKBONE.asn)
    draft.node("core", "router", asn=TRANSIT.asn)
    outside, _ = draft.link("censor", "core", LINE_BACKBONE, delay)
    inside = []
    for name, vantage in vantages.items():
        area = CABLE if vantage.abroad else ACCESS
        draft.node(name, "vantage", asn=area.asn, resolver=RESOLVER[0])
        interface, _ = draft.link("core" if vantage.abroad else "censor", name, area)
        inside += [] if vantage.abroad else [interface]
    for name, place in places.items():
        area = ACCESS if place.inside else TRANSIT
        draft.node(name, "server", place.addresses, asn=area.asn, resolver=RESOLVER[0])
        interface, _ = draft.link("censor" if place.inside else "core", name, area)
        inside += [interface] if place.inside else []
    draft.node("resolver", "resolver", RESOLVER, asn=RESOLVER_ASN)
    draft.link("core", "resolver", TRANSIT)
    draft.node("auth", "server", AUTHORITATIVE, asn=AUTHORITATIVE_ASN)
    draft.link("core", "auth", TRANSIT)
    draft.node("control", "control", asn=CAMPUS.asn, resolver=RESOLVER[0])
    draft.link("core", "control", CAMPUS)
    return draft.plan(root="core", boxes=(Box("censor", tuple(inside), (outside,)),))
