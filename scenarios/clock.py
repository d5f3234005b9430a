"""Resolve what a scenario says about time against the rate at which its clock runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from censor.policy.loader import scaled
from scenarios.model import Scenario, Target

#: A call is talked in for so long at least, whatever the clock, unless it was to be shorter:
#: fifty packets a way are what losses are told apart by. Seconds.
TALK: Final = 1.0


def resolved(scenario: Scenario, clock_rate: float) -> dict[str, dict[str, Any]]:
    """Return the policy of each censor, durations in seconds, those of memory divided.

    Latency and everything a tool's own time-outs meet stay real (contract, section 1).
    """
    return {censor.name: scaled(censor.policy, clock_rate) for censor in scenario.censors}


def paced(scenario: Scenario, clock_rate: float) -> Scenario:
    """Return the scenario with its calls' talk divided, but not below TALK seconds."""
    if clock_rate == 1:
        return scenario
    return replace(scenario, targets=tuple(_paced(one, clock_rate) for one in scenario.targets))


def _paced(target: Target, clock_rate: float) -> Target:
    talk = target.fields.get("seconds")
    if target.kind != "call" or not isinstance(talk, int | float):
        return target
    shorter = max(min(TALK, talk), talk / clock_rate)
    return replace(target, fields={**target.fields, "seconds": min(60.0, shorter)})
