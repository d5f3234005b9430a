"""Plan `national`: cities and carriers inside, one border, servers and the control abroad.

    vantage --- bj-r-cu --- bb-cu --+-- border === intl --- servers, resolver, auth, control
    vantage --- sh-r-ct --- bb-ct --+                       vantages abroad

A city router per carrier and city, a backbone per carrier, each carrier's own recursor (`dns-cu`)
and domestic servers on its backbone. Backbones peer with each other, so domestic traffic never
reaches the border. Every hop is a router. The international delay lies between border and intl.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

from topologies import check, side
from topologies.address import COUNTRIES, RESOLVER, TRANSIT, Carrier, Country
from topologies.draft import Draft, Standing
from topologies.errors import PlanError, Problem
from topologies.place import Place, Vantage
from topologies.plan import Box, Plan

OPTIONS = ("country", "cities", "carriers", "delay", "resolver")
FIXED = ("border", "intl", *side.OUTSIDE)
DEFAULT_COUNTRY = "CN"
#: Seconds one way across the border, where the scenario says nothing.
DELAY = 0.020
#: Which recursor a vantage's resolv.conf names: the one abroad, or its own carrier's.
RESOLVERS = ("abroad", "carrier")


def plan(
    options: Mapping[str, Any],
    vantages: Mapping[str, Vantage],
    places: Mapping[str, Place],
) -> Plan:
    """Draw the country.

    Args:
        options: `country` (CN), `cities` and `carriers` (those that vantages may use; every
            carrier listed has a backbone and a recursor; absent: those that are used), `delay`
            (seconds one way, 0.020), `resolver` (`abroad`: a vantage asks the recursor abroad,
            `carrier`: its carrier's own).
        vantages: each with city and carrier, or abroad.
        places: server hosts, on a carrier's backbone or abroad.
    Raises: PlanError with every problem.
    """
    problems = problems_of(options, vantages, places)
    if problems:
        raise PlanError(tuple(problems))
    country = COUNTRIES[options.get("country", DEFAULT_COUNTRY)]
    return _Drawing(options, country, vantages, places or {side.DEFAULT_PLACE: Place()}).plan()


def problems_of(
    options: Mapping[str, Any],
    vantages: Mapping[str, Vantage],
    places: Mapping[str, Place],
) -> list[Problem]:
    """List everything wrong with what was asked."""
    code = options.get("country", DEFAULT_COUNTRY)
    if code not in COUNTRIES:
        return [*check.choice(("topology", "country"), code, COUNTRIES)]
    country = COUNTRIES[code]
    return [
        *check.keys(options, OPTIONS),
        *check.delay(options),
        *check.words(options, "cities", country.cities),
        *check.words(options, "carriers", country.carriers),
        *check.choice(("topology", "resolver"), options.get("resolver", "abroad"), RESOLVERS),
        *check.names(vantages, places, _taken_names(country)),
        *check.addresses(places, _taken_addresses(country)),
        *_standing(options, country, vantages, places),
    ]


def _standing(
    options: Mapping[str, Any],
    country: Country,
    vantages: Mapping[str, Vantage],
    places: Mapping[str, Place],
) -> Iterator[Problem]:
    cities = _listed(options, "cities", country.cities)
    carriers = _listed(options, "carriers", country.carriers)
    for name, vantage in vantages.items():
        for key, value, known in (
            ("city", vantage.city, cities),
            ("carrier", vantage.carrier, carriers),
        ):
            path = ("vantages", name, key)
            if vantage.abroad and value is not None:
                yield Problem(path, value, "nothing", "this vantage stands abroad")
            if not vantage.abroad:
                yield from check.choice(path, value, known)
    for name, place in places.items():
        if place.carrier is not None:
            yield from check.choice(("places", name, "carrier"), place.carrier, carriers)
        elif place.inside:
            hint = "say which carrier it hangs on"
            yield Problem(("places", name, "carrier"), None, "a carrier", hint)


def _listed(options: Mapping[str, Any], key: str, known: Mapping[str, Any]) -> list[str]:
    value = options.get(key)
    return (
        [word for word in value if word in known] if isinstance(value, list | tuple) else [*known]
    )


def _taken_names(country: Country) -> set[str]:
    carriers = country.carriers.values()
    cities = {f"{code}-r-{c.code}" for c in carriers for code in country.cities.values()}
    return {*FIXED, *cities, *(f"{kind}-{c.code}" for c in carriers for kind in ("bb", "dns"))}


def _taken_addresses(country: Country) -> dict[str, str]:
    taken = {a: f"dns-{c.code}" for c in country.carriers.values() for a in c.resolver}
    return {**taken, **side.TAKEN}


class _Drawing:
    """One drawing: what is asked, and the draft it becomes, from the border outward."""

    def __init__(
        self,
        options: Mapping[str, Any],
        country: Country,
        vantages: Mapping[str, Vantage],
        places: Mapping[str, Place],
    ) -> None:
        self.options, self.country = options, country
        self.vantages, self.places = vantages, places
        reserved = [address for place in places.values() for address in place.addresses]
        self.draft = Draft("national", [*reserved, *_taken_addresses(country)])

    def plan(self) -> Plan:
        """Draw it all."""
        draft = self.draft
        draft.node("border", "box")
        draft.node("intl", "router", asn=TRANSIT.asn)
        outside, _ = draft.link("border", "intl", TRANSIT, float(self.options.get("delay", DELAY)))
        inside = self._carriers()
        self._inland()
        side.outside(draft, "intl", self.vantages, self.places)
        return draft.plan(root="intl", boxes=(Box("border", inside, (outside,)),))

    def _used(self) -> list[Carrier]:
        wanted = self.options.get("carriers") or [
            *(vantage.carrier for vantage in self.vantages.values()),
            *(place.carrier for place in self.places.values()),
        ]
        return [carrier for name, carrier in self.country.carriers.items() if name in wanted]

    def _carriers(self) -> tuple[str, ...]:
        """Draw backbones, their recursors and peerings; return the border's inside interfaces."""
        inside = []
        for carrier in self._used():
            about: Standing = {"carrier": carrier.name, "asn": carrier.asn}
            backbone = self.draft.node(f"bb-{carrier.code}", "router", **about)
            inside.append(self.draft.link("border", backbone, carrier.backbone)[0])
            recursor = self.draft.node(f"dns-{carrier.code}", "resolver", carrier.resolver, **about)
            self.draft.link(backbone, recursor, carrier.backbone)
        for one, other in combinations(self._used(), 2):
            self.draft.link(f"bb-{one.code}", f"bb-{other.code}", one.backbone)
        return tuple(inside)

    def _inland(self) -> None:
        routers: set[str] = set()
        for name, vantage in self.vantages.items():
            if vantage.city is None or vantage.carrier is None:
                continue
            carrier = self.country.carriers[vantage.carrier]
            area = carrier.cities[vantage.city]
            about: Standing = {"city": vantage.city, "carrier": carrier.name, "asn": carrier.asn}
            router = f"{self.country.cities[vantage.city]}-r-{carrier.code}"
            if router not in routers:
                routers.add(self.draft.node(router, "router", **about))
                self.draft.link(f"bb-{carrier.code}", router, carrier.backbone)
            own = self.options.get("resolver") == "carrier"
            resolver = carrier.resolver[0] if own else RESOLVER[0]
            self.draft.node(name, "vantage", **about, resolver=resolver)
            self.draft.link(router, name, area)
        for name, place in self.places.items():
            if place.carrier is not None:
                carrier = self.country.carriers[place.carrier]
                at: Standing = {"carrier": carrier.name, "asn": carrier.asn}
                resolver = carrier.resolver[0]
                self.draft.node(name, "server", place.addresses, **at, resolver=resolver)
                self.draft.link(f"bb-{carrier.code}", name, carrier.backbone)
