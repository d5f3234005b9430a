"""A scenario's time falls into phases; in each, who enforces and what is true stands still."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scenarios.loader import load
from scenarios.model import Label, Scenario, Truth
from scenarios.timeline import at_first, phases

ALWAYS = load("dns/pool-2010")
NIGHT = load("ip/curfew-myanmar-2021")
PAIR = ("client", "news")


def verdicts(scenario: Scenario, clock_rate: float = 1.0) -> list[tuple[float, bool, str]]:
    return [
        (phase.begins, "night" in phase.enforcing, phase.truths[PAIR].label.verdict)
        for phase in phases(scenario, clock_rate)
    ]


def test_without_a_timeline_there_is_one_phase_and_all_enforce() -> None:
    (phase,) = phases(ALWAYS)
    assert phase.begins == 0
    assert phase.enforcing == {censor.name for censor in ALWAYS.censors}
    assert phase.truths == ALWAYS.truths


def test_truths_and_boxes_change_at_their_moments() -> None:
    assert verdicts(NIGHT) == [(0.0, False, "ok"), (4.0, True, "blocked"), (9.0, False, "ok")]


def test_the_clocks_rate_divides_moments() -> None:
    assert [begins for begins, *_ in verdicts(NIGHT, 4)] == [0.0, 1.0, 2.25]


@pytest.mark.parametrize(
    ("steps", "enforces"),
    [
        ([], True),
        ([{"at": 5.0, "disable": "night"}], True),
        ([{"at": 5.0, "enable": "night"}], False),
        ([{"at": 0.0, "enable": "night"}], False),  # but in the first phase it does
    ],
)
def test_a_box_that_is_enabled_first_did_not_enforce_before(
    steps: list[dict[str, object]], enforces: bool
) -> None:
    scenario = replace(NIGHT, timeline=tuple(steps), changes={})
    assert ("night" in at_first(scenario)) is enforces
    first = phases(scenario)[0]
    assert ("night" in first.enforcing) is (enforces or steps[0]["at"] == 0)


def test_a_truth_may_change_where_no_box_does() -> None:
    later = Truth(Label("down"), Label("down"))
    scenario = replace(ALWAYS, changes={("client", "facebook"): ((30.0, later),)})
    first, second = phases(scenario)
    assert (second.begins, second.enforcing) == (30.0, first.enforcing)
    assert second.truths["client", "facebook"] is later
    assert second.truths["client", "debian"] == first.truths["client", "debian"]
