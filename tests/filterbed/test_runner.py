"""How the runner reports what ended, and what it imports before its sandbox gets ready."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from filterbed import runner
from filterbed.request import Options
from filterbed.runner import Finished


def test_the_json_report_is_the_contracts(capsys: pytest.CaptureFixture[str]) -> None:
    done = Finished("a/b", "runs/a/b", 4, False, ["the censor died"])
    runner._report([done], Options(as_json=True), 4)
    assert json.loads(capsys.readouterr().out) == {
        "schema": runner.SCHEMA,
        "exit": 4,
        "runs": [
            {
                "scenario": "a/b",
                "dir": "runs/a/b",
                "valid": False,
                "invalid_because": ["the censor died"],
                "summary": None,
            }
        ],
    }


def test_nothing_slow_is_imported_before_the_sandbox_gets_ready() -> None:
    program = "import sys, filterbed.runner; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True
    )
    slow = {"pydantic", "yaml", "rich", "scapy", "mininet", "scenarios.loader", "filterbed.judge"}
    assert not slow & set(done.stdout.split())


def test_a_sandbox_that_waits_ends_with_what_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    before = children()
    assert runner.main(["no/such"], []) == runner.USAGE
    assert "no/such" in capfd.readouterr().err
    assert children() <= before


def children() -> set[int]:
    """The processes this one has begun and not waited for; other tests may have left theirs."""
    tasks = Path("/proc/self/task").iterdir()
    return {int(pid) for task in tasks for pid in (task / "children").read_text().split()}
