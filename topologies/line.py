"""Plan `line`: clients, one box, and everything else behind it.

    vantage --- censor === core --- servers, resolver, DNS, control, vantages abroad

Every client's packets to any server, and its queries to the resolver, cross the box; the control
and vantages abroad reach the same servers without it. The delay lies between box and core.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from topologies import check, side
from topologies.address import LINE_BACKBONE, TRANSIT
from topologies.draft import Draft
from topologies.errors import PlanError
from topologies.place import Place, Vantage
from topologies.plan import Box, Plan

OPTIONS = ("delay",)
#: Nodes that every `line` has.
FIXED = ("censor", "core", *side.OUTSIDE)


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
    problems = (
        *check.keys(options, OPTIONS),
        *check.delay(options),
        *check.plain(vantages, places, FIXED, side.TAKEN),
    )
    if problems:
        raise PlanError(problems)
    return _draw(
        float(options.get("delay", 0.0)), vantages, places or {side.DEFAULT_PLACE: Place()}
    )


def _draw(delay: float, vantages: Mapping[str, Vantage], places: Mapping[str, Place]) -> Plan:
    draft = Draft("line", side.reserved(places))
    draft.node("censor", "box", asn=LINE_BACKBONE.asn)
    draft.node("core", "router", asn=TRANSIT.asn)
    behind, _ = draft.link("censor", "core", LINE_BACKBONE, delay)
    facing = side.inside(draft, "censor", vantages, places)
    side.outside(draft, "core", vantages, places)
    return draft.plan(root="core", boxes=(Box("censor", facing, (behind,)),))
