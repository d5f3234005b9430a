"""Intervals: known values, and what must hold of every one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterbed.wilson import Rate


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [
        # Newcombe, Statistics in Medicine 17 (1998), table I: 81/263, 15/148, 0/20, 1/29.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_published_intervals(hits: int, n: int, low: float, high: float) -> None:
    assert Rate(hits, n).interval == pytest.approx((low, high), abs=5e-5)


def test_nothing_is_known_of_no_rows() -> None:
    assert Rate(0, 0).to_json() == {"value": None, "low": 0.0, "high": 1.0, "n": 0}


def test_all_hits_touch_one() -> None:
    assert Rate(20, 20).to_json() == {"value": 1.0, "low": 0.838875, "high": 1.0, "n": 20}


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_holds_the_value_and_mirrors(pair: tuple[int, int]) -> None:
    hits, n = pair
    rate = Rate(hits, n)
    low, high = rate.interval
    assert rate.value is not None
    assert 0 <= low <= rate.value <= high <= 1
    assert high - low < 1
    assert Rate(n - hits, n).interval == pytest.approx((1 - high, 1 - low))


@pytest.mark.parametrize(("hits", "n"), [(-1, 3), (4, 3), (0, -1)])
def test_what_is_no_proportion_is_refused(hits: int, n: int) -> None:
    with pytest.raises(ValueError, match=f"{hits} out of {n}"):
        Rate(hits, n)
