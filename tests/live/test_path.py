"""The testbed finds its programs by itself where PATH holds none of the sbin folders."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.live
BARE = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}


def filterbed(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "filterbed", *words],
        env=BARE,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_doctor_finds_every_program() -> None:
    done = filterbed("doctor", "--json")
    assert [f for f in json.loads(done.stdout) if f["state"] == "missing"] == []
    assert done.returncode == 0


def test_a_run_is_right(tmp_path: Path) -> None:
    done = filterbed("run", "dns/pool-2010", "--out", str(tmp_path))
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
