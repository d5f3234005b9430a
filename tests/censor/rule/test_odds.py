"""Chances: once a flow, pair or path, by the hour, the same whenever they are asked."""

from __future__ import annotations

from typing import Any

import pytest

from censor.policy.loader import load, scaled
from censor.policy.problem import problems
from censor.rule.odds import Clock


def policy(chance: Any, **more: Any) -> dict[str, Any]:
    rule = {
        "id": "r",
        "when": {"dns.name": {"suffix": ["blocked.example"]}},
        "then": {"inject": "dns-answer", "rcode": "refused"},
        "chance": chance,
    }
    return {"position": "on-path", "rules": [rule], **more}


def hits(talk: Any, query: Any, *ports: int) -> list[bool]:
    return [bool(talk.udp(query("blocked.example"), sport=port).injections) for port in ports]


@pytest.mark.parametrize("per", ["match", "flow", "pair", "ecmp"])
def test_as_often_as_it_says(Talk: Any, query: Any, per: str) -> None:
    talk = Talk(policy({"of": 0.37, "per": per}))
    found = 0
    for n in range(1000):
        talk.server = f"93.184.{n >> 8}.{n & 255}"
        found += hits(talk, query, 30000 + n)[0]
    assert 320 < found < 420


def test_decided_once_a_flow(Talk: Any, query: Any) -> None:
    talk = Talk(policy({"of": 0.5, "per": "flow"}))
    seen = [hits(talk, query, *[port] * 5) for port in range(30000, 30040)]
    assert {len(set(one)) for one in seen} == {1}
    assert {one[0] for one in seen} == {True, False}
    talk.now += 700  # forgotten: the same ports are another flow
    again = [hits(talk, query, port)[0] for port in range(30000, 30040)]
    assert again != [one[0] for one in seen]


def test_decided_once_a_pair(Talk: Any, query: Any) -> None:
    talk = Talk(policy({"of": 0.5, "per": "pair"}))
    outcomes = set()
    for n in range(40):
        talk.server = f"93.184.216.{n}"
        (outcome,) = set(hits(talk, query, 30000, 30001, 30002))
        outcomes.add(outcome)
    assert outcomes == {True, False}


def test_all_or_nothing_by_path(Talk: Any, query: Any) -> None:
    """Source: fact cn-dns-lb-all-or-nothing."""
    talk = Talk(policy({"of": 0.5, "per": "ecmp"}))
    first = hits(talk, query, *range(30000, 30040))
    assert set(first) == {True, False}
    assert hits(talk, query, *range(30000, 30040)) == first  # retries do not help
    talk.now += 100_000
    assert hits(talk, query, *range(30000, 30040)) == first
    talk.client = "24.48.0.10"  # the same last three bits
    assert hits(talk, query, *range(30000, 30040)) == first
    talk.client = "24.48.0.3"
    assert hits(talk, query, *range(30000, 30040)) != first


def test_the_seed_decides(Talk: Any, query: Any) -> None:
    runs = [
        hits(Talk(policy({"of": 0.5, "per": "ecmp"}), seed=seed), query, *range(30000, 30040))
        for seed in (0, 0, 1, -1)
    ]
    assert runs[0] == runs[1] != runs[2]
    assert runs[3] != runs[0]


def test_certain_is_certain(Talk: Any, query: Any) -> None:
    for per in ("match", "flow", "pair", "ecmp"):
        table = [0.0] * 23 + [1.0]  # it is midnight, and never at this hour
        talk = Talk(policy({"by_hour": table, "per": per}), certain=True)
        assert all(hits(talk, query, *range(30000, 30010)))


@pytest.mark.parametrize("per", ["match", "flow"])
def test_by_the_hour(Talk: Any, query: Any, per: str) -> None:
    """Source: fact cn-quic-sni: some hours are busy."""
    table = [1.0 if hour == 5 else 0.0 for hour in range(24)]
    talk = Talk(policy({"by_hour": table, "per": per}, clock={"start": "04:30"}))
    found = []
    for minute in (10, 29, 31, 89, 91, 24 * 60 + 31):
        talk.now = minute * 60.0
        found += hits(talk, query, 30000 + minute)
    assert found == [False, False, True, True, False, True]


def test_the_clock() -> None:
    clock = Clock(23.5, 60.0)
    assert [clock.at(now) for now in (0, 29, 30, 90, 24 * 60)] == [23, 23, 0, 1, 23]


def test_a_faster_clock_has_shorter_hours() -> None:
    hourly = {"by_hour": [0.5] * 24}
    fast = scaled(policy(hourly, clock={"start": "05:00", "hour": "1 h"}), 60)
    assert fast["clock"] == {"start": "05:00", "hour": 60.0}
    assert scaled(policy(hourly), 60)["clock"] == {"hour": 60.0}
    assert "clock" not in scaled(policy(hourly), 1)
    assert "clock" not in scaled(policy({"of": 0.5}), 60)  # nothing looks at it
    assert (
        load(scaled(policy(hourly), 60)).rules[0].odds
        == load(policy(hourly, clock={"hour": 60})).rules[0].odds
    )


@pytest.mark.parametrize(
    ("chance", "path", "expected"),
    [
        ({}, ("chance",), "either `of` or `by_hour`"),
        ({"of": 0.5, "by_hour": [1.0] * 24}, ("chance",), "either"),
        ({"by_hour": [1.0] * 23}, ("chance", "by_hour"), "24"),
        ({"of": 2}, ("chance", "of"), "less than or equal to 1"),
        ({"of": 0.5, "per": "packet"}, ("chance", "per"), "'match'"),
        ({"of": 0.5, "pre": "flow"}, ("chance", "pre"), "one of"),
        (2, ("chance",), "less than or equal to 1"),
    ],
)
def test_what_is_wrong_with_one(chance: Any, path: tuple[str, ...], expected: str) -> None:
    found = {problem.path: problem for problem in problems(policy(chance))}
    assert list(found) == [("rules", 0, *path)]
    assert expected in found[("rules", 0, *path)].expected
