"""Plan `series`: a provincial box inside a national one, both on the way of those who live there.

    vantage --- gz-r-cu --- province --+-- bb-cu --- border === intl --- servers, resolver, DNS,
    vantage --- bj-r-cu ---------------+                                 control, vantages abroad

One carrier, with a router for each city that has a vantage. The cities of the province hang on
the box `province`, all others on the backbone. A packet abroad from the province crosses both
boxes; one to another city, or to a server on the backbone, crosses `province` alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from topologies import check, gateway, side
from topologies.address import COUNTRIES, RESOLVER, TRANSIT, Carrier, Country
from topologies.draft import Draft, Standing
from topologies.errors import PlanError, Problem
from topologies.place import Place, Vantage
from topologies.plan import Box, Plan

OPTIONS = ("country", "carrier", "province", "delay")
FIXED = ("province", "border", "intl", *side.OUTSIDE)
DEFAULT_COUNTRY, DEFAULT_CARRIER = "CN", "unicom"
#: Seconds one way across the border, where the scenario says nothing.
DELAY = 0.020


def plan(
    options: Mapping[str, Any],
    vantages: Mapping[str, Vantage],
    places: Mapping[str, Place],
) -> Plan:
    """Draw both boxes and who stands behind which.

    Args:
        options: `province`, the cities behind the provincial box; `country` (CN); `carrier`
            (unicom); `delay`, seconds one way across the border (0.020).
        vantages: each with a city (its carrier, where stated, is the topology's), or abroad.
        places: server hosts, on the backbone (with the carrier) or abroad.
    Raises: PlanError with every problem.
    """
    code = options.get("country", DEFAULT_COUNTRY)
    name = options.get("carrier", DEFAULT_CARRIER)
    wrong = [*check.choice(("topology", "country"), code, COUNTRIES)]
    wrong = wrong or [*check.choice(("topology", "carrier"), name, COUNTRIES[code].carriers)]
    if wrong:
        raise PlanError(tuple(wrong))
    country = COUNTRIES[code]
    carrier = country.carriers[name]
    problems = (
        *check.keys(options, OPTIONS),
        *check.delay(options),
        *check.words(options, "province", country.cities),
        *_empty(options),
        *check.names(vantages, places, _taken(country, carrier)),
        *check.addresses(places, side.TAKEN),
        *_standing(country, carrier, vantages, places),
    )
    if problems:
        raise PlanError(problems)
    return _draw(options, country, carrier, vantages, places or {side.DEFAULT_PLACE: Place()})


def _empty(options: Mapping[str, Any]) -> Iterator[Problem]:
    if not options.get("province"):
        hint = "for example [guangzhou]"
        yield Problem(("topology", "province"), options.get("province"), "at least one city", hint)


def _taken(country: Country, carrier: Carrier) -> set[str]:
    cities = {_router(country, carrier, city) for city in country.cities}
    return {*FIXED, *cities, f"bb-{carrier.code}"}


def _router(country: Country, carrier: Carrier, city: str) -> str:
    return f"{country.cities[city]}-r-{carrier.code}"


def _standing(
    country: Country,
    carrier: Carrier,
    vantages: Mapping[str, Vantage],
    places: Mapping[str, Place],
) -> Iterator[Problem]:
    only = "this topology has one carrier"
    for name, vantage in vantages.items():
        path = ("vantages", name)
        for key in ("city", "carrier", "access"):
            value = getattr(vantage, key)
            if value is not None and (vantage.abroad or key == "access"):
                abroad = "this vantage stands abroad"
                hint = abroad if vantage.abroad else "`use: national` has access networks"
                yield Problem((*path, key), value, "nothing", hint)
        if not vantage.abroad:
            yield from check.choice((*path, "city"), vantage.city, country.cities)
            if vantage.carrier not in (None, carrier.name):
                yield Problem((*path, "carrier"), vantage.carrier, carrier.name, only)
    for name, place in places.items():
        if place.carrier not in (None, carrier.name) or (place.inside and place.carrier is None):
            yield Problem(("places", name, "carrier"), place.carrier, carrier.name, only)


def _draw(
    options: Mapping[str, Any],
    country: Country,
    carrier: Carrier,
    vantages: Mapping[str, Vantage],
    places: Mapping[str, Place],
) -> Plan:
    draft = Draft("series", side.reserved(places))
    about: Standing = {"carrier": carrier.name, "asn": carrier.asn}
    backbone = f"bb-{carrier.code}"
    draft.node("border", "box", **about)
    draft.node("intl", "router", asn=TRANSIT.asn)
    draft.node(backbone, "router", **about)
    draft.node("province", "box", **about)
    behind, _ = draft.link("border", "intl", TRANSIT, float(options.get("delay", DELAY)))
    inner, _ = draft.link("border", backbone, carrier.backbone)
    _, upward = draft.link(backbone, "province", carrier.backbone)
    covered = []
    routers: set[str] = set()
    for name, vantage in vantages.items():
        if vantage.city is None:
            continue
        at: Standing = {**about, "city": vantage.city}
        router = _router(country, carrier, vantage.city)
        if router not in routers:
            routers.add(draft.node(router, "router", **at))
            under = "province" if vantage.city in options["province"] else backbone
            interface, _ = draft.link(under, router, carrier.backbone)
            covered += [interface] if under == "province" else []
        area = carrier.cities[vantage.city]
        gateway.hang(draft, router, name, vantage, area, RESOLVER[0], at)
    for name, place in places.items():
        if place.carrier is not None:
            draft.node(name, "server", place.addresses, **about, resolver=RESOLVER[0])
            draft.link(backbone, name, carrier.backbone)
    side.outside(draft, "intl", vantages, places)
    boxes = (
        Box("border", (inner,), (behind,)),
        Box("province", tuple(covered), (upward,)),
    )
    return draft.plan(root="intl", boxes=boxes)
