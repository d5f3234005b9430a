"""Calls are whole while the censor is idle, and what it drops of media is what the ends miss.

That the built-in check is right about each active one: tests/live/test_library.py.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.live
PROJECT = Path(__file__).parents[2]
#: With an idle box the others are open-line under another name.
GROUNDS = ("open-line", "media-one-way", "media-cut", "chat-lives", "cellular-dead",
           "foreign-providers", "softphone")  # fmt: skip
#: Prints what it measures of each target, as the detail of an answer that claims nothing.
TOOL = """
import json, os
from concurrent.futures import ThreadPoolExecutor
from filterbed.probe.measure import measure
targets = json.load(open(os.environ["FILTERBED_TARGETS"]))
with ThreadPoolExecutor() as pool:
    for row in pool.map(measure, [t for t in targets if t["kind"] == "call"]):
        said = {"flows": row["flows"], "media": row["sip"]["call"]["media"]}
        answer = {"target": row["target"], "verdict": "unknown", "detail": json.dumps(said)}
        print(json.dumps(answer))
"""


def run(
    tmp_path: Path, name: str, *options: str, command: tuple[str, ...] = ()
) -> tuple[int, str, Path]:
    """Run a scenario ten times as fast; return its status, what it said, and its directory."""
    words = ["run", f"voip/{name}", "--clock-rate", "10", "--out", str(tmp_path), *options]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "filterbed", *words, *(["--", *command] if command else [])],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=PROJECT,
    )
    directory = tmp_path / "voip" / name
    assert json.loads((directory / "run.json").read_text())["invalid_because"] == []
    return done.returncode, done.stdout, directory


@pytest.mark.parametrize("name", GROUNDS)
def test_webcheck_is_right_where_nobody_interferes(tmp_path: Path, name: str) -> None:
    status, said, _ = run(tmp_path, name, "--idle")
    assert status == 0, said


@pytest.mark.parametrize("name", ["media-thinned", "media-policed", "media-cut"])
def test_what_the_censor_drops_is_what_the_ends_miss(tmp_path: Path, name: str) -> None:
    """Within one packet in 250, each way, over IPv4 and IPv6."""
    tool = tmp_path / "tool.py"
    tool.write_text(TOOL)
    command = (sys.executable, str(tool))
    _, _, directory = run(tmp_path, name, "--name", "counts", command=command)
    events = map(json.loads, (directory / "events.jsonl").read_text().splitlines())
    dropped = Counter(
        (event["flow"]["client_port"], event["toward"])
        for event in events
        if event["event"] == "dropped" and "rtp" in event["trigger"]
    )
    compared = 0
    for line in (directory / "observations.jsonl").read_text().splitlines():
        compared += agree(json.loads(line), dropped)
    assert compared == 4  # two calls, two ways


def agree(row: dict[str, Any], dropped: Counter[tuple[int, str]]) -> int:
    """Compare both ways of one call; return how many ways had losses."""
    if not row["detail"] or not row["detail"].startswith("{"):
        return 0  # no call
    said = json.loads(row["detail"])
    port = said["flows"][-1][2]
    found = 0
    for way, toward in (("to_callee", "server"), ("from_callee", "client")):
        media, injected = said["media"][way], dropped[port, toward]
        assert abs(media["lost"] - injected) <= max(1, media["sent"] // 250), (row["target"], way)
        assert media["lost"] + media["received"] == media["sent"]
        found += injected > 0
    return found
