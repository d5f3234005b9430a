"""Plan `detour`: what goes out and what comes back take different ways, and the box is on one.

The drawing is `topologies.diamond`'s. A box that sees `outbound` meets what clients send and never
an answer; one that sees `inbound` the other way round.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from topologies import check, diamond, side
from topologies.errors import PlanError
from topologies.place import Place, Vantage
from topologies.plan import Plan

OPTIONS = ("delay", "sees")
DIRECTIONS = ("outbound", "inbound")


def plan(
    options: Mapping[str, Any],
    vantages: Mapping[str, Vantage],
    places: Mapping[str, Place],
) -> Plan:
    """Draw the detour.

    Args:
        options: `sees`, which direction crosses the box: `outbound` (default) or `inbound`;
            `delay`, seconds one way on either path (0).
        vantages: none has a city or a carrier; those abroad hang on `core`.
        places: server hosts, on `core`, or on `edge` where they stand inside.
    Raises: PlanError with every problem.
    """
    sees = options.get("sees", DIRECTIONS[0])
    problems = (
        *check.keys(options, OPTIONS),
        *check.delay(options),
        *check.choice(("topology", "sees"), sees, DIRECTIONS),
        *check.plain(vantages, places, diamond.FIXED, side.TAKEN),
    )
    if problems:
        raise PlanError(problems)
    out, back = ("censor", "bypass") if sees == "outbound" else ("bypass", "censor")
    delay = float(options.get("delay", 0.0))
    places = places or {side.DEFAULT_PLACE: Place()}
    notes = (f"from edge to core by {out}, from core to edge by {back}",)
    return diamond.diamond("detour", delay, vantages, places, out=out, back=back, notes=notes)
