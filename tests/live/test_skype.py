"""Skype's clients meet their network, who blocks it, and a filter of their own: whole runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.live

PROJECT = Path(__file__).resolve().parents[2]


#: Scenario: how many rows the network is behind while it is active, and the client's own filter.
RUNS = {"voip/skypeout-2005": (1, 0), "voip/skype-naive": (2, 0), "voip/tom-skype": (2, 2)}


@pytest.mark.parametrize("idle", [False, True], ids=["active", "idle"])
def test_webcheck_is_right_about_skype(tmp_path: Path, idle: bool) -> None:
    """Mostly waiting, so two at once."""
    command = [sys.executable, "-P", "-m", "filterbed", "run", *RUNS, "--json", "--jobs", "2"]
    command += ["--out", str(tmp_path), *["--idle"] * idle]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=240, cwd=PROJECT, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for entry in json.loads(done.stdout)["runs"]:
        hits, withheld = RUNS[entry["scenario"]]
        score = json.loads((Path(entry["dir"]) / "score.json").read_text())
        assert all(row["correct"] for row in score["rows"])
        loci = [row["observed"]["locus"] for row in score["rows"]]
        found = (loci.count("network"), loci.count("client_side"))
        assert found == (0 if idle else hits, withheld), entry["scenario"]
