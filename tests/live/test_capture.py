"""A capture's end: what was on the wire before it ends is in its file, and doubt is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from filterbed.pcapng import Trace, read
from filterbed.rundir import RunDir

pytestmark = pytest.mark.live

PROJECT = Path(__file__).resolve().parents[2]
MANY = 500

#: DIRECTORY: stands a line up, sends MANY datagrams through its box, and ends the captures at once.
SCENE = """
import json, os, signal, socket, sys
from pathlib import Path
from filterbed.rundir import RunDir
from filterbed.sandbox.netns import socket_in
from filterbed.sandbox.place import nest
from filterbed.stage import capture
from topologies import network
from topologies.catalogue import build
from topologies.place import Vantage
net = network.stand(build({"use": "line"}, {"client": Vantage()}, {}), nest=nest)
captures = capture.Captures(net, RunDir(Path(sys.argv[1])))
captures.ready()
HANG
near = socket_in(net.pid("client"), socket.AF_INET, socket.SOCK_DGRAM)
far = socket_in(net.pid("control"), socket.AF_INET, socket.SOCK_DGRAM)
far.bind((net.plan.primary("control"), 7))
for number in range(MANY):
    near.sendto(number.to_bytes(4, "big"), far.getsockname())
    far.recv(4)
print(json.dumps(captures.stop()), flush=True)
"""
#: Stops the last dumpcap, which then neither writes nor ends.
HANG = """
capture._WRITTEN_SECONDS = 0.3
children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
os.kill(int(children[-1]), signal.SIGSTOP)
"""


def recorded(tmp_path: Path, hang: str = "") -> tuple[list[str], RunDir]:
    rundir = RunDir(tmp_path)
    rundir.capture.mkdir()
    rundir.logs.mkdir()
    scene = SCENE.replace("MANY", str(MANY)).replace("HANG", hang)
    done = subprocess.run(
        ["unshare", "-Urnmpuif", "--mount-proc", "--kill-child", "sh", "-c",
         f"ip link set lo up; mount -t tmpfs none /run; exec {sys.executable} -P - {tmp_path}"],
        input=scene, capture_output=True, text=True, timeout=60, cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    said: Any = json.loads(done.stdout)
    return said, rundir


def traces(rundir: RunDir) -> list[Trace]:
    return [read(path) for path in sorted(rundir.capture.iterdir())]


def numbers(trace: Trace) -> list[int]:
    """Return what the datagrams held, of those to the control's port 7."""
    return [
        int.from_bytes(frame.data[42:46], "big")
        for frame in trace.frames
        if frame.data[12:14] == b"\x08\x00"
        and frame.data[23] == 17
        and frame.data[36:38] == b"\0\7"
    ]


def test_what_was_sent_right_before_the_end_is_in_every_file(tmp_path: Path) -> None:
    problems, rundir = recorded(tmp_path)
    assert problems == []
    found = traces(rundir)
    assert len(found) == 2
    for trace in found:
        assert numbers(trace) == [*range(MANY)]
        assert not trace.torn


def test_a_capture_that_hangs_is_told_of_and_ended(tmp_path: Path) -> None:
    problems, rundir = recorded(tmp_path, HANG)
    assert len(problems) == 2, problems
    assert "may lack its end" in problems[0]
    assert "did not end" in problems[1]
    assert sorted(len(numbers(trace)) for trace in traces(rundir)) == [0, MANY]
