"""The command line: what it takes, what it refuses, and with which status."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from filterbed import cli


def filterbed(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "filterbed", *arguments], capture_output=True, text=True
    )


COMMANDS = ("doctor", "list", "show", "check", "run", "exec", "shell", "replay")


def test_help_names_every_command_of_the_contract() -> None:
    done = filterbed("--help")
    assert done.returncode == 0
    for command in COMMANDS:
        assert f"\n  {command} " in done.stdout
        assert filterbed(command, "--help").returncode == 0


USAGE = {
    "no such command": (["sing"], "No such command"),
    "no such option": (["run", "dns/pool-2010", "--sing"], "No such option"),
    "no scenario": (["run"], "Missing argument"),
    "no command after --": (["run", "dns/pool-2010", "--"], "expected a COMMAND after --"),
    "no such scenario": (["run", "dns/pool-2011"], "did you mean 'dns/pool-2010'?"),
    "no such pack": (["run", "@smok"], "@smoke"),
    "no such probe": (["run", "dns/pool-2010", "--probe", "ooni"], "built in: webcheck"),
    "no such vantage": (["run", "dns/pool-2010", "--vantage", "x"], "it has client"),
    "no such target": (["run", "dns/pool-2010", "--target", "x"], "it has facebook"),
    "no such tool": (["run", "dns/pool-2010", "--", "no-such-tool"], "command not found"),
    "no time": (["run", "dns/pool-2010", "--timeout", "soon"], "expected such as 30 s"),
    "no positive time": (["run", "dns/pool-2010", "--timeout", "0 s"], "more than 0"),
    "no rate": (["run", "dns/pool-2010", "--clock-rate", "0"], "clock-rate"),
    "two probes of one name": (
        ["run", "dns/pool-2010", "--probe", "webcheck", "--probe", "webcheck"],
        "two probes are called 'webcheck'",
    ),
    "a name that is a path": (["run", "x", "--name", "a/b", "--", "true"], "no scenario"),
    "a name for nothing": (["run", "dns/pool-2010", "--name", "x"], "there is no COMMAND"),
    "results nowhere": (["run", "dns/pool-2010", "--junit", "/proc/x.xml"], "--junit /proc/x.xml"),
}


@pytest.mark.parametrize("name", USAGE)
def test_bad_usage_is_told_and_ends_with_2(name: str) -> None:
    arguments, text = USAGE[name]
    done = filterbed(*arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert text in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["exec", "dns/pool-2010", "--", "true"], "--at"),
        (["exec", "dns/pool-2010", "--at", "client"], "COMMAND"),
        (["exec", "dns/pool-2011", "--at", "client", "--", "true"], "did you mean"),
        (["exec", "dns/pool-2010", "--at", "nowhere", "--", "true"], "there are"),
    ],
)
def test_execs_own_failures_are_125(arguments: list[str], text: str) -> None:
    done = filterbed(*arguments)
    assert done.returncode == 125
    assert text in done.stderr


def test_a_refused_run_prints_its_json_all_the_same() -> None:
    done = filterbed("run", "dns/pool-2011", "--json")
    assert json.loads(done.stdout) == {"schema": "filterbed/run-1", "exit": 2, "runs": []}


def test_every_error_of_every_file_is_reported_at_once(tmp_path: Path) -> None:
    text = "scenario: a/b\nmystery: 1\ntitle: [\n"
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text(text)
    two.write_text("scenario: c/d\nmystery: 1\n")
    done = filterbed("run", str(one), str(two))
    assert done.returncode == 2
    assert f"{one}:" in done.stderr
    assert f"{two}:2:" in done.stderr


def test_check_counts_and_takes_folders(tmp_path: Path) -> None:
    good = filterbed("check", "@all")
    assert (good.returncode, good.stderr) == (0, "")
    assert "scenarios checked, all well" in good.stdout
    (tmp_path / "bad.yaml").write_text("scenario: x\n")
    bad = filterbed("check", str(tmp_path))
    assert bad.returncode == 2
    assert "1 scenario checked, 1 wrong" in bad.stdout
    assert f"{tmp_path}/bad.yaml:" in bad.stderr


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30 s", 30.0), ("30s", 30.0), ("500 ms", 0.5), ("2 min", 120.0), ("1.5", 1.5), (3, 3.0)],
)
def test_times_have_units(text: str | int, seconds: float) -> None:
    assert cli._Seconds().convert(text, None, None) == seconds


def test_list_prints_one_json_document_and_nothing_else() -> None:
    done = filterbed("list", "--json")
    assert done.returncode == 0
    assert done.stderr == ""
    assert len(json.loads(done.stdout)) >= 10


def test_a_reader_that_leaves_early_is_no_error() -> None:
    done = subprocess.run(
        f"{sys.executable} -P -m filterbed show china-2010/december | head -1",
        shell=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith("china-2010/december")
    assert "Traceback" not in done.stderr
