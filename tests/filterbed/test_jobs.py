"""Several runs at once: the options reach each, and what each says comes back in order."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from filterbed import jobs
from filterbed.request import Options
from filterbed.score import Row
from scenarios.loader import load
from scenarios.model import Label

SCENARIO = load("dns/pool-2010")


def test_every_option_that_matters_is_passed_on() -> None:
    options = Options(
        out=Path("x"), seed=7, clock_rate=30.0, timeout=5.0, vantages=("client",),
        targets=("facebook", "debian"), idle=True, keep=True, probes=("webcheck",), name="mine",
    )  # fmt: skip
    words = jobs._arguments(SCENARIO, options)
    assert words[:3] == ["run", SCENARIO.path, "--json"]
    joined = " ".join(words)
    for text in ("--out x", "--seed 7", "--clock-rate 30.0", "--timeout 5.0 s", "--vantage client",
                 "--target facebook", "--target debian", "--probe webcheck", "--name mine",
                 "--idle", "--keep"):  # fmt: skip
        assert text in joined
    plain = " ".join(jobs._arguments(SCENARIO, replace(options, idle=False, keep=False)))
    assert "--idle" not in plain
    assert "--keep" not in plain


def finished(tmp_path: Path, *, valid: bool = True) -> str:
    row = Row("client", "debian", "webcheck", 1, 0.0, 1.0, Label("ok"), Label("down"))
    (tmp_path / "score.json").write_text(json.dumps({"rows": [row.to_json()] if valid else []}))
    run = {"scenario": "dns/pool-2010", "dir": str(tmp_path), "valid": valid,
           "invalid_because": [] if valid else ["x"], "summary": None}  # fmt: skip
    return json.dumps({"runs": [run]})


def test_rows_come_back_as_they_were_judged(tmp_path: Path) -> None:
    found = jobs._finished(SCENARIO, finished(tmp_path), 1)
    assert (found.status, found.valid) == (1, True)
    (row,) = found.rows
    assert (row.target, row.expected, row.observed) == ("debian", Label("ok"), Label("down"))
    assert not row.correct


def test_an_invalid_run_stays_invalid(tmp_path: Path) -> None:
    found = jobs._finished(SCENARIO, finished(tmp_path, valid=False), 4)
    assert (found.status, found.valid, found.rows) == (4, False, [])
    assert found.invalid_because == ["x"]


@pytest.mark.parametrize("output", ["", "no json", "{}", '{"runs": []}'])
def test_a_process_that_says_nothing_readable_is_a_failed_run(output: str) -> None:
    found = jobs._finished(SCENARIO, output, -9)
    assert (found.status, found.valid) == (3, False)
    assert "status -9" in found.invalid_because[0]
