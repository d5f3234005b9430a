"""Plan `national`: cities and carriers inside, a border, servers and the control abroad.

    vantage --- bj-r-cu --- bb-cu --+-- border === intl --- servers, resolver, DNS, control
    vantage --- sh-r-ct --- bb-ct --+                       vantages abroad

A city router per carrier and city, a backbone per carrier, each carrier's own recursor (`dns-cu`)
and domestic servers on its backbone. Backbones peer with each other, or meet at an exchange (`ix`),
so domestic traffic never reaches the border. Clients that say how they are joined hang on an access
router of that kind (`bj-c-cu` cellular, `bj-f-cu` fixed), in prefixes of its own. Every hop is a
router. One box guards the border of all carriers, or each has its own (`border-cu`). The
international delay lies between border and intl.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

from topologies import check, gateway, side
from topologies.address import COUNTRIES, KINDS, RESOLVER, TRANSIT, Area, Carrier, Country
from topologies.draft import Draft, Standing
from topologies.errors import PlanError, Problem
from topologies.place import Place, Vantage
from topologies.plan import Box, Plan

OPTIONS = (
    "country",
    "cities",
    "carriers",
    "delay",
    "resolver",
    "borders",
    "exchange",
    "cache",
    "dnssec",
)
FIXED = ("border", "intl", "ix", *side.OUTSIDE)
DEFAULT_COUNTRY = "CN"
#: Seconds one way across the border, where the scenario says nothing.
DELAY = 0.020
#: Which recursor a vantage's resolv.conf names: the one abroad, or its own carrier's.
RESOLVERS = ("abroad", "carrier")
#: Kind of access -> what stands for it in its routers' names.
_CODES = {kind: kind[0] for kind in KINDS}
#: One box for all carriers, or one for each.
BORDERS = ("one", "each")


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
            `carrier`: its carrier's own), `borders` (`one` box, the default, or `each` carrier its
            own), `exchange` (true: carriers meet at one router instead of peering in pairs),
            `cache` (true: carriers' recursors keep answers for as long as these say),
            `dnssec` (carriers whose recursors validate; where there are any the zone is signed, and
            the recursor abroad validates, too).
        vantages: each with city and carrier, and perhaps access; or abroad.
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
        *check.choice(("topology", "borders"), options.get("borders", "one"), BORDERS),
        *check.flag(options, "exchange"),
        *check.flag(options, "cache"),
        *check.words(options, "dnssec", _listed(options, "carriers", country.carriers)),
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
        if vantage.abroad and vantage.access is not None:
            hint = "this vantage stands abroad"
            yield Problem(("vantages", name, "access"), vantage.access, "nothing", hint)
        elif vantage.access is not None:
            yield from check.choice(("vantages", name, "access"), vantage.access, KINDS)
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
    codes = ("r", *(_CODES[kind] for kind in KINDS))
    cities = {
        f"{city}-{k}-{c.code}" for c in carriers for city in country.cities.values() for k in codes
    }
    return {*FIXED, *cities, *(f"{k}-{c.code}" for c in carriers for k in ("bb", "dns", "border"))}


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
        self.routers: set[str] = set()
        reserved = [address for place in places.values() for address in place.addresses]
        self.draft = Draft("national", [*reserved, *_taken_addresses(country)])

    def plan(self) -> Plan:
        """Draw it all."""
        self.draft.node("intl", "router", asn=TRANSIT.asn)
        self._carriers()
        boxes = self._borders()
        self._inland()
        signed = bool(self.options.get("dnssec"))
        side.outside(self.draft, "intl", self.vantages, self.places, validates=signed)
        return self.draft.plan(root="intl", boxes=boxes)

    def _used(self) -> list[Carrier]:
        wanted = self.options.get("carriers") or [
            *(vantage.carrier for vantage in self.vantages.values()),
            *(place.carrier for place in self.places.values()),
        ]
        return [carrier for name, carrier in self.country.carriers.items() if name in wanted]

    def _carriers(self) -> None:
        """Draw backbones, their recursors, and where they meet.

        Where they meet comes before the border: of equally short ways the first is taken.
        """
        used = self._used()
        for carrier in used:
            about: Standing = {"carrier": carrier.name, "asn": carrier.asn}
            backbone = self.draft.node(f"bb-{carrier.code}", "router", **about)
            recursor = self.draft.node(
                *(f"dns-{carrier.code}", "resolver", carrier.resolver),
                **about,
                keeps=bool(self.options.get("cache")),
                validates=carrier.name in (self.options.get("dnssec") or ()),
            )
            self.draft.link(backbone, recursor, carrier.backbone)
        if self.options.get("exchange"):
            self.draft.node("ix", "router")
            for carrier in used:
                self.draft.link("ix", f"bb-{carrier.code}", carrier.backbone)
            return
        for one, other in combinations(used, 2):
            self.draft.link(f"bb-{one.code}", f"bb-{other.code}", one.backbone)

    def _borders(self) -> tuple[Box, ...]:
        delay = float(self.options.get("delay", DELAY))
        used = self._used()
        each = self.options.get("borders") == "each"
        guarded = {f"border-{c.code}": [c] for c in used} if each else {"border": used}
        boxes = []
        for name, carriers in guarded.items():
            about: Standing = {"carrier": carriers[0].name, "asn": carriers[0].asn} if each else {}
            self.draft.node(name, "box", **about)
            outside, _ = self.draft.link(name, "intl", TRANSIT, delay)
            inside = [self.draft.link(name, f"bb-{c.code}", c.backbone)[0] for c in carriers]
            boxes.append(Box(name, tuple(inside), (outside,)))
        return tuple(boxes)

    def _router(self, code: str, city: str, carrier: Carrier, above: str, area: Area) -> str:
        """Draw a city's router of some kind under another one, once; return its name."""
        name = f"{self.country.cities[city]}-{code}-{carrier.code}"
        if name not in self.routers:
            self.routers.add(name)
            self.draft.node(name, "router", city=city, carrier=carrier.name, asn=carrier.asn)
            self.draft.link(above, name, area)
        return name

    def _inland(self) -> None:
        for name, vantage in self.vantages.items():
            if vantage.city is None or vantage.carrier is None:
                continue
            carrier = self.country.carriers[vantage.carrier]
            about: Standing = {"city": vantage.city, "carrier": carrier.name, "asn": carrier.asn}
            area, backbone = carrier.cities[vantage.city], f"bb-{carrier.code}"
            router = self._router("r", vantage.city, carrier, backbone, carrier.backbone)
            if vantage.access is not None:
                area, code = area.kind(vantage.access), _CODES[vantage.access]
                router = self._router(code, vantage.city, carrier, router, area)
            own = self.options.get("resolver") == "carrier"
            resolver = carrier.resolver[0] if own else RESOLVER[0]
            gateway.hang(self.draft, router, name, vantage, area, resolver, about)
        for name, place in self.places.items():
            if place.carrier is not None:
                carrier = self.country.carriers[place.carrier]
                at: Standing = {"carrier": carrier.name, "asn": carrier.asn}
                resolver = carrier.resolver[0]
                self.draft.node(name, "server", place.addresses, **at, resolver=resolver)
                self.draft.link(f"bb-{carrier.code}", name, carrier.backbone)
