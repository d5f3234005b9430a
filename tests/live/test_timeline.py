"""Boxes that start and stop enforcing while tools look: a night without internet, on the kernel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.live

PROJECT = Path(__file__).resolve().parents[2]
SCENARIO = "ip/curfew-myanmar-2021"
FILTERBED = [sys.executable, "-P", "-m", "filterbed"]
#: Says of a connection, in two words as a tool does, whether it opens within half a second.
TOOL = """
import json, socket
for target in ("news", "address", "name", "asleep"):
    verdict = "ok"
    try:
        socket.create_connection(("66.33.200.30", 443), 0.5).close()
    except OSError:
        verdict = "blocked"
    print(json.dumps({"target": target, "verdict": verdict}), flush=True)
"""


def filterbed(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*FILTERBED, *words],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_tool_is_asked_by_day_by_night_and_on_the_morning_after(tmp_path: Path) -> None:
    done = filterbed("run", SCENARIO, "--clock-rate", "4", "--out", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    directory = tmp_path / SCENARIO
    rows = json.loads((directory / "score.json").read_text())["rows"]
    expected = [(row["target"], row["round"], row["expected"]["verdict"]) for row in rows]
    assert sorted(expected) == sorted(
        (target, number, verdict)
        for number, verdict in ((1, "ok"), (2, "blocked"), (3, "ok"))
        for target, verdict in (
            *((target, verdict) for target in ("news", "address", "name")),
            ("asleep", "down"),
        )
    )
    run = json.loads((directory / "run.json").read_text())
    begun = [(one["phase"], one["enforcing"]) for one in run["timeline"]]
    assert begun == [(1, []), (2, ["night"]), (3, [])]
    assert all(
        one["begun"] >= stated
        for one, stated in zip(run["timeline"], (0, 1, 2.25), strict=True)
    )  # fmt: skip
    log = [event for event in lines(directory / "events.jsonl") if event["event"] == "policy"]
    assert [event["state"] for event in log] == ["idle", "idle", "active", "idle", "idle"]


def test_every_tool_goes_through_the_whole_timeline(tmp_path: Path) -> None:
    """A tool that calls everything like one address: right by night and by day, but for asleep."""
    tool = tmp_path / "tool.py"
    tool.write_text(TOOL)
    done = filterbed(
        *("run", SCENARIO, "--probe", "webcheck", "--name", "twice", "--clock-rate", "10"),
        *("--out", str(tmp_path / "out"), "--", sys.executable, str(tool)),
    )
    directory = tmp_path / "out" / SCENARIO
    score = json.loads((directory / "score.json").read_text())
    assert score["valid"], done.stderr
    assert done.returncode == 1
    wrong = [(r["probe"], r["target"]) for r in score["rows"] if not r["correct"]]
    assert wrong == [("twice", "asleep")] * 3
    assert {row["round"] for row in score["rows"]} == {1, 2, 3}


def test_by_idle_there_is_no_night(tmp_path: Path) -> None:
    done = filterbed("run", SCENARIO, "--idle", "--clock-rate", "10", "--out", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads((tmp_path / SCENARIO / "score.json").read_text())["rows"]
    assert {row["expected"]["verdict"] for row in rows} == {"ok", "down"}


def test_a_command_sees_the_night_fall_and_end() -> None:
    fetch = "curl -s -o /dev/null --max-time 1 http://66.33.200.30/"
    script = f"{fetch} && until ! {fetch}; do :; done; until {fetch}; do :; done; echo morning"
    done = filterbed("exec", SCENARIO, "--at", "client", "--active", "--", "sh", "-c", script)
    assert (done.returncode, done.stdout) == (0, "morning\n"), done.stderr


def test_what_was_poisoned_in_one_phase_is_forgotten_in_the_next(tmp_path: Path) -> None:
    """The recursor would keep the forged answer for 300 s, and nobody enforces any more."""
    blocked = {
        "target": ["facebook", "facebook-again", "twitter"], "from": ["unicom"],
        "verdict": "blocked", "mechanisms": ["dns.injection.other"], "locus": "network",
        "during": ["0 s", "1 s"],
    }  # fmt: skip
    free = {"target": blocked["target"], "from": ["unicom"], "verdict": "ok", "during": ["1 s"]}
    rest = [
        {"target": blocked["target"], "from": ["telecom"], "verdict": "ok"},
        {"target": ["wikipedia", "debian", "lookalike"], "verdict": "ok"},
        {"target": "dead", "verdict": "down"},
    ]
    document = {
        "scenario": "mine/morning-after",
        "extends": "dns/poisoned-cache",
        "timeline": [{"at": "1 s", "disable": "injector"}],
        "truth": [blocked, free, *rest],
    }
    path = tmp_path / "morning-after.yaml"
    path.write_text(json.dumps(document))
    done = filterbed("run", str(path), "--out", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads((tmp_path / "mine/morning-after" / "score.json").read_text())["rows"]
    said = {(r["round"], r["observed"]["verdict"]) for r in rows if r["vantage"] == "bj-cu"}
    assert said == {(1, "blocked"), (1, "ok"), (1, "down"), (2, "ok"), (2, "down")}
