"""The prompt runs what it is told where it is told, and shows what the censor does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.live

PROJECT = Path(__file__).resolve().parents[2]
LINES = """\
help
client dig +short www.facebook.com
idle
client dig +short www.facebook.com
nowhere true
client
servers false
hosts
"""


def test_a_prompt_shows_answers_and_events() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "filterbed", "shell", "dns/pool-2010"],
        input=LINES,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=PROJECT,
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout
    forged, real = re.findall(r"^(\d+\.\d+\.\d+\.\d+)$", said, re.M)
    assert forged != "69.63.189.16"
    assert real == "69.63.189.16"
    assert re.search(r"gfw injected forged-a client dns\.name=www\.facebook\.com", said)
    assert said.count("gfw injected") == 1
    assert "the censors are idle" in said
    assert "no host 'nowhere'" in said
    assert "client: expected a command" in said
    assert "servers: exit status 1" in said
    assert "HOST COMMAND" in said
