"""A recursor's cache, poisoned from the path: whom it tells what, and for how long."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scenarios import library

pytestmark = pytest.mark.live
PROJECT = Path(__file__).parents[2]
REAL = "69.63.189.16"
ASK = "dig +short +tries=1 www.facebook.com"


def test_a_poisoned_recursor_tells_everybody_until_its_answer_expires(tmp_path: Path) -> None:
    file = tmp_path / "poison.yaml"
    text = library.locate("dns/poisoned-cache").read_text("utf-8")
    file.write_text(text.replace("answer_ttl: 300", "answer_ttl: 6"))
    lines = [
        "idle",
        # of the other recursor: one keeps an authoritative answer of no time at all until its
        # second is over, and believes no forged one meanwhile
        f"bj-ct echo honest $({ASK})",
        "active",
        f"bj-cu echo hit $({ASK})",
        "idle",
        f"sh-cu echo behind $({ASK})",
        f"bj-ct echo beside $({ASK})",
        # an answer that never expires is told as what it is
        f"sh-cu end=$(($(date +%s) + 60)); until [ $({ASK}) = {REAL} ] || "
        f"[ $(date +%s) -gt $end ]; do :; done; echo over $({ASK})",
        "quit",
    ]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "filterbed", "shell", str(file)],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        timeout=180,
        cwd=PROJECT,
    )
    said = {
        words[0]: words[1]
        for line in done.stdout.splitlines()
        if len(words := line.split()) == 2 and words[1].count(".") == 3
    }
    assert said["honest"] == said["beside"] == said["over"] == REAL, done.stdout + done.stderr
    assert said["hit"] == said["behind"] != REAL, done.stdout
