"""How logs are merged, what an idle box may not do, and what is written where nothing stood."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from filterbed import judge, rundir
from filterbed.order import Order, Spell, ToolRun
from scenarios.loader import load
from scenarios.model import Label

SCENARIO = load("dns/pool-2010")


def policy(state: str, n: int) -> dict[str, Any]:
    return {"event": "policy", "state": state, "n": n}


def test_logs_of_several_boxes_are_one_in_order_of_time(tmp_path: Path) -> None:
    made = rundir.create(tmp_path, "x", {})
    censors = tuple(replace(SCENARIO.censors[0], name=name) for name in ("a", "b"))
    lines = {
        "a": [{"t": 0.0, "event": "started", "epoch_ns": 10 * 10**9}, {"t": 5.0, "box": "a"}],
        "b": [{"t": 0.0, "event": "started", "epoch_ns": 12 * 10**9}, {"t": 1.0, "box": "b"}],
    }
    for name, events in lines.items():
        text = "".join(json.dumps(event) + "\n" for event in events)
        (made.path / f".{name}.events.jsonl").write_text(text + '{"t": 9')  # it was killed
    found = judge._events(replace(SCENARIO, censors=censors), made)
    assert [event.get("box") for event in found] == [None, None, "b", "a"]


def test_a_box_acts_only_while_it_is_active() -> None:
    events = [
        {"event": "injected", "n": 3, "rule": "r"},
        policy("active", 5),
        {"event": "injected", "n": 6, "rule": "r"},
        {"event": "dropped", "n": 9, "rule": "r"},
        policy("idle", 9),
        {"event": "dropped", "n": 10, "rule": "r"},
        {"event": "matched", "n": 11, "rule": "r"},
    ]
    first, second = judge._idle_acts("gfw", events)
    assert "packet 3, but injected" in first
    assert "packet 10, but dropped" in second
    assert judge._idle_acts("gfw", [policy("active", 0), events[0]]) == []


def test_rows_are_what_was_said_against_what_was_true(tmp_path: Path) -> None:
    order = Order(
        mode="run", scenario=SCENARIO, directory=str(tmp_path), policies={},
        vantages=("client",), targets=("debian", "dead"),
    )  # fmt: skip
    said = b'{"target": "debian", "verdict": "ok"}\n'
    tool = ToolRun("t", "client", 1.0, 3.0, ((2.0, said),), False, "exit status 1", 1)
    truths = {("t", 0): {("client", "debian"): Label("ok"), ("client", "dead"): Label("down")}}
    rows, documents = judge._rows(order, [tool], truths)
    assert [(r.target, r.observed.verdict, r.correct) for r in rows] == [
        ("debian", "ok", True),
        ("dead", "unknown", False),
    ]
    (reason,) = [d["reason"] for d in documents if d["reason"]]
    assert "exit status 1" in reason


def test_rounds_are_counted_on_from_phase_to_phase(tmp_path: Path) -> None:
    order = Order(
        mode="run", scenario=SCENARIO, directory=str(tmp_path), policies={},
        vantages=("a", "b"), targets=("debian",),
    )  # fmt: skip

    def tool(vantage: str, phase: int, *rounds: int) -> ToolRun:
        said = b"".join(b'{"target": "debian", "verdict": "ok", "round": %d}\n' % n for n in rounds)
        return ToolRun("t", vantage, 1.0, 3.0, ((2.0, said),), False, None, 0, phase)

    tools = [tool("a", 0, 1, 2), tool("b", 0, 1), tool("a", 1, 1), tool("b", 1, 1, 2, 3)]
    day, night = Label("ok"), Label("down")
    truths = {
        ("t", phase): {(vantage, "debian"): label for vantage in ("a", "b")}
        for phase, label in enumerate((day, night))
    }
    rows, _ = judge._rows(order, tools, truths)
    assert [(row.vantage, row.round, row.expected) for row in rows] == [
        ("a", 1, day), ("a", 2, day), ("b", 1, day),
        ("a", 3, night), ("b", 3, night), ("b", 4, night), ("b", 5, night),
    ]  # fmt: skip


def test_each_phase_has_its_packets() -> None:
    both, one = frozenset({"x", "y"}), frozenset({"x"})
    spells = [
        Spell("p", 0, 0.0, both, {"x": 10, "y": 100}),
        Spell("p", 1, 5.0, one, {"x": 20, "y": 120}),
        Spell("p", 2, 9.0, both, {"x": 30, "y": 131}),
        Spell("q", 0, 0.0, both, {"x": 41, "y": 140}),
    ]
    x, y = [(9, 40), (40, 50)], [(99, 119), (130, 139), (139, 150)]
    assert [judge._extent("x", spells, n, x) for n in range(4)] == [
        (9, 20), (20, 30), (30, 40), (40, 50),
    ]  # fmt: skip
    assert [judge._extent("y", spells, n, y) for n in range(4)] == [
        (99, 119), None, (130, 139), (139, 150),
    ]  # fmt: skip


def test_a_probe_of_whom_nothing_passed_has_no_packets() -> None:
    both = frozenset({"x"})
    spells = [Spell("p", 0, 0.0, both, {"x": 5}), Spell("q", 0, 0.0, both, {"x": 5})]
    active = [(5, 5), (5, 20)]
    first, second = (judge._extent("x", spells, number, active) for number in (0, 1))
    assert first is not None
    assert first[0] == first[1]
    assert second == (5, 20)


def test_a_box_that_never_said_it_was_active_has_no_packets() -> None:
    spells = [Spell("p", 0, 0.0, frozenset({"x"}), {"x": 5})]
    assert judge._extent("x", spells, 0, []) == (5, 5)
