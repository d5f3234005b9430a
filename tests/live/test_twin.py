"""Honest trouble looks like interference: the built-in tool is right on each such scenario."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.live
PROJECT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "name",
    [
        *("quiet/bad-servers", "quiet/black-hole", "quiet/no-http3"),
        *("quiet/transparent-proxy", "quiet/captive-portal"),
        *("voip/congestion", "voip/phone-to-pc"),
        *("http/geo-blocking", "http/store-delisting", "dns/poisoned-cache"),
        "dns/forged-handshake",
    ],
)
def test_webcheck_is_right(tmp_path: Path, name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "filterbed", "run", name, "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=PROJECT,
    )
    assert json.loads((tmp_path / name / "run.json").read_text())["invalid_because"] == []
    assert done.returncode == 0, done.stdout
