"""A faster clock shortens memories, and nothing that a tool's own time-outs meet."""

from __future__ import annotations

import pytest

from scenarios import library
from scenarios.clock import TALK, paced, resolved
from scenarios.loader import load


def test_memories_are_divided_and_latency_is_not() -> None:
    scenario = load("tls/rst-sni-residual")
    ((_, plain),) = resolved(scenario, 1.0).items()
    ((_, fast),) = resolved(scenario, 30.0).items()
    assert plain["latency"] == fast["latency"]
    (before,) = [r["then"]["residual"] for r in plain["rules"] if "residual" in r["then"]]
    (after,) = [r["then"]["residual"] for r in fast["rules"] if "residual" in r["then"]]
    assert before["seconds"] == 90
    assert after["seconds"] == pytest.approx(3.0)


@pytest.mark.parametrize("name", library.names())
def test_every_box_has_a_policy_in_seconds(name: str) -> None:
    scenario = load(name)
    policies = resolved(scenario, 2.0)
    assert list(policies) == [censor.name for censor in scenario.censors]
    assert all(isinstance(p.get("latency", 0.0), int | float) for p in policies.values())


def test_calls_last_as_much_shorter_as_what_cuts_them_but_long_enough_to_count() -> None:
    scenario = load("voip/media-cut")

    def talk(rate: float) -> dict[str, float]:
        calls = (one for one in paced(scenario, rate).targets if one.kind == "call")
        return {one.name: one.fields["seconds"] for one in calls}

    assert paced(scenario, 1) is scenario
    assert talk(1)["call"] == 30
    assert (talk(10)["call"], talk(10)["short-call"]) == (3, TALK)
    assert talk(0.5)["call"] == 60
    ((rule,),) = [policy["rules"] for policy in resolved(scenario, 10).values()]
    assert rule["then"]["cut"]["seconds"] == pytest.approx(2)
