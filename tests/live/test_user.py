"""All of it as a real ordinary user, who is root nowhere but in namespaces of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
USER = 12345  # without an entry in /etc/passwd, a home, or a group of others

#: What must hold for an ordinary user as it does for root; run as tests when root runs the suite.
SELECTED = (
    "tests/live/test_censor_queue.py::test_poisons_and_only_while_active",
    "tests/live/test_sandbox.py",
    "tests/live/test_exec.py::test_a_megabyte_goes_through_byte_for_byte",
    "tests/live/test_exec.py::test_dig_gets_a_forged_answer_over_both_versions",
    "tests/live/test_exec.py::test_another_hosts_command_sees_its_network_and_changes_nothing_else",
    "tests/live/test_nat.py::test_a_relay_over_version_6_and_what_nobody_translates_there",
    "tests/live/test_trouble.py::test_a_runner_killed_at_any_step_leaves_nothing[proof]",
    "tests/live/test_trouble.py::test_exec_killed_while_its_command_runs_leaves_nothing",
    "tests/live/test_trouble.py::test_a_queue_that_overflows_makes_the_run_invalid",
    "tests/live/test_trouble.py::test_a_run_that_loses_a_part_is_invalid[the censor]",
)


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory of that user's own, reachable by them."""
    made = Path(tempfile.mkdtemp(prefix="user-of-filterbed-test-"))
    if os.geteuid() == 0:
        os.chown(made, USER, USER)
    yield made
    shutil.rmtree(made)


def ordinary(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a Python module as the ordinary user (as ourselves, where we are one)."""
    become = ["setpriv", "--reuid", str(USER), "--regid", str(USER), "--clear-groups", "--"]
    env = {
        **os.environ,
        "HOME": str(directory),
        "TMPDIR": str(directory),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(PROJECT),
    }
    return subprocess.run(
        [*(become if os.geteuid() == 0 else []), sys.executable, "-P", "-m", *words],
        cwd=PROJECT,
        env=env,
        capture_output=True,
        text=True,
        timeout=480,
        check=False,
    )


def can_read() -> bool:
    """Say whether the ordinary user reaches this checkout at all."""
    if os.geteuid() != 0:
        return True
    become = ["setpriv", "--reuid", str(USER), "--regid", str(USER), "--clear-groups", "--"]
    return subprocess.run([*become, "test", "-r", __file__], check=False).returncode == 0


pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not can_read(), reason="this checkout is closed to other users"),
]


def test_an_ordinary_user_runs_a_scenario_and_every_row_is_right(directory: Path) -> None:
    done = ordinary(directory, "filterbed", "run", "dns/pool-2010", "--json", "--out",
                    str(directory / "out"))  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (entry,) = json.loads(done.stdout)["runs"]
    assert (entry["valid"], entry["invalid_because"]) == (True, [])
    owners = {path.stat().st_uid for path in (directory / "out").rglob("*")}
    assert owners == {USER if os.geteuid() == 0 else os.geteuid()}


def test_an_ordinary_user_runs_calls_across_the_country(directory: Path) -> None:
    """And from behind a translator."""
    done = ordinary(directory, "filterbed", "run", "voip/telephones", "--json", "--out",
                    str(directory / "out"))  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="these tests run as an ordinary user already")
def test_what_holds_for_root_holds_for_an_ordinary_user(directory: Path) -> None:
    done = ordinary(directory, "pytest", "-q", "-p", "no:cacheprovider", "--basetemp",
                    str(directory / "pytest"), *SELECTED)  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
    assert " passed" in done.stdout
