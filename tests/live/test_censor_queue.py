"""The live censor between a real client and a real server, in namespaces of its own.

Each test runs one of the functions `scene_*` below in a fresh sandbox (this file is also the
program that runs there) and judges the JSON it prints.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
CLIENT, SERVER, SERVER6 = "24.48.0.2", "93.184.216.34", "2606:2800:220:1::34"
UNSHARE = [
    "unshare",
    "-U",
    "-r",
    "-n",
    "-m",
    "-p",
    "-u",
    "-i",
    "-f",
    "--mount-proc",
    "--kill-child",
]

POOL = {"pool": ["8.7.198.45", "2001:db8:7::45"]}
POISON = {
    "position": "on-path",
    "latency": "2 ms",
    "pools": POOL,
    "rules": [
        {
            "id": "dns",
            "when": {"dns.name": {"suffix": ["blocked.example"]}},
            "then": {
                "inject": "dns-answer",
                "addresses": "pool",
                "ttl": {"random": [30, 255]},
                "ip_id": 0,
                "df": False,
            },
        }
    ],
}


# --- what runs in the sandbox ---------------------------------------------------------------


class Ground:
    """client -- box -- server, each a network namespace; the box forwards."""

    def __init__(self) -> None:
        self.folder = Path(os.environ["STAGE"])
        self.nodes = {name: self._node() for name in ("client", "box", "server")}
        self._link("client", "c0", "box", "b0", 1, CLIENT)
        self._link("server", "s0", "box", "b1", 2, "24.48.1.2")
        self.sh("box", "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
        self.sh("server", f"ip addr add {SERVER}/32 dev lo; ip -6 addr add {SERVER6}/128 dev lo")
        self.sh("box", f"ip route add {SERVER}/32 via 24.48.1.2")
        self.sh("box", f"ip -6 route add {SERVER6}/128 via 2600:2::2")
        for name in ("client", "server"):
            via = {"client": ("24.48.0.1", "2600:1::1"), "server": ("24.48.1.1", "2600:2::1")}[name]
            self.sh(
                name, f"ip route add default via {via[0]}; ip -6 route add default via {via[1]}"
            )

    def _node(self) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(["unshare", "-n", "sh", "-c", "echo up; exec sleep 600"],
                                 stdout=subprocess.PIPE)  # fmt: skip
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        return child

    def _link(self, node: str, far: str, box: str, near: str, net: int, address: str) -> None:
        pid, box_pid = self.nodes[node].pid, self.nodes[box].pid
        self.sh(None, f"ip link add {far} netns {pid} type veth peer name {near} netns {box_pid}")
        gateway = address.rpartition(".")[0] + ".1"
        for name, dev, own, six in ((node, far, address, 2), (box, near, gateway, 1)):
            self.sh(name, f"ethtool -K {dev} tso off gso off gro off tx off rx off")
            self.sh(name, f"sysctl -qw net.ipv6.conf.{dev}.accept_dad=0")
            self.sh(
                name, f"ip link set lo up; ip link set {dev} up; ip addr add {own}/24 dev {dev}"
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
    def server(self) -> Iterator[None]:
        with self.program("server", sys.executable, __file__, "serve") as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "up\n"
            yield

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

    def curl(self, host: str, *flags: str, path: str = "/", port: int = 80) -> tuple[int, str]:
        resolve = f"{host}:{port}:{SERVER}"
        url = f"http://{host}:{port}{path}"
        return self.run("client", "curl", "-sS", "-m", "2", "--resolve", resolve, *flags, url)

    def dig(self, name: str, *flags: str, at: str = SERVER) -> list[str]:
        command = ["dig", "+short", "+tries=1", "+time=2", *flags, f"@{at}", name]
        return self.run("client", *command)[1].split("\n")[:-1]

    def finish(self, censor: Censor, **found: Any) -> dict[str, Any]:
        """Stop the censor, replay its door record, and gather what it said."""
        stopped = censor.ask("stop")
        censor.child.wait(10)
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
        assert self.child.stdout is not None
        answer: dict[str, Any] = json.loads(self.child.stdout.readline())
        return answer

    def ask(self, word: str) -> dict[str, Any]:
        assert self.child.stdin is not None
        self.child.stdin.write(json.dumps({"do": word}) + "\n")
        self.child.stdin.flush()
        return self.read()


def serve() -> None:
    """Be the server: DNS that takes 30 ms over an answer, and HTTP on 80 and 8080."""
    import socket
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    import dns.flags
    import dns.message
    import dns.rrset

    def answer(query: bytes, sender: Any, sock: socket.socket) -> None:
        message = dns.message.from_wire(query)
        reply = dns.message.make_response(message)
        question = message.question[0]
        if question.rdtype == 1:
            reply.answer.append(dns.rrset.from_text(question.name, 60, "IN", "A", SERVER))
        time.sleep(0.03)
        sock.sendto(reply.to_wire(), sender)

    def dns_server(family: int, address: str) -> None:
        sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.bind((address, 53))
        while True:
            query, sender = sock.recvfrom(4096)
            threading.Thread(target=answer, args=(query, sender, sock), daemon=True).start()

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/size/"):
                body = bytes(int(self.path.split("/")[2]))
            else:
                time.sleep(0.03)
                body = b"genuine\n"
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            with Path(os.environ["STAGE"], "hosts").open("a") as log:
                log.write(f"{self.headers['Host']}\n")

        def log_message(self, *_: Any) -> None:
            pass

    for family, address in ((socket.AF_INET, SERVER), (socket.AF_INET6, SERVER6)):
        threading.Thread(target=dns_server, args=(family, address), daemon=True).start()
    for port in (80, 8080):
        one = ThreadingHTTPServer((SERVER, port), Page)
        threading.Thread(target=one.serve_forever, daemon=True).start()
    print("up", flush=True)
    threading.Event().wait()


def scene_poison(ground: Ground) -> dict[str, Any]:
    with ground.server(), ground.censor(POISON) as censor:
        before = ground.dig("www.blocked.example")
        active = censor.ask("active")
        found = {
            "blocked": [ground.dig("wWw.bLocked.example") for _ in range(5)],
            "free": ground.dig("www.free.example"),
            "six": ground.dig("www.blocked.example", "AAAA", at=SERVER6),
            "mail": ground.dig("www.blocked.example", "MX"),
        }
        idle = censor.ask("idle")
        after = ground.dig("www.blocked.example")
        return ground.finish(censor, before=before, after=after, active=active, idle=idle, **found)


def main() -> None:
    if sys.argv[1] == "serve":
        serve()
    else:
        result = globals()[f"scene_{sys.argv[1]}"](Ground())
        Path(os.environ["STAGE"], "result.json").write_text(json.dumps(result))


# --- what pytest runs -----------------------------------------------------------------------

pytestmark = pytest.mark.live


@pytest.fixture
def play(tmp_path: Path) -> Callable[[str], dict[str, Any]]:
    """Run a scene in a sandbox and return what it found."""
    missing = [
        tool for tool in ("unshare", "ip", "ethtool", "dig", "curl") if not shutil.which(tool)
    ]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")

    def run(scene: str) -> dict[str, Any]:
        done = subprocess.run(
            [*UNSHARE, sys.executable, __file__, scene],
            env={**os.environ, "STAGE": str(tmp_path), "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        result: dict[str, Any] = json.loads((tmp_path / "result.json").read_text())
        return result

    return run


def acts(result: Mapping[str, Any]) -> list[str]:
    words = ("matched", "injected", "dropped", "residual", "forgotten")
    return [event["event"] for event in result["events"] if event["event"] in words]


def assert_clean(result: Mapping[str, Any]) -> None:
    assert result["status"] == 0
    assert result["replay"][0] == 0, result["replay"][1]
    stopped = result["stopped"]
    assert (stopped["queue_dropped"], stopped["user_dropped"], stopped["unsent"]) == (0, 0, 0)
    assert stopped["seen"] == stopped["accepted"] + stopped["dropped"] == stopped["n"]


def test_poisons_and_only_while_active(play: Callable[[str], dict[str, Any]]) -> None:
    result = play("poison")
    assert_clean(result)
    assert result["before"] == result["after"] == [SERVER]
    assert result["blocked"] == [["8.7.198.45"]] * 5
    assert result["free"] == [SERVER]
    assert result["six"] == ["2001:db8:7::45"]
    assert result["mail"] == []
    assert acts(result) == ["matched", "injected"] * 7
    assert result["stopped"]["late"]["median"] < 0.005


if __name__ == "__main__":
    main()
