"""A run that is disturbed: how it is begun, and what it must say of itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Watch = Callable[..., Any]


Host = Callable[[], dict[str, object]]


SCENARIO = "dns/pool-2010"


#: Enough of it to judge, little enough to be quick.
SUBSET = ("--target", "facebook", "--target", "debian")


def run_arguments(tmp_path: Path, *more: str, scenario: str = SCENARIO) -> list[str]:
    return ["run", scenario, "--out", str(tmp_path / "out"), *SUBSET, *more]


def documents(tmp_path: Path, scenario: str = SCENARIO) -> tuple[dict[str, Any], dict[str, Any]]:
    directory = tmp_path / "out" / scenario
    run = json.loads((directory / "run.json").read_text())
    return run, json.loads((directory / "score.json").read_text())


def assert_invalid(tmp_path: Path, *words: str, scenario: str = SCENARIO) -> None:
    run, score = documents(tmp_path, scenario)
    assert run["valid"] is False
    assert any(all(w in reason for w in words) for reason in run["invalid_because"]), run[
        "invalid_because"
    ]
    assert (score["valid"], score["rows"], score["summary"]) == (False, [], None)
