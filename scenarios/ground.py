"""Turn vantages and services into a plan, the services that stand on it, and a DNS zone."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from scenarios import link, schema
from scenarios.error import Path, Problem, either, nearest, show
from scenarios.places import Places
from topologies import catalogue, place, prefix
from topologies.address import COUNTRIES
from topologies.errors import PlanError
from topologies.errors import Problem as PlanProblem
from topologies.plan import Plan
from topologies.plan import Portal as PlanPortal
from topologies.service import Echo, Geo, Lists, Resolver, Service, Sip, Skype, Store, Turn, Web

#: Where the addresses of services come from that state none: a hosting company's (Hetzner).
HOSTING = ipaddress.ip_network("88.198.0.0/16")
#: Where services abroad stand, and those on the censored side of a line.
ABROAD, INSIDE = "servers", "inside"


@dataclass(frozen=True, slots=True)
class Ground:
    """What stands: the network, the services on it, and what names resolve to."""

    plan: Plan
    services: tuple[Service, ...]
    zone: Mapping[str, tuple[str, ...]]

    def prefixes(self, word: str) -> tuple[str, ...]:
        """Return what a word means in addresses: a service's, or what the topology knows.

        Raises: PlanError for a word that means nothing.
        """
        for service in self.services:
            if service.id == word:
                return service.addresses
        return prefix.prefixes(self.plan, word)

    def words(self) -> tuple[str, ...]:
        """List the words that mean addresses here."""
        return (*(s.id for s in self.services), *prefix.words(self.plan))


def lay(document: schema.Document, places: Places) -> tuple[Ground | None, list[Problem]]:
    """Lay the ground; None where the plan itself cannot be drawn."""
    addresses = _addresses(document)
    problems = [*_collisions(document, addresses, places)]
    hosts = {name: _host(document, entry) for name, entry in document.services.items()}
    plan, wrong = _plan(document, _hosts(document, hosts, addresses))
    problems += [_placed(p, hosts, addresses, places) for p in wrong]
    if plan is None:
        return None, problems
    if not wrong:  # else a host may be gone that a link is said to join
        plan, mistaken = link.impaired(plan, document.links, places)
        problems += mistaken
    bare = Ground(plan, (), {})
    services = [
        _service(name, entry, hosts[name], addresses[name], bare, problems, places)
        for name, entry in document.services.items()
    ]
    zone = {name: service.addresses for service in services for name in service.names}
    return Ground(plan, tuple(services), zone), problems


def _plan(
    document: schema.Document, hosts: dict[str, place.Place]
) -> tuple[Plan | None, tuple[PlanProblem, ...]]:
    """Build the plan; where it cannot be, leave out what is wrong so that the rest is checked."""
    options, vantages = document.topology.model_dump(), _vantages(document)
    try:
        return catalogue.build(options, vantages, hosts), ()
    except PlanError as error:
        problems = error.problems
    sections: dict[str | int, dict[str, Any]]
    sections = {"topology": options, "vantages": vantages, "places": hosts}
    for problem in problems:
        sections[problem.path[0]].pop(str(problem.path[1]), None)
    if not vantages:
        vantages["nobody"] = place.Vantage(abroad=True)
    try:
        return catalogue.build(options, vantages, hosts), problems
    except PlanError:
        return None, problems


def _vantages(document: schema.Document) -> dict[str, place.Vantage]:
    return {
        name: place.Vantage(
            vantage.city,
            vantage.carrier,
            vantage.abroad,
            vantage.access,
            vantage.nat,
            vantage.proxy,
            _portal(vantage.portal),
            vantage.gateway,
        )
        for name, vantage in document.vantages.items()
    }


def _portal(portal: schema.Portal | None) -> PlanPortal | None:
    if portal is None:
        return None
    return PlanPortal(portal.status, portal.dns == "answers", portal.voucher)


def _host(document: schema.Document, entry: schema.Service) -> str:
    """Name the host a service stands on: one for each carrier, one inside, one abroad."""
    if entry.carrier is None:
        return INSIDE if entry.inside else ABROAD
    country = COUNTRIES.get(getattr(document.topology, "country", ""))
    carrier = country.carriers.get(entry.carrier) if country else None
    return f"srv-{carrier.code}" if carrier else entry.carrier


def _hosts(
    document: schema.Document, hosts: Mapping[str, str], addresses: Mapping[str, tuple[str, ...]]
) -> dict[str, place.Place]:
    held: dict[str, place.Place] = {}
    for name, entry in document.services.items():
        before = held[hosts[name]].addresses if hosts[name] in held else ()
        together = tuple(dict.fromkeys((*before, *addresses[name])))
        held[hosts[name]] = place.Place(together, entry.carrier, entry.inside)
    return held


def _addresses(document: schema.Document) -> dict[str, tuple[str, ...]]:
    """Deal addresses to the services that state none, passing over those that others state."""
    taken = {a for entry in document.services.values() for a in entry.addresses}
    free = (str(a) for a in HOSTING.hosts() if str(a) not in taken)
    return {
        name: tuple(entry.addresses) or tuple(next(free) for _ in range(_wanted(entry)))
        for name, entry in document.services.items()
    }


def _wanted(entry: schema.Service) -> int:
    """Say how many addresses a service is dealt: two tell a client how its translator maps."""
    return 2 if isinstance(entry, schema.Turn) else 1


def _collisions(
    document: schema.Document, addresses: Mapping[str, tuple[str, ...]], places: Places
) -> Iterator[Problem]:
    """Refuse a name served twice, and two services that cannot share an address."""
    names: dict[str, str] = {}
    holders: dict[str, str] = {}
    for name, entry in document.services.items():
        for index, served in enumerate(entry.names):
            other = names.setdefault(served, name)
            if other != name and set(addresses[other]) != set(addresses[name]):
                at: Path = ("services", name, "names", index)
                expected = f"a name of its own, or the addresses of {other}, which serves it too"
                yield places.problem(at, expected, found=show(served))
        for index, address in enumerate(entry.addresses):
            other = holders.setdefault(address, name)
            why = other != name and _apart(document.services[other], entry)
            if why:
                at = ("services", name, "addresses", index)
                expected = f"an address that {other} does not hold ({why})"
                yield places.problem(at, expected, found=show(address))


def _apart(one: schema.Service, other: schema.Service) -> str:
    """Say why two services cannot share an address; empty where they can."""
    if (one.carrier, one.inside) != (other.carrier, other.inside):
        return "they stand in different places"
    if one.kind == other.kind and one.kind != "web":
        return f"one {one.kind.upper()} service an address"
    if "skype" in (one.kind, other.kind):
        return "Skype's servers listen on port 80, too"
    if "resolver" in (one.kind, other.kind):
        return "a resolver listens on port 443, too"
    closed = {entry.manner for entry in (one, other)} & {"refused", "silent"}
    if one.kind == other.kind and closed and one.manner != other.manner:
        return "a port is open for both or for neither"
    if isinstance(one, schema.Web) and isinstance(other, schema.Web) and one.http3 != other.http3:
        return "one server holds port 443 there: both speak HTTP/3, or neither"
    return ""


def _placed(
    problem: PlanProblem,
    hosts: Mapping[str, str],
    addresses: Mapping[str, tuple[str, ...]],
    at: Places,
) -> Problem:
    """Put a topology's problem where the scenario's author wrote what caused it."""
    path, value, expected, hint = problem.path, problem.value, problem.expected, problem.hint
    key = path[0] == "vantages" and len(path) == 2
    if path[0] == "places":
        path = _blamed(path, value, hosts, addresses)
    if hint.startswith("did you mean "):
        hint = hint.removeprefix("did you mean ").rstrip("?")
    elif hint:
        expected, hint = f"{expected} ({hint})", ""
    found = "" if value is None else show(value)
    return at.problem(path, expected, found=found, hint=hint, key=key)


def _blamed(
    path: Path, value: object, hosts: Mapping[str, str], addresses: Mapping[str, tuple[str, ...]]
) -> Path:
    """Find the service to blame for what is wrong with the host it stands on."""
    here = [name for name, host in hosts.items() if host == path[1]]
    if "addresses" in path:
        owner = next((n for n in here if value in addresses[n]), here[0])
        return ("services", owner, "addresses", addresses[owner].index(str(value)))
    return ("services", here[0], *path[2:])


def _service(
    name: str,
    entry: schema.Service,
    host: str,
    addresses: tuple[str, ...],
    ground: Ground,
    problems: list[Problem],
    places: Places,
) -> Service:
    names = tuple(entry.names)
    if isinstance(entry, schema.Turn):
        return Turn(name, host, names, addresses, tuple(entry.users.items()), entry.manner)
    if isinstance(entry, schema.Echo):
        return Echo(name, host, names, addresses, entry.port, entry.manner)
    if isinstance(entry, schema.Resolver):
        return Resolver(name, host, names, addresses, entry.manner)
    if isinstance(entry, schema.Skype):
        return Skype(name, host, names, addresses, entry.part, entry.manner)
    if isinstance(entry, schema.Sip):
        users = tuple(entry.users.items())
        for index, user in enumerate(entry.unpaid):
            if user not in entry.users:
                expected, hint = f"a user: {either(entry.users)}", nearest(user, entry.users)
                where: Path = ("services", name, "unpaid", index)
                problems.append(places.problem(where, expected, found=show(user), hint=hint))
        problems.extend(_doubles(name, entry, places))
        all_ = {**entry.callees, **entry.numbers}
        odd = tuple((who, how) for who, how in all_.items() if how != "answers")
        return Sip(
            name, host, names, addresses, users, tuple(entry.callees), entry.manner,
            conducts=odd, unpaid=tuple(entry.unpaid), numbers=tuple(entry.numbers),
        )  # fmt: skip
    geo = []
    for index, rule in enumerate(entry.geo):
        at: Path = ("services", name, "geo", index)
        prefixes = expand(ground, list(rule.from_), (*at, "from"), problems, places)
        geo.append(Geo(tuple(prefixes), rule.status, rule.location))
        if (rule.location is None) is (300 <= rule.status < 400):
            expected = "a location with a status from 300 to 399, and none with others"
            problems.append(places.problem((*at, "status"), expected, found=show(rule.status)))
    store = None
    if entry.store:
        inside = ("services", name, "store", "absent")
        words = list(entry.store.absent)
        store = Store(entry.store.app, tuple(expand(ground, words, inside, problems, places)))
    if entry.signature == "expired" and not any(node.validates for node in ground.plan.nodes):
        at = ("services", name, "signature")
        expected = "valid, or a topology with `dnssec`: here nothing is signed"
        problems.append(places.problem(at, expected, found=show(entry.signature)))
    lists = None
    if entry.lists:
        lists = Lists(tuple(entry.lists.kept_back), tuple(entry.lists.watched))
    special = entry.store or entry.lists or entry.manner not in ("answers", "refused", "silent")
    if entry.http3 and special:
        where = ("services", name, "http3")
        expected = "no http3 with store or lists, nor a manner but answers, refused and silent"
        problems.append(places.problem(where, expected, found="true"))
    title = entry.title or names[0]
    return Web(
        name, host, names, addresses, entry.manner, entry.status, entry.location,
        entry.certificate, title, tuple(geo), store, lists, entry.signature, entry.http3,
    )  # fmt: skip


def _doubles(name: str, entry: schema.Sip, places: Places) -> Iterator[Problem]:
    """Refuse callees whom their provider would take for somebody else."""
    numbers = {number.lstrip("+") for number in entry.numbers}
    for index, who in enumerate(entry.callees):
        other = "user" if who in entry.users else "number" if who.lstrip("+") in numbers else ""
        if other:
            at: Path = ("services", name, "callees", index)
            at = at if places.has(at) else ("services", name, "callees", who)
            yield places.problem(at, f"a name that no {other} has", found=show(who))


def expand(
    ground: Ground, words: list[str], path: Path, problems: list[Problem], places: Places
) -> list[str]:
    """Write addresses, prefixes and words for places out as prefixes, each once."""
    found: list[str] = []
    for index, word in enumerate(words):
        try:
            found.append(str(ipaddress.ip_network(word)))
        except ValueError:
            try:
                found.extend(ground.prefixes(str(word)))
            except PlanError:
                expected = "an address, a prefix, or a word for a place or service"
                hint = nearest(word, ground.words())
                at = (*path, index) if places.has((*path, index)) else path
                problems.append(places.problem(at, expected, found=show(word), hint=hint))
    return list(dict.fromkeys(found))
