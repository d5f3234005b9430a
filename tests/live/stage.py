"""The stage of the tests of the live censor: client, box and server, each a network of its own.

A test file holds scenes, functions `scene_*` that are given the ground; the fixture `play` (in
conftest.py) performs one in a fresh sandbox and returns what it found. This module is the program
that runs there: `python -m tests.live.stage MODULE FUNCTION [ARGUMENT...]`.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.live import origin

ROOT = Path(__file__).resolve().parents[2]
CLIENT, SERVER, SERVER6 = "24.48.0.2", "93.184.216.34", "2606:2800:220:1::34"
UNSHARE = ("unshare", "-Urnmpuif", "--mount-proc", "--kill-child")
#: How long anything in these tests is waited for, in seconds: a busy machine is no failure.
PATIENCE = 60.0

#: What the fixture `play` is: give it a scene, and what the scene takes.
Play = Callable[..., dict[str, Any]]


def wait_for(condition: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    """Return what `condition` returns once it is true; fail when it is not in time."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not happen within {seconds:g} s")
        time.sleep(0.01)
    return found


def line(child: subprocess.Popen[str], seconds: float = PATIENCE) -> str:
    """Return the next line that a program says; fail when it ends first, or is not in time."""
    assert child.stdout is not None
    late = threading.Timer(seconds, child.kill)
    late.start()
    try:
        text = child.stdout.readline()
    finally:
        late.cancel()
    if not text:
        pytest.fail(f"{child.args!r} said nothing more; status {child.wait(PATIENCE)}")
    return text.removesuffix("\n")


def own(function: Callable[..., None], *arguments: str) -> tuple[str, ...]:
    """Return the command that calls a function of a test file or of the stage."""
    command = (sys.executable, "-P", "-m", "tests.live.stage")
    return (*command, function.__module__, function.__name__, *arguments)


def policy(*rules: tuple[Any, Any], position: str = "in-path", **more: Any) -> dict[str, Any]:
    """Return a policy of rules (when, then), called r0, r1, ..."""
    listed = [{"id": f"r{n}", "when": when, "then": then} for n, (when, then) in enumerate(rules)]
    return {"position": position, "rules": listed, **more}


# --- what runs in the sandbox ---------------------------------------------------------------


class Ground:
    """client -- box -- server, each a network namespace; the box forwards."""

    def __init__(self) -> None:
        self.folder = Path(os.environ["STAGE"])
        self.nodes = {name: self._node() for name in ("client", "box", "server")}
        self._marks = 0
        self._link("client", "c0", "box", "b0", 1, CLIENT)
        self._link("server", "s0", "box", "b1", 2, "24.48.1.2")
        self.sh("box", "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
        self.sh("server", f"ip addr add {SERVER}/32 dev lo; ip -6 addr add {SERVER6}/128 dev lo")
        self.sh("box", f"ip route add {SERVER}/32 via 24.48.1.2")
        self.sh("box", f"ip -6 route add {SERVER6}/128 via 2600:2::2")
        for name, four, six in (
            ("client", "24.48.0.1", "2600:1::1"),
            ("server", "24.48.1.1", "2600:2::1"),
        ):
            self.sh(name, f"ip route add default via {four}; ip -6 route add default via {six}")

    def _node(self) -> subprocess.Popen[str]:
        child = subprocess.Popen(["unshare", "-n", "sh", "-c", "echo up; exec sleep 600"],
                                 stdout=subprocess.PIPE, text=True)  # fmt: skip
        assert line(child) == "up"
        return child

    def _link(self, node: str, far: str, box: str, near: str, net: int, address: str) -> None:
        pid, box_pid = self.nodes[node].pid, self.nodes[box].pid
        self.sh(None, f"ip link add {far} netns {pid} type veth peer name {near} netns {box_pid}")
        gateway = address.rpartition(".")[0] + ".1"
        for name, dev, four, six in ((node, far, address, 2), (box, near, gateway, 1)):
            self.sh(name, f"ethtool -K {dev} tso off gso off gro off tx off rx off")
            self.sh(name, f"sysctl -qw net.ipv6.conf.{dev}.accept_dad=0")
            self.sh(
                name, f"ip link set lo up; ip link set {dev} up; ip addr add {four}/24 dev {dev}"
            )
            self.sh(name, f"ip -6 addr add 2600:{net}::{six}/64 dev {dev} nodad")

    def argv(self, node: str | None, command: list[str]) -> list[str]:
        if node is None:
            return command
        return ["nsenter", "-t", str(self.nodes[node].pid), "-n", *command]

    def sh(self, node: str | None, script: str) -> str:
        done = subprocess.run(
            self.argv(node, ["sh", "-ec", script]), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{node}: {script}: {done.stdout}{done.stderr}"
        return done.stdout

    def run(self, node: str, *command: str) -> tuple[int, str]:
        done = subprocess.run(
            self.argv(node, list(command)), capture_output=True, text=True, check=False, timeout=60
        )
        return done.returncode, done.stdout

    @contextmanager
    def program(self, node: str, *command: str) -> Iterator[subprocess.Popen[str]]:
        child = subprocess.Popen(
            self.argv(node, list(command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            yield child
        finally:
            child.kill()
            child.wait()

    @contextmanager
    def serving(
        self, node: str, *command: str, word: str = "up"
    ) -> Iterator[subprocess.Popen[str]]:
        """Start a program that says `word` once it can be asked."""
        with self.program(node, *command) as child:
            while line(child) != word:
                pass  # what else it says before
            yield child

    @contextmanager
    def server(self) -> Iterator[None]:
        """Stand the server: DNS, and HTTP on 80 and 8080."""
        with self.serving("server", *own(origin.serve, SERVER, SERVER6)):
            yield

    @contextmanager
    def ear(self, node: str, device: str) -> Iterator[Callable[[], list[str]]]:
        """Listen on an interface; yields what returns all packets seen there until now, in hex."""
        path = self.folder / f"{device}.wire"
        with self.serving(node, *own(origin.listen, device, str(path))):

            def heard() -> list[str]:
                """A packet of our own goes by: whatever was there before it has been heard."""
                self._marks += 1
                mark = f"mark {self._marks} of {device}"
                send = f"printf '{mark}' > /dev/udp/24.48.{'01'[node == 'server']}.1/9"

                def seen() -> list[str]:
                    self.run(node, "bash", "-c", send)
                    *lines, _ = path.read_text().split("\n")
                    return lines if any(mark.encode().hex() in one for one in lines) else []

                found: list[str] = wait_for(seen, f"{mark!r}, on the wire")
                return [one for one in found if b"mark ".hex() not in one]

            yield heard

    def listening(self, node: str, *ports: int) -> None:
        """Wait until UDP ports of a node are open."""
        words = [f":{port:04X} " for port in ports]

        def opened() -> bool:
            table = self.sh(node, "cat /proc/net/udp").upper()
            return all(word in table for word in words)

        wait_for(opened, f"{ports} of {node}, open,")

    @contextmanager
    def censor(self, policy: Mapping[str, Any], *flags: str) -> Iterator[Censor]:
        path = self.folder / "policy.json"
        path.write_text(json.dumps(policy))
        command = [sys.executable, "-P", "-m", "censor", "run", "--policy", str(path), "--queue"]
        command += ["7", "--inside", "b0", "--outside", "b1", *flags]
        command += ["--events", str(self.folder / "events.jsonl")]
        command += ["--door", str(self.folder / "door.pcapng")]
        with self.program("box", *command) as child:
            censor = Censor(child)
            assert censor.read()["ready"] is True
            yield censor

    def logged(self, censor: Censor, word: str) -> None:
        """Wait until the censor has logged an event; its log is complete up to each answer."""
        path = self.folder / "events.jsonl"

        def found() -> bool:
            censor.ask("stats")
            return f'"{word}"' in path.read_text()

        wait_for(found, f"the event {word}")

    def curl(self, host: str, *flags: str, path: str = "/", port: int = 80) -> tuple[int, str]:
        resolve = f"{host}:{port}:{SERVER}"
        url = f"http://{host}:{port}{path}"
        return self.run("client", "curl", "-sS", "-m", "2", "--resolve", resolve, *flags, url)

    def dig(self, name: str, *flags: str, at: str = SERVER) -> list[str]:
        command = ["dig", "+short", "+tries=1", "+time=2", *flags, f"@{at}", name]
        lines = self.run("client", *command)[1].splitlines()
        return [line for line in lines if not line.startswith(";")]

    def finish(self, censor: Censor, **found: Any) -> dict[str, Any]:
        """Stop the censor, replay its door record, and gather what it said."""
        stopped = censor.ask("stop")
        censor.child.wait(PATIENCE)
        folder = self.folder
        replayed = subprocess.run(
            [sys.executable, "-P", "-m", "censor", "replay", str(folder / "door.pcapng"),
             "--policy", str(folder / "policy.json"), "--events", str(folder / "events.jsonl")],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return {
            **found,
            "stopped": stopped,
            "status": censor.child.returncode,
            "events": [json.loads(line) for line in (folder / "events.jsonl").open()],
            "replay": [replayed.returncode, replayed.stdout + replayed.stderr],
        }


class Censor:
    """A running censor and its answers."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        self.child = child

    def read(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(line(self.child))
        return answer

    def ask(self, word: str) -> dict[str, Any]:
        assert self.child.stdin is not None
        self.child.stdin.write(json.dumps({"do": word}) + "\n")
        self.child.stdin.flush()
        return self.read()


def main() -> None:
    """Perform a scene on new ground and write down what it found; or be one of its programs."""
    function = getattr(importlib.import_module(sys.argv[1]), sys.argv[2])
    if not sys.argv[2].startswith("scene"):
        function()
        return
    result = function(Ground(), *sys.argv[3:])
    Path(os.environ["STAGE"], "result.json").write_text(json.dumps(result))


# --- what pytest runs -----------------------------------------------------------------------


def perform(scene: Callable[..., Any], *arguments: str, folder: Path) -> dict[str, Any]:
    """Perform a scene in a new sandbox and return what it found."""
    done = subprocess.run(
        [*UNSHARE, *own(scene, *arguments)],
        env={**os.environ, "STAGE": str(folder), "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    result: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return result


def said(result: Mapping[str, Any], word: str) -> list[dict[str, Any]]:
    """Return the events of one kind."""
    return [event for event in result["events"] if event["event"] == word]


def assert_clean(result: Mapping[str, Any]) -> None:
    """The censor ended well, and its door record, replayed, says what its log says."""
    assert result["status"] == 0
    assert result["replay"][0] == 0, result["replay"][1]
    stopped = result["stopped"]
    assert (stopped["queue_dropped"], stopped["user_dropped"], stopped["unsent"]) == (0, 0, 0)
    assert stopped["seen"] == stopped["accepted"] + stopped["dropped"] == stopped["n"]


if __name__ == "__main__":
    main()
