"""Plan `fork`: two equal paths, each flow on one of them, the box on one path only.

The drawing is `topologies.diamond`'s. `edge` and `core` spread flows over both ways by a hash of
addresses, protocol and ports (equal-cost multipath). The hash does not care about direction, so
both directions of a flow take the same way; another source port may take the other.
Limits:  the hash is the kernel's. Since Linux 6.11 its seed is stated and a flow takes the same
    way in every run; before, that holds until the machine starts anew. Fragments and ICMP echo
    have no ports and go by addresses alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from topologies import check, diamond, side
from topologies.errors import PlanError
from topologies.place import Place, Vantage
from topologies.plan import Plan

OPTIONS = ("delay",)


def plan(
    options: Mapping[str, Any],
    vantages: Mapping[str, Vantage],
    places: Mapping[str, Place],
) -> Plan:
    """Draw the fork.

    Args:
        options: `delay`, seconds one way on either path (0).
        vantages: none has a city or a carrier; those abroad hang on `core`.
        places: server hosts, on `core`, or on `edge` where they stand inside.
    Raises: PlanError with every problem.
    """
    problems = (
        *check.keys(options, OPTIONS),
        *check.delay(options),
        *check.plain(vantages, places, diamond.FIXED, side.TAKEN),
    )
    if problems:
        raise PlanError(problems)
    delay = float(options.get("delay", 0.0))
    places = places or {side.DEFAULT_PLACE: Place()}
    notes = ("each flow goes by censor or by bypass, by its addresses, protocol and ports",)
    return diamond.diamond("fork", delay, vantages, places, spread=("edge", "core"), notes=notes)
