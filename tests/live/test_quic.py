"""HTTP/3 where nobody blocks it, between real aioquic and real caddy.

Blocked in each of the ways it has been: tests/live/test_library.py.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.live
PROJECT = Path(__file__).parents[2]


def test_nothing_is_blocked_while_the_box_is_idle(tmp_path: Path) -> None:
    name = "quic/sni-russia-2023"
    done = subprocess.run(
        [sys.executable, "-P", "-m", "filterbed", "run", name, "--idle", "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=PROJECT,
    )
    assert json.loads((tmp_path / name / "run.json").read_text())["invalid_because"] == []
    assert done.returncode == 0, done.stdout
    rows = json.loads((tmp_path / name / "score.json").read_text())["rows"]
    assert {row["observed"]["verdict"] for row in rows} == {"ok", "down"}
    assert {row["observed"]["mechanisms"] == [] for row in rows} == {True}
