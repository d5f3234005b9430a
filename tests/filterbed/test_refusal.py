"""What is written of a run that never stood."""

from __future__ import annotations

from pathlib import Path

from filterbed import refusal, rundir
from scenarios.loader import load

SCENARIO = load("dns/pool-2010")


def test_a_run_that_never_stood_has_its_files_and_no_score(tmp_path: Path) -> None:
    made = rundir.create(tmp_path, "x", {"seed": 3})
    refusal.refuse(made, SCENARIO, {"seed": 3}, 3, ["nsd is not installed"])
    score = made.read_json("score.json")
    assert (score["valid"], score["rows"], score["summary"]) == (False, [], None)
    assert made.read_json("run.json")["invalid_because"] == ["nsd is not installed"]
