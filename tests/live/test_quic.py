"""HTTP/3 blocked in each of the ways it has been, between real aioquic and real caddy."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.live
PROJECT = Path(__file__).parents[2]
#: What webcheck must say of each target that is blocked; all else as the truth has it.
BLOCKED = {
    "quic/sni-china-2024": {"facebook": "quic.timeout", "signal": "quic.timeout"},
    "quic/sni-russia-2023": {"instagram": "quic.timeout.sni", "facebook": "quic.timeout.sni"},
    "quic/udp-iran-2021": {"messenger": "quic.timeout", "bakery": "quic.timeout"},
    "quic/version-russia-2022": {"google": "quic.timeout", "cloudflare": "quic.timeout"},
}


def run(tmp_path: Path, name: str, *options: str) -> list[dict[str, Any]]:
    """Run a scenario; return its rows, all of them right."""
    command = ["run", name, "--out", str(tmp_path), *options]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "filterbed", *command],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=PROJECT,
    )
    assert json.loads((tmp_path / name / "run.json").read_text())["invalid_because"] == []
    assert done.returncode == 0, done.stdout
    rows: list[dict[str, Any]] = json.loads((tmp_path / name / "score.json").read_text())["rows"]
    return rows


@pytest.mark.parametrize("name", BLOCKED)
def test_webcheck_names_what_was_done(tmp_path: Path, name: str) -> None:
    seen = {row["target"]: row["observed"] for row in run(tmp_path, name)}
    for target, mechanism in BLOCKED[name].items():
        assert (seen[target]["verdict"], seen[target]["mechanisms"]) == ("blocked", [mechanism])


def test_nothing_is_blocked_while_the_box_is_idle(tmp_path: Path) -> None:
    rows = run(tmp_path, "quic/sni-russia-2023", "--idle")
    assert {row["observed"]["verdict"] for row in rows} == {"ok", "down"}
    assert {row["observed"]["mechanisms"] == [] for row in rows} == {True}
