"""Make links of a plan worse, as a scenario's `links:` says: which link, which direction, how.

A link is impaired at one of its ends, which can be neither a vantage (a tool owns it) nor a box
(its packets are witnesses: what one wire shows and the other lacks must be the censor's doing).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from topologies import check
from topologies.errors import PlanError, Problem
from topologies.plan import MTU, Link, Plan, Way

#: IPv6 does not run over less (RFC 8200 section 5), and no link here takes more than Ethernet.
MTUS = (1280, MTU)


@dataclass(frozen=True, slots=True)
class Impairment:
    """What is said of the link between two nodes, or, with `one_way`, of its way from one to two.

    `delay` takes the place of what the topology has; None leaves it. `mtu` and `silent` are the
    link's, for both directions.
    """

    one: str
    two: str
    one_way: bool = False
    way: Way = field(default_factory=Way)
    delay: float | None = None
    mtu: int | None = None
    silent: bool = False


def impair(plan: Plan, asked: Sequence[Impairment]) -> Plan:
    """Return the plan with its links as asked, one after the other.

    Raises: PlanError with every problem; paths are ("links", number, ...).
    """
    problems: list[Problem] = []
    links = list(plan.links)
    told: dict[tuple[int, int], int] = {}
    for number, one in enumerate(asked):
        wrong = [*_problems(plan, one, number)]
        problems += wrong
        if wrong:
            continue
        place, forth = _find(links, one)
        for way in (0 if forth else 1,) if one.one_way else (0, 1):
            if (before := told.setdefault((place, way), number)) != number:
                expected = "each direction of a link once"
                hint = f"links[{before}] says what it does"
                problems.append(
                    Problem(("links", number), f"{one.one} - {one.two}", expected, hint)
                )
        links[place] = _impaired(links[place], one, forth)
    if problems:
        raise PlanError(tuple(problems))
    return replace(plan, links=tuple(links))


def holder(plan: Plan, link: Link) -> int | None:
    """Return which end a link can be held at: 0 or 1; None where neither can."""
    for place, end in enumerate(link.ends):
        if plan.node(end.node).role not in ("vantage", "box"):
            return place
    return None


def _find(links: Sequence[Link], asked: Impairment) -> tuple[int, bool]:
    """Return a link's number, and whether it is asked about from its first end to its second."""
    for number, link in enumerate(links):
        ends = [end.node for end in link.ends]
        if {asked.one, asked.two} == {*ends}:
            return number, ends[0] == asked.one
    raise KeyError(f"{asked.one} - {asked.two}")


def _problems(plan: Plan, asked: Impairment, number: int) -> Iterator[Problem]:
    names = [node.name for node in plan.nodes]
    keys = ("from", "to") if asked.one_way else (("between", 0), ("between", 1))
    paths = [(key,) if isinstance(key, str) else key for key in keys]
    unknown = False
    for path, name in zip(paths, (asked.one, asked.two), strict=True):
        if name not in names:
            unknown = True
            hint = check.nearest(name, names)
            yield Problem(("links", number, *path), name, "a host that `show` lists", hint)
    if unknown:
        return
    near = sorted({e.node for li in plan.links for e in li.ends
                   if asked.one in {x.node for x in li.ends}} - {asked.one})  # fmt: skip
    if asked.two not in near:
        expected = f"a neighbour of {asked.one}: {', '.join(near)}"
        yield Problem(("links", number, *paths[1]), asked.two, expected)
        return
    link = plan.links[_find(plan.links, asked)[0]]
    roles = {plan.node(end.node).role for end in link.ends}
    acts = asked.delay is not None or not asked.way.plain
    if acts and holder(plan, link) is None:
        expected = "a link with an end that is neither a vantage nor a box"
        yield Problem(("links", number), f"{asked.one} - {asked.two}", expected,
                      "impair the next link on the way")  # fmt: skip
    if asked.mtu is not None and "box" in roles:
        expected = "a link that ends at no box, which would refuse packets before its censor"
        yield Problem(("links", number, "mtu"), asked.mtu, expected, "take a link beside it")


def _impaired(link: Link, asked: Impairment, forth: bool) -> Link:
    ways, delays = list(link.ways), list(link.delays)
    for place in (0 if forth else 1,) if asked.one_way else (0, 1):
        ways[place] = asked.way
        delays[place] = delays[place] if asked.delay is None else asked.delay
    return replace(
        link,
        delay=delays[0],
        back=None if delays[0] == delays[1] else delays[1],
        ways=(ways[0], ways[1]),
        mtu=link.mtu if asked.mtu is None else asked.mtu,
        silent=link.silent or asked.silent,
    )
