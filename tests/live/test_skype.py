"""Skype's clients meet their network, who blocks it, and a filter of their own: whole runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.live

PROJECT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("idle", [False, True], ids=["active", "idle"])
@pytest.mark.parametrize(
    ("name", "hits", "withheld"),
    [("voip/skypeout-2005", 1, 0), ("voip/skype-naive", 2, 0), ("voip/tom-skype", 2, 2)],
)
def test_webcheck_is_right_about_skype(
    tmp_path: Path, name: str, hits: int, withheld: int, idle: bool
) -> None:
    command = [sys.executable, "-P", "-m", "filterbed", "run", name, "--json"]
    command += ["--out", str(tmp_path), *["--idle"] * idle]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, cwd=PROJECT, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (entry,) = json.loads(done.stdout)["runs"]
    score = json.loads((Path(entry["dir"]) / "score.json").read_text())
    assert all(row["correct"] for row in score["rows"])
    loci = [row["observed"]["locus"] for row in score["rows"]]
    assert loci.count("network") == (0 if idle else hits)
    assert loci.count("client_side") == withheld
