"""Divide a scenario's time into phases: between two of its moments nothing of what is true changes.

A box whose first step is `enable` does not enforce at the start; every other box does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scenarios.model import Scenario, Truth


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of a scenario's time in which the same boxes enforce and the same truths hold.

    `begins`: seconds after the start, the clock's rate reckoned in. `enforcing`: names of boxes.
    """

    begins: float
    enforcing: frozenset[str]
    truths: Mapping[tuple[str, str], Truth]


def phases(scenario: Scenario, clock_rate: float = 1.0) -> tuple[Phase, ...]:
    """Return the phases of a scenario in order; one that is for always without a timeline."""
    moments = {0.0, *(step["at"] for step in scenario.timeline)}
    moments |= {moment for told in scenario.changes.values() for moment, _ in told}
    return tuple(
        Phase(moment / clock_rate, _enforcing(scenario, moment), _truths(scenario, moment))
        for moment in sorted(moments)
    )


def at_first(scenario: Scenario) -> frozenset[str]:
    """Return the names of the boxes that enforce before any step."""
    first: dict[str, bool] = {}
    for step in scenario.timeline:
        name = step.get("enable") or step["disable"]
        first.setdefault(name, "disable" in step)
    return frozenset(box.name for box in scenario.censors if first.get(box.name, True))


def _enforcing(scenario: Scenario, moment: float) -> frozenset[str]:
    enforcing = set(at_first(scenario))
    for step in scenario.timeline:
        if step["at"] <= moment:
            enforcing |= {step["enable"]} if "enable" in step else set()
            enforcing -= {step["disable"]} if "disable" in step else set()
    return frozenset(enforcing)


def _truths(scenario: Scenario, moment: float) -> Mapping[tuple[str, str], Truth]:
    if not scenario.changes:
        return scenario.truths
    found = dict(scenario.truths)
    for pair, told in scenario.changes.items():
        for begins, truth in told:
            if begins <= moment:
                found[pair] = truth
    return found
