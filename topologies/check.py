"""Check what a scenario asks of a topology, and list everything wrong with it at once."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Any

from topologies import gateway
from topologies.errors import Problem
from topologies.place import Place, Vantage
from topologies.plan import NAME_LIMIT

#: A Mininet host's name: it begins every interface's name and stands in logs and paths.
NAME = re.compile(r"[a-z][a-z0-9-]*")
#: Seconds one way; the hold queue keeps every packet of this time in memory.
DELAY_LIMIT = 2.0
#: The smallest city's prefix has room for these many links (`topologies.address`).
VANTAGE_LIMIT = 200


def nearest(word: object, known: Iterable[str]) -> str:
    """Say which of the known words was probably meant, or nothing."""
    close = difflib.get_close_matches(str(word), list(known), n=1)
    return f"did you mean {close[0]!r}?" if close else ""


def choice(path: tuple[str | int, ...], value: object, known: Collection[str]) -> Iterator[Problem]:
    """Expect one of the known words."""
    if value not in known:
        yield Problem(path, value, f"one of {', '.join(sorted(known))}", nearest(value, known))


def flag(options: Mapping[str, Any], key: str) -> Iterator[Problem]:
    """Expect true or false, where there is anything."""
    if not isinstance(value := options.get(key, False), bool):
        yield Problem(("topology", key), value, "true or false")


def keys(options: Mapping[str, Any], known: Collection[str]) -> Iterator[Problem]:
    """Expect no keys in `topology:` but the known ones and `use`."""
    for key in options:
        if key not in known and key != "use":
            allowed = ", ".join(sorted({*known, "use"}))
            yield Problem(
                ("topology", key), options[key], f"a key of {allowed}", nearest(key, known)
            )


def delay(options: Mapping[str, Any]) -> Iterator[Problem]:
    """Expect `delay`, where there is one, in seconds, between none and the limit."""
    value = options.get("delay", 0.0)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value <= DELAY_LIMIT:
        expected = f"seconds one way, from 0 to {DELAY_LIMIT:g}"
        yield Problem(("topology", "delay"), value, expected, "for example 0.020")


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number as it is used, and what is wrong with the one that was asked for."""

    value: int
    problems: tuple[Problem, ...] = ()


def number(
    options: Mapping[str, Any], key: str, least: int, most: int, default: int, hint: str = ""
) -> Number:
    """Expect a whole number from `least` to `most`; where it is wrong, go on with the default."""
    value = options.get(key)
    if value is None:
        return Number(default)
    whole = isinstance(value, int) and not isinstance(value, bool)
    if whole and least <= value <= most:
        return Number(value)
    expected = f"a whole number from {least} to {most}"
    return Number(default, (Problem(("topology", key), value, expected, hint),))


def words(options: Mapping[str, Any], key: str, known: Collection[str]) -> Iterator[Problem]:
    """Expect a list of known words, each once."""
    value = options.get(key, [])
    if not isinstance(value, list | tuple):
        yield Problem(("topology", key), value, "a list", f"[{value}]")
        return
    for index, word in enumerate(value):
        yield from choice(("topology", key, index), word, known)
        if word in value[:index]:
            yield Problem(("topology", key, index), word, "each once", "leave one out")


def names(
    vantages: Mapping[str, Vantage], places: Mapping[str, Place], taken: Collection[str]
) -> Iterator[Problem]:
    """Expect names that Mininet can use, and nobody else has."""
    for name in [*vantages][VANTAGE_LIMIT:]:
        expected = f"at most {VANTAGE_LIMIT} vantages"
        yield Problem(("vantages", name), name, expected, "prefixes have room for no more")
    yield from gateways(vantages, {*taken, *gateway.own(vantages), *vantages, *places})
    taken = {*taken, *gateway.own(vantages)}
    for name, vantage in vantages.items():
        yield from _gateway(name, vantage)
    if not vantages:
        yield Problem(("vantages",), None, "at least one vantage", "say where tools run")
    for room, table in (("vantages", vantages), ("places", places)):
        for name in table:
            if len(name) > NAME_LIMIT or not NAME.fullmatch(name):
                expected = f"at most {NAME_LIMIT} of a-z, 0-9 and -, beginning with a letter"
                yield Problem((room, name), name, expected, "it names network interfaces too")
            if name in taken:
                yield Problem(
                    (room, name), name, "a name that is free", "the topology has such a node"
                )
    for name in places:
        if name in vantages:
            yield Problem(("places", name), name, "a name that is free", "a vantage has it")


def _gateway(name: str, vantage: Vantage) -> Iterator[Problem]:
    """Expect a gateway where something stands on one, and not two things that take its HTTP."""
    asked = [key for key in ("proxy", "portal") if getattr(vantage, key)]
    for key in asked:
        if vantage.nat is None:
            expected = f"nothing without `nat`: {key} stands on the vantage's gateway"
            yield Problem(("vantages", name, key), None, expected, "add `nat: cone`")
    if len(asked) == 2:
        expected = "either a proxy or a portal"
        yield Problem(("vantages", name, "portal"), None, expected, "both take its HTTP")
    if asked and vantage.gateway is not None:
        expected = (
            f"nothing beside `gateway`: {' and '.join(asked)} would stand on one that is shared"
        )
        yield Problem(("vantages", name, asked[0]), None, expected, "leave `gateway` out")


def gateways(vantages: Mapping[str, Vantage], taken: Collection[str]) -> Iterator[Problem]:
    """Expect kinds of gateways that there are, and sharers of one kind at one place."""
    for name, vantage in vantages.items():
        if vantage.nat is not None:
            yield from choice(("vantages", name, "nat"), vantage.nat, gateway.KINDS)
    for shared, sharers in gateway.shared(vantages).items():
        first = vantages[sharers[0]]
        for name in sharers:
            path, vantage = ("vantages", name, "gateway"), vantages[name]
            if len(shared) > NAME_LIMIT or not NAME.fullmatch(shared):
                expected = f"at most {NAME_LIMIT} of a-z, 0-9 and -, beginning with a letter"
                yield Problem(path, shared, expected, "it names network interfaces too")
            if shared in taken:
                yield Problem(path, shared, "a name that is free", "it is that of another node")
            if vantage.nat != "symmetric":
                hint = "of two clients that use one port, a cone could keep it for one"
                yield Problem(path, shared, "nat: symmetric beside it", hint)
            if replace(vantage, nat=first.nat) != first:
                yield Problem(
                    path, shared, f"a gateway where {name} is", f"{sharers[0]} is elsewhere"
                )


def addresses(places: Mapping[str, Place], taken: Mapping[str, str]) -> Iterator[Problem]:
    """Expect public addresses, each held by one host alone; `taken` says who has which already."""
    holders = {ip_address(address): holder for address, holder in taken.items()}
    for name, place in places.items():
        for index, text in enumerate(place.addresses):
            path = ("places", name, "addresses", index)
            try:
                address = ip_address(text)
            except ValueError:
                yield Problem(path, text, "an IPv4 or IPv6 address", "without a prefix length")
                continue
            if not address.is_global or address.is_multicast:
                hint = "tools refuse bogons and documentation networks"
                yield Problem(path, text, "a public unicast address", hint)
            if address in holders:
                yield Problem(path, text, "an address that is free", f"{holders[address]} holds it")
            holders[address] = name


def plain(
    vantages: Mapping[str, Vantage],
    places: Mapping[str, Place],
    names_taken: Collection[str],
    addresses_taken: Mapping[str, str],
) -> Iterator[Problem]:
    """Check who stands in a topology that has neither cities nor carriers."""
    yield from names(vantages, places, names_taken)
    yield from addresses(places, addresses_taken)
    hint = "this topology has no cities and carriers: `use: national` has"
    for name, vantage in vantages.items():
        for key in ("city", "carrier", "access"):
            if (value := getattr(vantage, key)) is not None:
                yield Problem(("vantages", name, key), value, "nothing", hint)
    for name, place in places.items():
        if place.carrier is not None:
            yield Problem(("places", name, "carrier"), place.carrier, "nothing", hint)
