"""Nothing that is dropped gets through, and what must win its race wins it, thousands of times.

Scenes run in a fresh sandbox, on the ground of `test_censor_queue.py`; this file is the program.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.live, pytest.mark.alone]


def _sibling() -> Any:
    """Load the file that knows how to lay the ground."""
    path = Path(__file__).with_name("test_censor_queue.py")
    spec = importlib.util.spec_from_file_location("censor_scenes", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


scenes = _sibling()
RACES = 1000
FORGED = "8.7.198.45"
#: One question after the other on one socket each; the server is 10 ms slower than the censor.
ASK = f"""
import dns.message, dns.query, dns.rdatatype, sys
won = 0
for n in range({RACES}):
    query = dns.message.make_query(f"n{{n}}.blocked.example", "A")
    answer = dns.query.udp(query, "{scenes.SERVER}", timeout=5)
    won += answer.answer[0][0].address == "{FORGED}"
print(won)
"""
SLOW = f"""
import asyncio, dns.message, dns.rrset
class Server(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport
    def datagram_received(self, data, sender):
        reply = dns.message.make_response(dns.message.from_wire(data))
        name = reply.question[0].name
        reply.answer.append(dns.rrset.from_text(name, 60, "IN", "A", "{scenes.SERVER}"))
        asyncio.get_running_loop().call_later(0.012, self.transport.sendto, reply.to_wire(), sender)
async def main():
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(Server, ("{scenes.SERVER}", 53))
    print("up", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""
PAGES = f"""
import socket
won = 0
for n in range({RACES}):
    with socket.create_connection(("{scenes.SERVER}", 80), timeout=5) as one:
        one.sendall(b"GET / HTTP/1.1\\r\\nHost: blocked.example\\r\\n\\r\\n")
        won += one.recv(4096).startswith(b"HTTP/1.1 403")
print(won)
"""
#: Numbered datagrams to a port that is closed to all, in handfuls, until killed.
FLOOD = f"""
import itertools, socket, time
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
    print("up", flush=True)
    for n in itertools.count():
        if n % 20 == 0:
            time.sleep(0.002)
        one.sendto(b"leak" + n.to_bytes(8, "big"), ("{scenes.SERVER}", 9))
"""
NAMES = f"""
import dns.message, socket
def question(name):
    return dns.message.make_query(name, "A").to_wire()
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
    one.settimeout(5)
    one.connect(("{scenes.SERVER}", 5353))
    one.send(question("free.example"))
    try:
        one.recv(512)
    except ConnectionRefusedError:
        print("refused", flush=True)
    for n in range(100):
        one.send(question("gone.example"))
"""


# --- what runs in the sandbox ----------------------------------------------------------------


def numbers(path: Path, key: str = b"leak".hex()) -> list[int]:
    """Return the numbers of the flood's datagrams in a list of packets in hex."""
    found = []
    for line in path.read_text().split("\n")[:-1]:
        before, mark, after = line.partition(key)
        if mark and before[18:20] == "11":
            found.append(int(after[:16], 16))
    return found


def scene_flood(ground: Any) -> dict[str, Any]:
    """Idle, active, active anew again and again, and dead: beside a settled bulk transfer."""
    rule = {"id": "port", "when": {"server.port": [9]}, "then": {"drop": "packet"}}
    closed = {"position": "in-path", "rules": [rule]}
    with (
        ground.server(),
        ground.program("server", sys.executable, scenes.__file__, "listen", "s0") as ear,
        ground.censor(closed) as censor,
    ):
        assert ear.stdout.readline() == "up\n"
        with ground.program("client", sys.executable, "-c", FLOOD) as flood:
            assert flood.stdout.readline() == "up\n"
            before = censor.ask("stats")
            while before["seen"] < 500:
                before = censor.ask("stats")
            first = censor.ask("active")
            big = ["curl", "-sS", "-o", "/dev/null", "-w", "%{size_download}"]
            with subprocess.Popen(
                ground.argv("client", [*big, f"http://{scenes.SERVER}:8080/size/20000000"]),
                stdout=subprocess.PIPE, text=True,
            ) as bulk:  # fmt: skip
                for _ in range(20):
                    start = censor.ask("active")["n"]
                    while censor.ask("stats")["seen"] < start + 300:
                        pass
                size = bulk.communicate(timeout=60)[0]
            last = censor.ask("stats")
            censor.child.kill()
            censor.child.wait()
            time.sleep(0.2)  # the flood goes on, and nobody is there to drop it
        passed = numbers(ground.folder / "wire")
    return {"n": first["n"], "last": last, "size": size, "passed": passed,
            "door": _door(ground.folder / "door.pcapng")}  # fmt: skip


def _door(path: Path) -> list[int | None]:
    """Return the flood's number of each packet at the door; None for others."""
    from filterbed.pcapng import read

    frames = [frame.data for frame in read(path).frames]
    return [int.from_bytes(d[32:40], "big") if d[28:32] == b"leak" else None for d in frames]


def scene_error(ground: Any) -> dict[str, Any]:
    """An ICMP error about a flow says nothing of the flow: it goes on being asked about."""
    gone = {"dns.name": {"exact": ["gone.example"]}}
    rule = {"id": "gone", "when": gone, "then": {"drop": "packet"}}
    policy = {"position": "in-path", "dns": {"ports": [5353]}, "rules": [rule]}
    with (
        ground.server(),
        ground.program("server", sys.executable, scenes.__file__, "listen", "s0") as ear,
        ground.censor(policy) as censor,
    ):
        assert ear.stdout.readline() == "up\n"
        censor.ask("active")
        said = ground.run("client", sys.executable, "-c", NAMES)[1]
        found = ground.finish(censor, said=said)
        wire = (ground.folder / "wire").read_text()
        return {**found, "passed": wire.count(b"\4gone\7example".hex())}


def scene_races(ground: Any) -> dict[str, Any]:
    answer = {"inject": "dns-answer", "addresses": [FORGED]}
    when = {"dns.name": {"suffix": ["blocked.example"]}}
    beside = {"position": "on-path", "latency": "2 ms",
              "rules": [{"id": "dns", "when": when, "then": answer}]}  # fmt: skip
    with (
        ground.program("server", sys.executable, "-c", SLOW) as server,
        ground.censor(beside) as censor,
    ):
        assert server.stdout.readline() == "up\n"
        censor.ask("active")
        said = ground.run("client", sys.executable, "-c", ASK)[1]
        return dict(ground.finish(censor, said=said))


def scene_pages(ground: Any) -> dict[str, Any]:
    page = {"inject": "block-page", "status": 403, "body": "forbidden\n"}
    when = {"http.host": {"suffix": ["blocked.example"]}}
    within = {"position": "in-path", "rules": [{"id": "page", "when": when, "then": page}]}
    with ground.server(), ground.censor(within) as censor:
        censor.ask("active")
        said = ground.run("client", sys.executable, "-c", PAGES)[1]
        hosts = ground.folder / "hosts"
        return dict(ground.finish(censor, said=said, served=hosts.exists() and hosts.read_text()))


def main() -> None:
    if sys.argv[1] in ("listen", "serve"):
        getattr(scenes, sys.argv[1])()
        return
    result = globals()[f"scene_{sys.argv[1]}"](scenes.Ground())
    Path(os.environ["STAGE"], "result.json").write_text(json.dumps(result))


# --- judging ---------------------------------------------------------------------------------


@pytest.fixture
def play(tmp_path: Path) -> Any:
    def run(scene: str) -> dict[str, Any]:
        done = subprocess.run(
            [*scenes.UNSHARE, sys.executable, __file__, scene],
            env={**os.environ, "STAGE": str(tmp_path), "PYTHONPATH": str(scenes.ROOT)},
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        result: dict[str, Any] = json.loads((tmp_path / "result.json").read_text())
        return result

    return run


def test_not_one_packet_leaks_at_any_change_beside_a_settled_transfer(play: Any) -> None:
    result = play("flood")
    idle, active = result["door"][: result["n"]], result["door"][result["n"] :]
    let = {number for number in idle if number is not None}
    assert len(let) > 100
    # What was let through while idle passed, as far as the server's ear could follow.
    assert set(result["passed"]) <= let
    assert len([number for number in active if number is not None]) > 5000
    assert result["size"] == "20000000"  # meanwhile a transfer was settled, and went on
    assert result["last"]["settled"] > 0


def test_an_icmp_error_does_not_settle_the_flow_it_is_about(play: Any) -> None:
    result = play("error")
    assert result["said"] == "refused\n"
    dropped = [event for event in result["events"] if event["event"] == "dropped"]
    assert (len(dropped), result["passed"]) == (100, 0)
    assert result["replay"][0] == 0, result["replay"][1]


def test_a_forged_answer_beats_a_path_ten_milliseconds_slower_every_time(play: Any) -> None:
    result = play("races")
    assert result["said"] == f"{RACES}\n"
    assert result["stopped"]["injected"] == RACES


def test_in_the_path_the_forged_page_is_the_only_one_every_time(play: Any) -> None:
    result = play("pages")
    assert result["said"] == f"{RACES}\n"
    assert result["served"] is False


if __name__ == "__main__":
    main()
