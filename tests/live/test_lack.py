"""What a machine lacks is said with its cure, and a run there is no valid one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live.disturbed import (
    SCENARIO,
    Watch,
    assert_invalid,
    run_arguments,
)

pytestmark = pytest.mark.live


def without(program: str, *more: str) -> list[str]:
    """Begin a command in a mount namespace of its own in which `program` cannot be run."""
    script = f'mount --bind /dev/null {program} && exec "$@"'
    user = [] if os.geteuid() == 0 else ["-U", "-r"]
    return ["unshare", *user, "-m", "sh", "-c", script, "sh"]


@pytest.mark.parametrize(
    ("program", "scenario", "package"),
    [
        ("/usr/bin/dumpcap", SCENARIO, "wireshark-common"),
        ("/usr/sbin/nsd", SCENARIO, "nsd"),
        ("/usr/bin/mnexec", SCENARIO, "mininet"),
        ("/usr/bin/sipp", "voip/two-carriers", "sip-tester"),
        ("/usr/bin/baresip", "voip/softphone", "baresip-core"),
        ("/usr/sbin/kamailio", "voip/two-carriers", "kamailio"),
        ("/usr/bin/turnserver", "voip/relay-lost", "coturn"),
    ],
)
def test_a_program_that_is_not_there_is_named_with_its_package(
    tmp_path: Path, watch: Watch, program: str, scenario: str, package: str
) -> None:
    one = watch("run", scenario, "--out", str(tmp_path / "out"), before=without(program))
    assert one.end() == 3
    said = one.said.decode()
    assert Path(program).name in said
    assert package in said.partition("apt")[2]
    assert "Traceback" not in said
    assert_invalid(tmp_path, Path(program).name, package, scenario=scenario)


def test_a_server_that_does_not_come_up_is_shown_with_its_log(tmp_path: Path, watch: Watch) -> None:
    broken = tmp_path / "nginx"
    broken.write_text("#!/bin/sh\necho 'nginx: [emerg] the moon is full' >&2\nexit 1\n")
    broken.chmod(0o755)
    user = [] if os.geteuid() == 0 else ["-U", "-r"]
    script = f'mount --bind {broken} /usr/sbin/nginx && exec "$@"'
    one = watch(*run_arguments(tmp_path), before=["unshare", *user, "-m", "sh", "-c", script, "sh"])
    assert one.end() == 3
    assert b"the moon is full" in one.said
    assert_invalid(tmp_path, "nginx", "exit status 1", "the moon is full")


@pytest.mark.parametrize("what", ["run", "exec"])
def test_a_machine_without_user_namespaces_is_told_the_cure(
    tmp_path: Path, watch: Watch, what: str
) -> None:
    limit = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
    none = ["unshare", "-U", "-r", "sh", "-c", limit, "sh"]
    command = ["exec", SCENARIO, "--at", "client", "--", "true"]
    one = watch(*(run_arguments(tmp_path) if what == "run" else command), before=none)
    assert one.end() == (3 if what == "run" else 125)
    said = one.said.decode()
    assert "the sandbox could not be made" in said
    assert "user.max_user_namespaces" in said
    assert "Traceback" not in said


def test_a_place_that_cannot_be_written_is_told(watch: Watch) -> None:
    one = watch("run", SCENARIO, "--out", "/proc/runs")
    assert one.end() == 3
    assert b"/proc/runs" in one.said
    assert b"cannot be written" in one.said
    assert b"Traceback" not in one.said


def test_the_censor_refuses_a_network_that_is_the_machines(tmp_path: Path) -> None:
    policy = tmp_path / "policy.json"
    policy.write_text('{"position": "on-path", "latency": 0.002, "rules": []}')
    done = subprocess.run(
        [sys.executable, "-P", "-m", "censor", "run", "--policy", str(policy), "--inside", "lo",
         "--outside", "lo", "--events", str(tmp_path / "events.jsonl")],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, timeout=30,
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert "belongs to the machine" in done.stderr
    assert "unshare" in done.stderr
    assert not (tmp_path / "events.jsonl").exists()
