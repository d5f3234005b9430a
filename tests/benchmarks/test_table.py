"""The table: medians, ratios, what fell short, and the JSON other programs read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import table
from benchmarks.table import Row

FAST = Row("fast", (9.0, 10.0, 30.0), "Gbit/s", "fast", (9.0, 10.0, 30.0))
SLOW = Row("slow", (4.0, 5.0, 6.0), "Gbit/s", "fast", (9.0, 10.0, 30.0), 0.8, 7)
LATE = Row("up", (2.0,), "s", "aim: 1 s", (1.0,), 1.0)


def test_value_is_the_median_and_ratio_is_to_the_base() -> None:
    assert (FAST.value, FAST.ratio) == (10.0, 1.0)
    assert (SLOW.value, LATE.ratio) == (5.0, 2.0)


def test_ratio_is_the_median_of_the_rounds_own() -> None:
    assert SLOW.ratio == 4.0 / 9.0  # of 4/9, 5/10 and 6/30
    assert SLOW.ratio != SLOW.value / FAST.value


@pytest.mark.parametrize(
    ("row", "short"),
    [
        (FAST, False),
        (SLOW, True),
        (LATE, True),
        (Row("up", (0.5,), "s", "aim", (1.0,), 1.0), False),
        (Row("rate", (0.5,), "packets/s", "aim", (1.0,), 0.4), False),
        (Row("late", (0.6,), "ms", "aim", (0.5,), 1.0), True),
        (Row("weight", (90.0,), "MB", "aim", (100.0,), 1.0), False),
    ],
)
def test_a_rate_falls_short_below_its_aim_and_a_time_above(row: Row, short: bool) -> None:
    assert row.fell_short == short


def test_text_shows_what_is_unflattering() -> None:
    shown = table.text([FAST, SLOW, LATE], table.machine())
    assert "0.80 missed" in shown
    assert shown.splitlines()[3].endswith("7")
    assert "Linux" in shown


def test_json_has_the_machine_and_the_five_keys(tmp_path: Path) -> None:
    table.write(tmp_path / "latest.json", [FAST, SLOW], table.machine())
    read = json.loads((tmp_path / "latest.json").read_text())
    assert read["machine"]["cores"] >= 1
    assert [row["name"] for row in read["results"]] == ["fast", "slow"]
    assert {"name", "value", "unit", "against", "ratio"} <= set(read["results"][0])
    assert read["results"][1]["packets_lost"] == 7


def test_text_says_when_the_machine_was_busy() -> None:
    quiet = {**table.machine(), "load": 0.1, "cores": 2}
    assert "busy" not in table.text([FAST], quiet)
    assert "busy" in table.text([FAST], {**quiet, "load": 1.5})
