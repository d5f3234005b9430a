"""Durations, rates and shares with units, and what a bare number is told."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic_core import PydanticCustomError

from scenarios.quantity import DURATION, rate, seconds, share


@pytest.mark.parametrize(
    ("text", "value"),
    [("20 ms", 0.02), ("90 s", 90), ("20 min", 1200), ("1.5 h", 5400), ("3us", 3e-6), ("0 ms", 0)],
)
def test_units(text: str, value: float) -> None:
    assert seconds(text) == pytest.approx(value)


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (20, "'20 ms' or '20 s'"),
        (0.5, "'0.5 ms' or '0.5 s'"),
        ("20 m", "'20 min'"),
        ("5 secs", "'5 s'"),
        ("20", ""),
        ("-3 s", ""),
        ("1e3 ms", ""),
        ("20  ms", ""),
        (True, ""),
        (None, ""),
        (["20 ms"], ""),
    ],
)
def test_everything_else_is_told_the_units(value: Any, hint: str) -> None:
    with pytest.raises(PydanticCustomError) as caught:
        seconds(value)
    context = caught.value.context or {}
    assert all(unit in context["expected"] for unit in DURATION)
    assert context["hint"] == hint


@pytest.mark.parametrize(
    ("text", "value"), [("64 kbit/s", 64e3), ("1.5Mbit/s", 1.5e6), ("900 bit/s", 900)]
)
def test_rates(text: str, value: float) -> None:
    assert rate(text) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "value"), [("2 %", 0.02), ("0.5%", 0.005), ("100 %", 1), ("0 %", 0)]
)
def test_shares(text: str, value: float) -> None:
    assert share(text) == pytest.approx(value)


@pytest.mark.parametrize("value", [64, "64", "0 kbit/s", "64 kbps", "64 ms", None, True])
def test_what_is_no_rate(value: Any) -> None:
    with pytest.raises(PydanticCustomError):
        rate(value)


@pytest.mark.parametrize("value", [2, 0.02, "2", "101 %", "2 ms", None, True])
def test_what_is_no_share(value: Any) -> None:
    with pytest.raises(PydanticCustomError):
        share(value)
