"""Turn words for places into prefixes: "shanghai", "telecom", "shanghai/telecom", "CN"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from topologies import check
from topologies.address import ACCESS, COUNTRIES, KINDS, LINE_BACKBONE, Area, Carrier, Country
from topologies.draft import full_length
from topologies.errors import PlanError, Problem
from topologies.plan import Plan

#: The whole censored side, in every topology.
INSIDE = "inside"
#: Topologies without cities and carriers: one network of clients, one backbone.
PLAIN = frozenset({"line", "hops", "fork", "detour"})


def prefixes(plan: Plan, selector: str) -> tuple[str, ...]:
    """Return the prefixes a word means in a plan, IPv4 and IPv6, as a policy or a Geo takes them.

    A city means its part of every carrier; a carrier its backbone, its cities, its recursor and
    the service addresses of servers that hang on it; `cellular` and `fixed` those of its clients
    who are joined so; some of these joined by `/` what is all of them (`shanghai/telecom/fixed`);
    a country's code and `inside` all its carriers (without cities and carriers, the clients'
    network and the servers there); a host's name its own addresses, whole.
    Raises: PlanError for a word that means nothing, with the nearest that does.
    """
    named = any(node.name == selector for node in plan.nodes)
    if selector == INSIDE and plan.topology in PLAIN:  # servers there are a host of this name
        there = _own(plan, INSIDE) if named else ()
        return _unique((*ACCESS.prefixes, *LINE_BACKBONE.prefixes, *there))
    if named:
        return _unique(_own(plan, selector))
    for country in COUNTRIES.values():
        found = _of_country(plan, country, selector)
        if found:
            return _unique(found)
    known = words(plan)
    problem = Problem(
        ("prefixes",), selector, f"one of {', '.join(known)}", check.nearest(selector, known)
    )
    raise PlanError((problem,))


def words(plan: Plan) -> tuple[str, ...]:
    """List the words that mean something in a plan."""
    if plan.topology in PLAIN:
        return (INSIDE, *(node.name for node in plan.nodes if node.name != INSIDE))
    places = [word for c in COUNTRIES.values() for word in (c.code, *c.cities, *c.carriers)]
    return (INSIDE, *places, *KINDS, *(node.name for node in plan.nodes))


def _of_country(plan: Plan, country: Country, selector: str) -> list[str]:
    if plan.topology in PLAIN:
        return []
    if selector in (country.code, INSIDE):
        return [p for carrier in country.carriers.values() for p in _of_carrier(plan, carrier)]
    if selector in country.carriers:
        return _of_carrier(plan, country.carriers[selector])
    parts = selector.split("/")
    known: tuple[Mapping[str, object], ...] = (country.cities, country.carriers, KINDS)
    chosen = [[word for word in parts if word in table] for table in known]
    if sum(map(len, chosen)) != len(parts) or any(len(words) > 1 for words in chosen):
        return []
    cities, carriers, kinds = chosen
    areas: list[Area] = [
        carrier.cities[city]
        for carrier in country.carriers.values()
        for city in country.cities
        if carrier.name in (carriers or [carrier.name]) and city in (cities or [city])
    ]
    areas = [area.kind(kinds[0]) for area in areas] if kinds else areas
    return [prefix for area in areas for prefix in area.prefixes]


def _of_carrier(plan: Plan, carrier: Carrier) -> list[str]:
    hanging = (node for node in plan.nodes if node.carrier == carrier.name)
    return [*carrier.prefixes, *(address for node in hanging for address in node.addresses)]


def _own(plan: Plan, name: str) -> list[str]:
    """Return what others see of a host, whole addresses."""
    return [full_length(address) for address in plan.seen(name)]


def _unique(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))
