"""Name the topologies a scenario can use, and build the plan it asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from topologies import check, detour, fork, hops, line, national, series
from topologies.errors import PlanError, Problem
from topologies.place import Place, Vantage
from topologies.plan import Plan

Builder = Callable[[Mapping[str, Any], Mapping[str, Vantage], Mapping[str, Place]], Plan]

#: Another topology is one file and one line here.
TOPOLOGIES: Mapping[str, Builder] = {
    "line": line.plan,
    "hops": hops.plan,
    "fork": fork.plan,
    "detour": detour.plan,
    "series": series.plan,
    "national": national.plan,
}


def build(
    options: Mapping[str, Any],
    vantages: Mapping[str, Vantage],
    places: Mapping[str, Place],
) -> Plan:
    """Build the plan that a scenario's `topology:` asks for.

    Args:
        options: that mapping, its delay in seconds. `use` names the topology; what else it takes
            is said by the topology's own `plan`.
        vantages: host name -> where the client stands.
        places: host name -> where a server host stands and which service addresses it holds.
            Where it is empty there is one, `servers`, abroad.
    Returns: the plan. Other nodes beside vantages, places, routers and boxes: `resolver` (recursor
        abroad), `root`, `tld` and `auth` (authoritative DNS, step by step), `control`.
    Raises: PlanError, whose `problems` list everything wrong at once; their paths begin with
        `topology`, `vantages` or `places`.
    """
    use = str(options.get("use"))
    if use not in TOPOLOGIES:
        path = ("topology", "use")
        raise PlanError(
            (Problem(path, use, f"one of {', '.join(TOPOLOGIES)}", check.nearest(use, TOPOLOGIES)),)
        )
    return TOPOLOGIES[use](options, vantages, places)
