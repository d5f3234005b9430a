"""A forged answer reaches a recursor that validates, and one that does not: whole runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.live

PROJECT = Path(__file__).resolve().parents[2]
NAMES = ("facebook", "facebook-name", "twitter")


@pytest.mark.parametrize("idle", [False, True], ids=["active", "idle"])
def test_who_validates_is_told_nothing_and_who_does_not_a_forgery(
    tmp_path: Path, idle: bool
) -> None:
    command = [sys.executable, "-P", "-m", "filterbed", "run", "dns/validating", "--json"]
    command += ["--out", str(tmp_path), *["--idle"] * idle]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, cwd=PROJECT, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (entry,) = json.loads(done.stdout)["runs"]
    rows = json.loads((Path(entry["dir"]) / "score.json").read_text())["rows"]
    assert all(row["correct"] for row in rows)
    seen = {(row["vantage"], row["target"]): row["observed"] for row in rows}
    for name in NAMES:
        found = [seen[vantage, name]["mechanisms"] for vantage in ("believes", "checks")]
        assert found == ([[], []] if idle else [["dns.injection.other"], ["dns.servfail"]])
    assert seen["believes", "lapsed"]["verdict"] == "ok"
    assert seen["checks", "lapsed"]["verdict"] == "down"
