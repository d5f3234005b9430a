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
        lines = self.run("client", *command)[1].splitlines()
        return [line for line in lines if not line.startswith(";")]

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


def listen() -> None:
    """Write down every IP packet that an interface sees, as hex, one a line."""
    import socket

    sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
    sock.bind((sys.argv[2], 3))
    print("up", flush=True)
    with Path(os.environ["STAGE"], "wire").open("w", buffering=1) as file:
        while True:
            file.write(sock.recv(65536).hex() + "\n")


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
        protocol_version = "HTTP/1.1"

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


RESET = {
    "position": "on-path",
    "latency": "2 ms",
    "rules": [
        {
            "id": "host",
            "when": {"http.host": {"suffix": ["blocked.example"]}},
            "then": {
                "inject": "reset",
                "count": 3,
                "offsets": [0, 1460, 4380],
                "residual": {"seconds": 2},
            },
        }
    ],
}


def scene_reset(ground: Ground) -> dict[str, Any]:
    with ground.server(), ground.censor(RESET) as censor:
        before = ground.curl("www.blocked.example")
        censor.ask("active")
        found = {
            "free": ground.curl("free.example"),
            "blocked": ground.curl("www.blocked.example"),
            "residual": ground.curl("free.example"),
            "elsewhere": ground.curl("free.example", port=8080),
        }
        events = ground.folder / "events.jsonl"
        deadline = time.monotonic() + 10
        while '"forgotten"' not in events.read_text() and time.monotonic() < deadline:
            time.sleep(0.02)
        found["after"] = ground.curl("free.example")
        return ground.finish(censor, before=before, **found)


def scene_wire(ground: Ground) -> dict[str, Any]:
    """What the client sees on its wire of what was forged for it."""
    policy = {**POISON, "rules": [*POISON["rules"], *RESET["rules"]]}
    with (
        ground.server(),
        ground.program("client", sys.executable, __file__, "listen", "c0") as ear,
        ground.censor(policy) as censor,
    ):
        assert ear.stdout is not None
        assert ear.stdout.readline() == "up\n"
        censor.ask("active")
        ground.dig("www.blocked.example")
        ground.dig("www.blocked.example", "AAAA", at=SERVER6)
        ground.curl("blocked.example")
        found = ground.finish(censor)
        return {**found, "wire": (ground.folder / "wire").read_text().split()}


def scene_overflow(ground: Ground) -> dict[str, Any]:
    """More packets than the queue holds, while the censor sleeps."""
    flood = f"""
import socket
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for n in range(9000):
    sock.sendto(b"x", ("{SERVER}", 9))
"""
    with ground.server(), ground.censor(RESET, "--no-offload") as censor:
        censor.ask("active")
        censor.child.send_signal(signal.SIGSTOP)
        ground.run("client", sys.executable, "-c", flood)
        censor.child.send_signal(signal.SIGCONT)
        stats = censor.ask("stats")
        return ground.finish(censor, stats=stats)


def scene_page(ground: Ground) -> dict[str, Any]:
    policy = {
        "position": "in-path",
        "rules": [
            {
                "id": "page",
                "when": {"http.host": {"suffix": ["blocked.example"]}},
                "then": {"inject": "block-page", "status": 403, "body": "forbidden\n" * 300},
            },
            {
                "id": "elsewhere",
                "when": {"http.host": {"suffix": ["moved.example"]}},
                "then": {
                    "inject": "block-page",
                    "status": 302,
                    "location": "http://warning.example/",
                    "then": "reset",
                },
            },
        ],
    }
    code = ["-w", "%{http_code} %{redirect_url}"]
    with ground.server(), ground.censor(policy) as censor:
        censor.ask("active")
        found = {
            "free": ground.curl("free.example", *code),
            "blocked": ground.curl("blocked.example", *code),
            "moved": ground.curl("moved.example", *code),
        }
        hosts = Path(ground.folder, "hosts").read_text().split()
        return ground.finish(censor, hosts=hosts, **found)


def scene_drop(ground: Ground) -> dict[str, Any]:
    policy = {
        "position": "in-path",
        "rules": [
            {"id": "six", "when": {"server.address": [SERVER6]}, "then": {"drop": "packet"}},
            {"id": "port", "when": {"server.port": [8080]},
             "then": {"drop": "packet", "toward": "client"}},
            {"id": "query", "when": {"dns.name": {"exact": ["gone.example"]}},
             "then": {"drop": "packet"}},
            {"id": "host", "when": {"http.host": {"exact": ["blocked.example"]}},
             "then": {"drop": "flow"}},
            {"id": "friends", "when": {"http.host": {"exact": ["blocked.example"]},
             "client.address": ["24.48.0.0/16"], "server.port": [81]}, "then": {"allow": True}},
        ],
    }  # fmt: skip
    with ground.server(), ground.censor(policy) as censor:
        censor.ask("active")
        found = {
            "six": ground.dig("www.free.example", at=SERVER6),
            "four": ground.dig("www.free.example"),
            "gone": ground.dig("gone.example"),
            "port": ground.curl("free.example", port=8080),
            "host": ground.curl("blocked.example"),
            "free": ground.curl("free.example"),
        }
        return ground.finish(censor, **found)


def scene_killed(ground: Ground) -> dict[str, Any]:
    with ground.server(), ground.censor(RESET) as censor:
        censor.ask("active")
        alive = ground.curl("free.example")
        censor.child.kill()
        censor.child.wait()
        return {"alive": alive, "dead": ground.curl("free.example")}


def scene_broken(ground: Ground) -> dict[str, Any]:
    """A censor that fails on a packet lets none pass, and says so."""
    with ground.server(), ground.censor(RESET, "--outside", "lo") as censor:
        fetched = ground.curl("free.example")
        status = censor.child.wait(10)
        lines = [json.loads(line) for line in (ground.folder / "events.jsonl").open()]
        return {"fetched": fetched, "status": status, "lines": lines}


def scene_offload(ground: Ground) -> dict[str, Any]:
    """Move much over one flow; then use the same ports in two generations."""
    size = 20_000_000
    found = {}
    once = ground.folder / "once.py"
    once.write_text(f"""
import socket, struct, sys
sock = socket.socket()
sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
sock.bind(("", 5000))
sock.connect(("{SERVER}", 80))
try:
    sock.sendall(f"GET / HTTP/1.1\\r\\nHost: {{sys.argv[1]}}\\r\\n\\r\\n".encode())
    print("read" if sock.recv(100) else "closed")
except OSError as error:
    print(type(error).__name__)
""")
    for name, flags in (("offload", []), ("inspected", ["--no-offload"])):
        with ground.server(), ground.censor(RESET, *flags) as censor:
            censor.ask("active")
            before = censor.ask("stats")["seen"]
            path = f"/size/{size}"
            got = ground.curl("free.example", "-o", "/dev/null", "-w", "%{size_download}",
                              "-m", "30", path=path)  # fmt: skip
            after = censor.ask("stats")["seen"]
            again = ground.sh("client", f"{sys.executable} {once} free.example")
            censor.ask("active")  # a new generation: the same ports must be asked about again
            ports = censor.ask("stats")["seen"]
            reset = ground.sh("client", f"{sys.executable} {once} blocked.example")
            found[name] = {
                "got": got, "again": again.strip(), "reset": reset.strip(),
                "packets": after - before,
                "anew": censor.ask("stats")["seen"] - ports,
                **ground.finish(censor),
            }  # fmt: skip
    return found


def scene_unsettle(ground: Ground) -> dict[str, Any]:
    """A settled connection is reset once a memory reaches its two ends."""
    script = f"""
import socket, sys
sock = socket.create_connection(("{SERVER}", 80))
file = sock.makefile("rb")
for line in sys.stdin:
    host = line.strip()
    try:
        sock.sendall(f"GET / HTTP/1.1\\r\\nHost: {{host}}\\r\\n\\r\\n".encode())
        while (head := file.readline()) not in (b"\\r\\n", b""): pass
        print(head and file.read(8).decode().strip() or "closed", flush=True)
    except OSError as error:
        print(type(error).__name__, flush=True)
"""
    path = ground.folder / "client.py"
    path.write_text(script)
    with (
        ground.server(),
        ground.censor(RESET) as censor,
        ground.program("client", sys.executable, str(path)) as client,
    ):

        def request(host: str) -> str:
            assert client.stdin is not None
            assert client.stdout is not None
            client.stdin.write(host + "\n")
            client.stdin.flush()
            return client.stdout.readline().strip()

        censor.ask("active")
        ground.curl("free.example")
        before = [censor.ask("stats")["seen"]]
        first = [request("free.example"), request("free.example")]
        before.append(censor.ask("stats")["seen"])
        first.append(request("free.example"))
        before.append(censor.ask("stats")["seen"])
        blocked = ground.curl("blocked.example")
        return ground.finish(
            censor, first=first, then=request("free.example"), blocked=blocked, seen=before
        )


def scene_silence(ground: Ground) -> dict[str, Any]:
    """Speak, be silent for as long as the box remembers, and speak from the same port again."""
    policy = {**RESET, "limits": {"idle": "1 s"}}
    ground.sh("server", "iptables -A OUTPUT -p icmp -j DROP")  # nobody listens, and says so
    tracker = "/proc/sys/net/netfilter/nf_conntrack_"
    with ground.censor(policy) as censor:
        censor.ask("active")
        kept = [
            ground.sh("box", f"cat {tracker}{name}").strip()
            for name in ("udp_timeout", "udp_timeout_stream", "tcp_timeout_established")
        ]
        seen = []
        script = (
            "import socket, sys; one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);"
            f"one.bind(('', 5000)); one.sendto(b'x', ('{SERVER}', 9))"
        )
        for _ in range(2):
            ground.run("client", sys.executable, "-c", script)
            seen.append(censor.ask("stats")["seen"])
        while "sport=5000" in ground.sh("box", "cat /proc/net/nf_conntrack"):
            pass  # the kernel forgets within a second or two
        ground.run("client", sys.executable, "-c", script)
        seen.append(censor.ask("stats")["seen"])
        return ground.finish(censor, kept=kept, seen=seen)


def main() -> None:
    if sys.argv[1] in ("serve", "listen"):
        globals()[sys.argv[1]]()
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


def test_resets_and_remembers(play: Callable[[str], dict[str, Any]]) -> None:
    result = play("reset")
    assert_clean(result)
    for name in ("before", "free", "elsewhere", "after"):
        assert result[name] == [0, "genuine\n"], name
    assert result["blocked"][0] == 56  # curl: connection reset
    assert result["residual"][0] == 56
    assert acts(result)[:4] == ["matched", "injected", "injected", "residual"]
    hit = [event for event in result["events"] if event.get("residual")]
    assert hit[0]["trigger"] == {"http.host": "free.example"}
    assert acts(result)[-1] == "forgotten"


def test_forgeries_arrive_as_the_log_says(play: Callable[[str], dict[str, Any]]) -> None:
    result = play("wire")
    assert_clean(result)
    forged = [
        packet
        for event in result["events"]
        if event["event"] == "injected" and event["toward"] == "client"
        for packet in event["packets"]
    ]
    assert len(forged) == 2 + 3
    assert forged[0][8:16] == "00000000"[:8]  # identification 0, no flags: as the policy says
    assert [packet for packet in result["wire"] if packet in forged] == forged


def test_lost_packets_are_said(play: Callable[[str], dict[str, Any]]) -> None:
    result = play("overflow")
    lost = result["stats"]["queue_dropped"] + result["stats"]["user_dropped"]
    assert lost > 0
    assert result["stopped"]["n"] < 9000
    events = [event for event in result["events"] if event["event"] == "overflowed"]
    assert events[-1]["queue_dropped"] + events[-1]["user_dropped"] == lost
    assert result["replay"][0] == 0  # what reached the engine is still the same


def test_block_pages_stand_for_the_answer(play: Callable[[str], dict[str, Any]]) -> None:
    result = play("page")
    assert_clean(result)
    assert result["free"] == [0, "genuine\n200 "]
    assert result["blocked"] == [0, "forbidden\n" * 300 + "403 "]
    assert result["moved"] == [0, "302 http://warning.example/"]
    assert result["hosts"] == ["free.example"]


def test_drops_what_the_policy_says(play: Callable[[str], dict[str, Any]]) -> None:
    result = play("drop")
    assert_clean(result)
    assert result["four"] == [SERVER]
    assert result["six"] == result["gone"] == []
    assert result["port"][0] == 28  # curl: timeout
    assert result["host"][0] == 28
    assert result["free"] == [0, "genuine\n"]
    dropped = {e["rule"]: e["toward"] for e in result["events"] if e["event"] == "dropped"}
    assert dropped["port"] == "client"
    assert set(dropped) == {"six", "port", "query", "host"}


def test_a_dead_censor_stops_traffic(play: Callable[[str], dict[str, Any]]) -> None:
    result = play("killed")
    assert result["alive"] == [0, "genuine\n"]
    assert result["dead"][0] == 28


def test_a_censor_that_fails_stops_traffic_and_says_why(
    play: Callable[[str], dict[str, Any]],
) -> None:
    result = play("broken")
    assert result["fetched"][0] == 28
    assert result["status"] == 1
    assert [line["event"] for line in result["lines"]] == ["started", "policy", "failed", "stopped"]
    assert "came in on b1" in result["lines"][2]["error"]


def test_settled_flows_leave_the_queue(play: Callable[[str], dict[str, Any]]) -> None:
    result = play("offload")
    for name in ("offload", "inspected"):
        assert_clean(result[name])
        assert result[name]["got"] == [0, "20000000"]
        assert result[name]["again"] == "read"
        assert result[name]["reset"] == "ConnectionResetError"
        assert result[name]["anew"] >= 4
    assert result["inspected"]["packets"] > 14_000
    assert result["offload"]["packets"] < 1_000


def test_memories_reach_settled_flows(play: Callable[[str], dict[str, Any]]) -> None:
    result = play("unsettle")
    assert_clean(result)
    assert result["first"] == ["genuine"] * 3
    assert result["seen"][2] == result["seen"][1]  # the third request was not asked about
    assert result["blocked"][0] == 56
    assert result["then"] == "ConnectionResetError"


def test_the_kernel_forgets_a_settled_flow_when_the_box_does(
    play: Callable[[str], dict[str, Any]],
) -> None:
    result = play("silence")
    assert_clean(result)
    assert result["kept"] == ["1"] * 3
    first, second, third = result["seen"]
    assert second == first  # settled: not asked about
    assert third > second


if __name__ == "__main__":
    main()
