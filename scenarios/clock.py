"""Resolve what a scenario says about time against the rate at which its clock runs."""

from __future__ import annotations

from typing import Any

from censor.policy import scaled
from scenarios.model import Scenario


def resolved(scenario: Scenario, clock_rate: float) -> dict[str, dict[str, Any]]:
    """Return the policy of each censor, durations in seconds, those of memory divided.

    Latency and everything a tool's own time-outs meet stay real (contract, section 1).
    """
    return {censor.name: scaled(censor.policy, clock_rate) for censor in scenario.censors}
