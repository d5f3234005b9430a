"""Decisions: plain data that cannot change."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from censor.engine.decision import NOTHING, PASS, SETTLED, Verdict


def test_the_shared_answers_let_packets_through_and_do_nothing() -> None:
    assert (PASS.verdict, PASS.settled, PASS.injections, PASS.events) == (
        Verdict.ACCEPT, False, (), (),
    )  # fmt: skip
    assert SETTLED.verdict is Verdict.ACCEPT
    assert SETTLED.settled
    assert not (NOTHING.events)
    assert not (NOTHING.verdicts)
    assert not (NOTHING.injections)


def test_nobody_can_change_a_shared_answer() -> None:
    with pytest.raises(FrozenInstanceError):
        PASS.settled = True  # type: ignore[misc]
