"""The header in which one end tells the other what it sent and heard."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterbed.probe.account import PERIOD, Account, tell, understand
from filterbed.probe.rtp import Reception

HEARD = Reception(received=245, lost=5, late=2, duplicates=1, out_of_order=3, jitter=0.0123,
                  longest_gap=0.06, head=17, burst=1.2, spacing=0.5,
                  transit=1.7e9 + 0.25)  # fmt: skip


def test_what_is_told_is_understood() -> None:
    value = tell(250, HEARD, payload=160, delay=0.0204, ended_by="them")
    assert value.startswith("PS=250;OS=40000;PR=245;OR=39200;PL=5;JI=12.300;LA=20.400;")
    assert understand(value) == Account(
        sent=250, received=245, lost=5, jitter=0.0123, delay=0.0204, late=2, duplicates=1,
        out_of_order=3, longest_gap=0.06, head=17, burst=1.2, spacing=0.5, ended_by="them",
        transit=round((1.7e9 + 0.25) % PERIOD, 6),
    )  # fmt: skip


def test_what_is_not_known_is_not_told() -> None:
    found = understand(tell(0, Reception(), payload=160, delay=None, ended_by=None))
    assert found is not None
    assert (found.sent, found.received, found.delay, found.ended_by) == (0, 0, None, None)
    assert found.spacing is None
    assert "delay" not in found.json()


def test_the_makers_own_example() -> None:
    """AudioCodes' manual prints this one, with its doubled semicolon."""
    found = understand("PS=207;OS=49680;;PR=314;OR=50240;PL=0;JI=600;LA=40;")
    assert found == Account(sent=207, received=314, lost=0, jitter=0.6, delay=0.04)


@pytest.mark.parametrize("value", ["", "nonsense", "JI=3;LA=4", "PS=-1;PR=x", "PS=99999999999"])
def test_what_tells_no_count(value: str) -> None:
    assert understand(value) is None


@given(st.text())
def test_any_text_is_survived(value: str) -> None:
    understand(value)
