"""Whatever is killed, stopped or missing: the run says so, scores nothing, and leaves nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.live

Watch = Callable[..., Any]
Host = Callable[[], dict[str, object]]

SCENARIO = "dns/pool-2010"
#: Enough of it to judge, little enough to be quick.
SUBSET = ("--target", "facebook", "--target", "debian")
SAID = ("network: ", "servers", "control pass", "proof", "webcheck at", "control pass again",
        "closing")  # fmt: skip
GONE_SECONDS = 2.0  # the promise is one second, on a machine that does nothing else
#: A tool that waits to be disturbed.
PATIENT = [sys.executable, "-c", "import time; time.sleep(50)"]


def run_arguments(tmp_path: Path, *more: str, scenario: str = SCENARIO) -> list[str]:
    return ["run", scenario, "--out", str(tmp_path / "out"), *SUBSET, *more]


def documents(tmp_path: Path, scenario: str = SCENARIO) -> tuple[dict[str, Any], dict[str, Any]]:
    directory = tmp_path / "out" / scenario
    run = json.loads((directory / "run.json").read_text())
    return run, json.loads((directory / "score.json").read_text())


def assert_invalid(tmp_path: Path, *words: str, scenario: str = SCENARIO) -> None:
    run, score = documents(tmp_path, scenario)
    assert run["valid"] is False
    assert any(all(w in reason for w in words) for reason in run["invalid_because"]), run[
        "invalid_because"
    ]
    assert (score["valid"], score["rows"], score["summary"]) == (False, [], None)


# Killing the runner -------------------------------------------------------------------------------


@pytest.mark.parametrize("said", SAID)
def test_a_runner_killed_at_any_step_leaves_nothing(
    tmp_path: Path, watch: Watch, await_: Any, host: Host, said: str
) -> None:
    before = host()
    one = watch(*run_arguments(tmp_path))
    one.until(said)
    one.tree()
    one.process.kill()
    one.process.wait()
    await_(lambda: not one.left(), f"the end of {one.left()}", GONE_SECONDS)
    assert host() == before
    assert_invalid(tmp_path, "interrupted")


@pytest.mark.parametrize("seconds", [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.9, 1.1])
@pytest.mark.parametrize("what", ["run", "exec"])
def test_a_runner_killed_at_any_moment_leaves_nothing(
    tmp_path: Path, watch: Watch, await_: Any, host: Host, what: str, seconds: float
) -> None:
    before = host()
    sleep = ["exec", SCENARIO, "--at", "client", "--", "sleep", "50"]
    one = watch(*(run_arguments(tmp_path) if what == "run" else sleep))
    try:
        one.process.wait(seconds)
    except subprocess.TimeoutExpired:
        one.tree()
    one.process.kill()
    one.process.wait()
    await_(lambda: not one.left(), f"the end of {one.left()}", GONE_SECONDS)
    assert host() == before
    if (tmp_path / "out" / SCENARIO / "score.json").exists():
        assert_invalid(tmp_path, "interrupted")


def test_exec_killed_while_its_command_runs_leaves_nothing(
    watch: Watch, await_: Any, host: Host
) -> None:
    before = host()
    one = watch("exec", SCENARIO, "--at", "client", "--", "sleep", "4321")
    one.find("sleep", "4321")
    one.process.kill()
    one.process.wait()
    await_(lambda: not one.left(), f"the end of {one.left()}", GONE_SECONDS)
    assert host() == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "where", [["filterbed.sandbox.launch"], ["nginx: "], ["filterbed.probe.measure"], PATIENT[1:]]
)
def test_a_run_that_is_interrupted_stops_cleanly(
    tmp_path: Path, watch: Watch, await_: Any, host: Host, number: int, where: list[str]
) -> None:
    before = host()
    one = watch(*run_arguments(tmp_path, "--json", "--name", "patient"), "--", *PATIENT)
    one.find(*where)
    one.tree()
    one.process.send_signal(number)
    assert one.end(GONE_SECONDS) == 130
    await_(lambda: not one.left(), f"the end of {one.left()}", GONE_SECONDS)
    assert host() == before
    assert_invalid(tmp_path, "interrupted")
    assert b"Traceback" not in one.said
    assert json.load(one.process.stdout)["exit"] == 130
