"""Skype's clients meet their network and a filter of their own, and nobody in between.

With those who block it: tests/live/test_library.py.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.live

PROJECT = Path(__file__).resolve().parents[2]


#: Scenario: how many rows the client's own filter is behind.
RUNS = {"voip/skypeout-2005": 0, "voip/skype-naive": 0, "voip/tom-skype": 2}


def test_webcheck_is_right_about_skype_where_the_box_is_idle(tmp_path: Path) -> None:
    """Mostly waiting, so two at once."""
    command = [sys.executable, "-P", "-m", "filterbed", "run", *RUNS, "--json", "--jobs", "2"]
    command += ["--out", str(tmp_path), "--idle"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=240, cwd=PROJECT, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for entry in json.loads(done.stdout)["runs"]:
        score = json.loads((Path(entry["dir"]) / "score.json").read_text())
        assert all(row["correct"] for row in score["rows"])
        loci = [row["observed"]["locus"] for row in score["rows"]]
        found = (loci.count("network"), loci.count("client_side"))
        assert found == (0, RUNS[entry["scenario"]]), entry["scenario"]
