"""What is weighed is there: flows that are not settled, and a policy that has everything read."""

from __future__ import annotations

from benchmarks.mix import BLOCKED, opening, policy
from benchmarks.weight import held
from censor.engine.engine import Engine
from censor.policy.loader import load
from censor.rule.rules import App


def test_every_dissector_is_asked() -> None:
    compiled = load(policy(["blocked.example"]))
    assert {rule.when.topic for rule in compiled.rules} == set(App)


def test_conversations_begun_are_flows_apart_and_too_many_of_them_are_events() -> None:
    engine = Engine(load(policy(["blocked.example"]) | {"limits": {"flows": 100}}))
    decisions = [engine.receive(one.packet, now=one.now, inside=one.inside) for one in opening(120)]
    events = [event.event for decision in decisions for event in decision.events]
    assert events == ["evicted"] * 20
    assert not any(decision.settled for decision in decisions)


def test_what_is_held_is_held() -> None:
    before = held()
    kept = bytes(30_000_000).replace(b"\0", b"\1")
    assert held() - before > 20_000_000
    assert len(kept) > BLOCKED
