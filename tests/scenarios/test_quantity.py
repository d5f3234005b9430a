"""Durations with units, and what a bare number is told."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic_core import PydanticCustomError

from scenarios.quantity import DURATION, seconds


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
