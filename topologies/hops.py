"""Plan `hops`: a chain of routers, one of them the box, to be found by TTL.

    vantage --- r1 --- r2 --- censor === r4 --- r5 --- servers, resolver, DNS, control

Hop k is the k-th router on the way out, and answers a packet sent with TTL k (hop limit k) by
"time exceeded" from its own address. A box is a router, too: it drops what expires there before
its censor has seen it, so a censor at hop k acts on packets sent with TTL k + 1 and more, and
what is acted on was answered last by hop k itself. Servers hang on the last router.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from topologies import check, side
from topologies.address import LINE_BACKBONE, TRANSIT
from topologies.draft import Draft
from topologies.errors import PlanError
from topologies.place import Place, Vantage
from topologies.plan import Box, Plan

OPTIONS = ("delay", "hops", "censor")
DEFAULT_HOPS = 5
#: The least that has a router behind the box; the most that traceroute tries.
FEWEST, MOST = 2, 30


def plan(
    options: Mapping[str, Any],
    vantages: Mapping[str, Vantage],
    places: Mapping[str, Place],
) -> Plan:
    """Draw the chain.

    Args:
        options: `hops`, how many routers (5), the box included; `censor`, which of them is the
            box, from 1 to hops - 1 (the middle one); `delay`, seconds one way on the link behind
            the box (0).
        vantages: none has a city or a carrier; those abroad hang on the last router.
        places: server hosts, on the last router, or on the first where they stand inside.
    Raises: PlanError with every problem.
    """
    chain = check.number(options, "hops", FEWEST, MOST, DEFAULT_HOPS)
    hops = chain.value
    behind = f"there are {hops} hops, and servers hang on the last"
    censor = check.number(options, "censor", 1, hops - 1, (hops + 1) // 2, behind)
    problems = (
        *check.keys(options, OPTIONS),
        *check.delay(options),
        *chain.problems,
        *censor.problems,
        *check.plain(vantages, places, _taken(hops), side.TAKEN),
    )
    if problems:
        raise PlanError(problems)
    delay = float(options.get("delay", 0.0))
    return _draw(hops, censor.value, delay, vantages, places or {side.DEFAULT_PLACE: Place()})


def _taken(hops: int) -> tuple[str, ...]:
    return ("censor", *(f"r{hop}" for hop in range(1, hops + 1)), *side.OUTSIDE)


def _draw(
    hops: int,
    censor: int,
    delay: float,
    vantages: Mapping[str, Vantage],
    places: Mapping[str, Place],
) -> Plan:
    draft = Draft("hops", side.reserved(places))
    names = ["censor" if hop == censor else f"r{hop}" for hop in range(1, hops + 1)]
    for hop, name in enumerate(names, start=1):
        area = LINE_BACKBONE if hop <= censor else TRANSIT
        draft.node(name, "box" if hop == censor else "router", asn=area.asn)
    links: dict[str, tuple[str, str]] = {}
    for hop, (near, far) in enumerate(pairwise(names), start=1):
        area = LINE_BACKBONE if hop <= censor else TRANSIT
        links[near] = draft.link(near, far, area, delay if hop == censor else 0.0)
    facing = side.inside(draft, names[0], vantages, places)
    if censor > 1:
        facing = (links[names[censor - 2]][1],)
    side.outside(draft, names[-1], vantages, places)
    return draft.plan(root=names[-1], boxes=(Box("censor", facing, (links["censor"][0],)),))
