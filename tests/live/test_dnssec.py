"""A recursor that validates, and one that does not, where nobody forges: the placebo.

With forged answers: tests/live/test_library.py.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.live

PROJECT = Path(__file__).resolve().parents[2]
NAMES = ("facebook", "facebook-name", "twitter")


def test_only_who_validates_lacks_the_name_whose_signature_lapsed(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "filterbed", "run", "dns/validating", "--json"]
    command += ["--out", str(tmp_path), "--idle"]
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
        assert found == [[], []]
    assert seen["believes", "lapsed"]["verdict"] == "ok"
    assert seen["checks", "lapsed"]["verdict"] == "down"
