"""Outcomes tell three things apart: not yet, never, and a message."""

from __future__ import annotations

import pytest

from censor.dissect.http import NotHttp
from censor.dissect.outcome import Foreign, Incomplete
from censor.dissect.sip import NotSip
from censor.dissect.tls import NotTls


def test_incomplete_asks_for_at_least_a_byte() -> None:
    assert Incomplete().need == 1
    assert Incomplete(7) == Incomplete(7) != Incomplete(8)


@pytest.mark.parametrize("kind", [NotHttp, NotSip, NotTls])
def test_every_foreign_outcome_says_why(kind: type[Foreign]) -> None:
    outcome = kind("because")
    assert isinstance(outcome, Foreign)
    assert outcome.reason == "because"
    assert not hasattr(outcome, "__dict__")
