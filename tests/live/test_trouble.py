"""Whatever is killed or stopped: the run says so, scores nothing, and leaves nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.live.disturbed import (
    SCENARIO,
    Host,
    Watch,
    assert_invalid,
    documents,
    run_arguments,
)

pytestmark = pytest.mark.live


SAID = ("network: ", "servers", "control pass", "proof", "webcheck at", "control pass again",
        "closing")  # fmt: skip
#: Until nothing is left of what was killed, and until a command that is interrupted has ended: in
#: seconds of a processor, as `Watched.gone` counts them.
GONE_SECONDS, STOPPED_SECONDS = 1.0, 2.0
#: A tool that waits to be disturbed.
PATIENT = [sys.executable, "-c", "import time; time.sleep(50)"]


# Killing the runner -------------------------------------------------------------------------------


@pytest.mark.parametrize("said", SAID)
def test_a_runner_killed_at_any_step_leaves_nothing(
    tmp_path: Path, watch: Watch, host: Host, said: str
) -> None:
    before = host()
    one = watch(*run_arguments(tmp_path))
    one.until(said)
    one.tree()
    one.process.kill()
    one.process.wait()
    one.gone(GONE_SECONDS)
    assert host() == before
    assert_invalid(tmp_path, "interrupted")


@pytest.mark.parametrize(
    ("what", "seconds"),
    [*(("run", s) for s in (0.05, 0.15, 0.25, 0.35, 0.5, 0.7)), ("exec", 0.3), ("exec", 0.7)],
)
def test_a_runner_killed_at_any_moment_leaves_nothing(
    tmp_path: Path, watch: Watch, host: Host, what: str, seconds: float
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
    one.gone(GONE_SECONDS)
    assert host() == before
    if (tmp_path / "out" / SCENARIO / "score.json").exists():
        assert_invalid(tmp_path, "interrupted")


def test_exec_killed_while_its_command_runs_leaves_nothing(watch: Watch, host: Host) -> None:
    before = host()
    one = watch("exec", SCENARIO, "--at", "client", "--", "sleep", "4321")
    one.find("sleep", "4321")
    one.process.kill()
    one.process.wait()
    one.gone(GONE_SECONDS)
    assert host() == before


@pytest.mark.parametrize(
    ("number", "where"),
    [
        (signal.SIGINT, ["mininet:"]),
        (signal.SIGTERM, ["nginx: "]),
        (signal.SIGINT, ["filterbed.probe.measure"]),
        (signal.SIGTERM, PATIENT[1:]),
    ],
)
def test_a_run_that_is_interrupted_stops_cleanly(
    tmp_path: Path, watch: Watch, host: Host, number: int, where: list[str]
) -> None:
    before = host()
    one = watch(*run_arguments(tmp_path, "--json", "--name", "patient"), "--", *PATIENT)
    one.find(*where)
    one.tree()
    one.process.send_signal(number)
    assert one.ends(STOPPED_SECONDS) == 130
    one.gone(GONE_SECONDS)
    assert host() == before
    assert_invalid(tmp_path, "interrupted")
    assert b"Traceback" not in one.said
    assert json.load(one.process.stdout)["exit"] == 130


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_interrupted_before_it_is_read_leaves_nothing(
    tmp_path: Path, watch: Watch, host: Host, number: int
) -> None:
    before = host()
    one = watch(*run_arguments(tmp_path, "--json"))
    one.find("filterbed.sandbox.launch")
    one.process.send_signal(number)
    assert one.ends(STOPPED_SECONDS) == 130
    one.gone(GONE_SECONDS)
    assert host() == before
    assert b"Traceback" not in one.said
    assert json.load(one.process.stdout)["exit"] == 130


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_several_runs_at_once_end_with_their_runner(
    tmp_path: Path, watch: Watch, await_: Any, host: Host, number: int
) -> None:
    before = host()
    one = watch(
        "run", SCENARIO, "http/rst-host", "--jobs", "2", "--out", str(tmp_path / "out"),
        "--target", "debian", "--name", "patient", "--", *PATIENT,
    )  # fmt: skip
    await_(lambda: len([p for p in one.tree() if is_tool(p)]) == 2, "two tools")
    one.process.send_signal(number)
    if number != signal.SIGKILL:
        assert one.ends(2 * STOPPED_SECONDS) == 130
        assert b"Traceback" not in one.said
    one.process.wait()
    one.gone(GONE_SECONDS)
    assert host() == before
    for scenario in (SCENARIO, "http/rst-host"):
        assert_invalid(tmp_path, "interrupted", scenario=scenario)


def is_tool(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")[1:3] == PATIENT[1:]
    except OSError:
        return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_exec_that_is_interrupted_stops_cleanly(watch: Watch, host: Host, number: int) -> None:
    before = host()
    one = watch("exec", SCENARIO, "--at", "client", "--", "sleep", "4321")
    one.find("sleep", "4321")
    one.process.send_signal(number)
    assert one.ends(STOPPED_SECONDS) == 130
    one.gone(GONE_SECONDS)
    assert host() == before
    assert b"Traceback" not in one.said


@pytest.mark.parametrize(
    ("what", "depth"), [("run", 1), ("run", 2), ("run", 3), ("exec", 1), ("exec", 2)]
)
def test_a_sandbox_that_is_killed_is_told_of(
    tmp_path: Path, watch: Watch, host: Host, what: str, depth: int
) -> None:
    """Kill the sandbox's outer process (1), its process 1 (2), its stage (3)."""
    before = host()
    tool = ["--", *PATIENT]
    command = run_arguments(tmp_path) if what == "run" else ["exec", SCENARIO, "--at", "client"]
    one = watch(*command, *tool)
    one.find(*PATIENT[1:])
    os.kill(one.tree()[depth], signal.SIGKILL)
    assert one.end() == (4 if what == "run" else 125)
    assert b"the sandbox was killed" in one.said
    assert b"Traceback" not in one.said
    one.gone(GONE_SECONDS)
    assert host() == before
    if what == "run":
        assert_invalid(tmp_path, "the sandbox was killed by SIGKILL")


# Breaking what a run relies on --------------------------------------------------------------------

VICTIMS = {
    "the censor": (["censor run"], ["the censor at gfw died", "exit -9"]),
    "a web server": (["nginx: master"], ["nginx", "died"]),
    "the resolver": (["unbound"], ["unbound", "died"]),
    "the control helper": (["filterbed.probe.control"], ["the control helper died"]),
    "a capture": (["dumpcap", "-i censor-eth1"], ["the capture on censor-eth1 ended"]),
    "a delay": (["topologies.hold"], ["the delay at", "ended"]),
}


@pytest.mark.parametrize("victim", VICTIMS)
def test_a_run_that_loses_a_part_is_invalid(tmp_path: Path, watch: Watch, victim: str) -> None:
    words, reason = VICTIMS[victim]
    one = watch(*run_arguments(tmp_path), "--", *PATIENT)
    one.find(*PATIENT[1:])
    os.kill(one.find(*words), signal.SIGKILL)
    assert one.end() == 4
    assert_invalid(tmp_path, *reason)


def test_a_run_that_loses_its_registrar_is_invalid(tmp_path: Path, watch: Watch) -> None:
    scenario = "voip/two-carriers"
    one = watch("run", scenario, "--out", str(tmp_path / "out"), "--", *PATIENT)
    one.find(*PATIENT[1:])
    os.kill(one.find("kamailio"), signal.SIGKILL)
    assert one.end() == 4
    assert_invalid(tmp_path, "kamailio", "died", scenario=scenario)


def test_a_server_that_dies_during_the_control_pass_is_named(tmp_path: Path, watch: Watch) -> None:
    one = watch(*run_arguments(tmp_path))
    one.find("filterbed.probe.measure")
    os.kill(one.find("nginx: master"), signal.SIGKILL)
    one.end()
    assert_invalid(tmp_path, "nginx", "died")


def ended(pid: int) -> bool:
    """Tell whether a process is gone, or dead and only not yet reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_exec_says_when_what_the_command_saw_is_worth_nothing(watch: Watch, await_: Any) -> None:
    one = watch("exec", SCENARIO, "--at", "client", "--", "cat", "-u", stdin=subprocess.PIPE)
    one.find("cat -u")
    censor = one.find("censor run")
    os.kill(censor, signal.SIGKILL)
    await_(lambda: ended(censor), "the censor's end")
    one.process.stdin.close()
    assert one.end() == 125
    assert b"the censor at gfw died" in one.said


BURST = """
import os, signal, socket, sys
say = open("/proc/self/comm", "w")
def state(text): say.write(text); say.flush()
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
state("waits")
signal.sigwait([signal.SIGUSR1])
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as burst:
    for _ in range(6000):
        try: burst.sendto(b"x" * 64, ("206.12.19.7", 9))
        except OSError: pass
state("sent")
signal.sigwait([signal.SIGUSR1])
"""


def test_a_queue_that_overflows_makes_the_run_invalid(
    tmp_path: Path, watch: Watch, await_: Any
) -> None:
    path = tmp_path / "burst.py"
    path.write_text(BURST)
    one = watch(*run_arguments(tmp_path), "--", sys.executable, str(path))
    tool, censor = one.find(f"{sys.executable} {path}"), one.find("censor run")

    def tool_is(state: str) -> None:
        comm = Path(f"/proc/{tool}/comm")
        await_(lambda: comm.read_text().strip() == state, f"{tool} {state}")

    tool_is("waits")
    os.kill(censor, signal.SIGSTOP)
    os.kill(tool, signal.SIGUSR1)
    tool_is("sent")
    os.kill(censor, signal.SIGCONT)
    os.kill(tool, signal.SIGUSR1)
    assert one.end() == 4
    assert_invalid(tmp_path, "the kernel lost", "queue_dropped")


def test_a_censor_that_hangs_makes_the_run_invalid(
    tmp_path: Path, watch: Watch, host: Host
) -> None:
    one = watch(*run_arguments(tmp_path), "--", *PATIENT[:2], "import time; time.sleep(1)")
    one.find("import time")
    os.kill(one.find("censor run"), signal.SIGSTOP)
    assert one.end() == 4
    assert_invalid(tmp_path, "the censor at gfw", "no answer")
    one.gone(GONE_SECONDS)


# Witnesses that disagree --------------------------------------------------------------------------

ASK = """
import json, os, signal, socket
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
with open("/proc/self/comm", "w") as comm: comm.write("waits")
signal.sigwait([signal.SIGUSR1])
for target in json.load(open(os.environ["FILTERBED_TARGETS"])):
    print(json.dumps({"target": target["target"], "verdict": "ok"}), flush=True)
with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as web:
    web.settimeout(1)
    try: web.connect(("206.12.19.7", 80))
    except OSError: pass
"""

#: Someone else's packet, seen on the wire of the box and nowhere else.
STRAY = """
import socket, sys
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
raw.bind(("censor-eth1", 0))
address = raw.getsockname()[4]
ip = bytes.fromhex("4500002100004000401100000808080808080404") + bytes.fromhex("00350035000d0000")
for _ in range(3): raw.send(b"\\xff" * 6 + address + b"\\x08\\x00" + ip + b"hello")
"""


def inside(pid: int, *command: str) -> None:
    """Run a command in the network of a process, as only the one who started the run can."""
    enter = ["nsenter", "-t", str(pid), "-U", "-n", "--preserve-credentials"]
    done = subprocess.run(
        [*enter, *command],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"},
    )
    assert done.returncode == 0, done.stderr


LIES = {
    "drops what it does not log": (
        ["iptables", "-A", "FORWARD", "-d", "206.12.19.7", "-p", "tcp", "-j", "DROP"],
        "gfw",
    ),
    "sends what it does not log": ([sys.executable, "-c", STRAY], "gfw"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_censor_that_lies_is_caught_by_the_wire(
    tmp_path: Path, watch: Watch, await_: Any, lie: str
) -> None:
    command, word = LIES[lie]
    path = tmp_path / "ask.py"
    path.write_text(ASK)
    one = watch(*run_arguments(tmp_path), "--", sys.executable, str(path))
    tool = one.find(f"{sys.executable} {path}")
    comm = Path(f"/proc/{tool}/comm")
    await_(lambda: comm.read_text().strip() == "waits", "the tool")
    inside(one.find("censor run"), *command)
    os.kill(tool, signal.SIGUSR1)
    assert one.end() == 4, one.said
    assert_invalid(tmp_path, word)
    print(documents(tmp_path)[0]["invalid_because"])
