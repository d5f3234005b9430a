"""Nothing that is dropped gets through, and what must win its race wins it, thousands of times.

Scenes run in a fresh sandbox (tests/live/stage.py).
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.live.stage import PATIENCE, SERVER, Ground, Play, wait_for

pytestmark = [pytest.mark.live, pytest.mark.alone]

RACES = 1000
FORGED = "8.7.198.45"
#: One question after the other on one socket each; the server is 10 ms slower than the censor.
ASK = f"""
import dns.message, dns.query, dns.rdatatype, sys
won = 0
for n in range({RACES}):
    query = dns.message.make_query(f"n{{n}}.blocked.example", "A")
    answer = dns.query.udp(query, "{SERVER}", timeout=5)
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
        reply.answer.append(dns.rrset.from_text(name, 60, "IN", "A", "{SERVER}"))
        asyncio.get_running_loop().call_later(0.012, self.transport.sendto, reply.to_wire(), sender)
async def main():
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(Server, ("{SERVER}", 53))
    print("up", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""
PAGES = f"""
import socket
won = 0
for n in range({RACES}):
    with socket.create_connection(("{SERVER}", 80), timeout=5) as one:
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
        one.sendto(b"leak" + n.to_bytes(8, "big"), ("{SERVER}", 9))
"""
NAMES = f"""
import dns.message, socket
def question(name):
    return dns.message.make_query(name, "A").to_wire()
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
    one.settimeout(5)
    one.connect(("{SERVER}", 5353))
    one.send(question("free.example"))
    try:
        one.recv(512)
    except ConnectionRefusedError:
        print("refused", flush=True)
    for n in range(100):
        one.send(question("gone.example"))
"""


# --- what runs in the sandbox ----------------------------------------------------------------


def numbers(wire: Iterable[str], key: str = b"leak".hex()) -> list[int]:
    """Return the numbers of the flood's datagrams in a list of packets in hex."""
    found = []
    for packet in wire:
        before, mark, after = packet.partition(key)
        if mark and before[18:20] == "11":
            found.append(int(after[:16], 16))
    return found


def scene_flood(ground: Ground) -> dict[str, Any]:
    """Idle, active, active anew again and again, and dead: beside a settled bulk transfer."""
    rule = {"id": "port", "when": {"server.port": [9]}, "then": {"drop": "packet"}}
    closed = {"position": "in-path", "rules": [rule]}
    with ground.server(), ground.ear("server", "s0") as heard, ground.censor(closed) as censor:

        def seen(number: int) -> None:
            wait_for(lambda: censor.ask("stats")["seen"] >= number, f"packet {number}")

        with ground.serving("client", sys.executable, "-c", FLOOD):
            seen(500)
            first = censor.ask("active")
            big = ["curl", "-sS", "-o", "/dev/null", "-w", "%{size_download}"]
            with subprocess.Popen(
                ground.argv("client", [*big, f"http://{SERVER}:8080/size/20000000"]),
                stdout=subprocess.PIPE, text=True,
            ) as bulk:  # fmt: skip
                for _ in range(20):
                    seen(censor.ask("active")["n"] + 300)
                size = bulk.communicate(timeout=PATIENCE)[0]
            last = censor.ask("stats")
            censor.child.kill()
            censor.child.wait(PATIENCE)
            # The flood goes on, and nobody is there to drop it.
            gone = sent(ground) + 1000
            wait_for(lambda: sent(ground) > gone, "a thousand more packets")
        passed = numbers(heard())
    return {"n": first["n"], "last": last, "size": size, "passed": passed,
            "door": _door(ground.folder / "door.pcapng")}  # fmt: skip


def sent(ground: Ground) -> int:
    """Return how many packets have left the client."""
    (counts,) = re.findall(r"c0: *(.*)", ground.sh("client", "cat /proc/net/dev"))
    return int(counts.split()[9])


def _door(path: Path) -> list[int | None]:
    """Return the flood's number of each packet at the door; None for others."""
    from filterbed.pcapng import read

    frames = [frame.data for frame in read(path).frames]
    return [int.from_bytes(d[32:40], "big") if d[28:32] == b"leak" else None for d in frames]


def scene_error(ground: Ground) -> dict[str, Any]:
    """An ICMP error about a flow says nothing of the flow: it goes on being asked about."""
    gone = {"dns.name": {"exact": ["gone.example"]}}
    rule = {"id": "gone", "when": gone, "then": {"drop": "packet"}}
    rules = {"position": "in-path", "dns": {"ports": [5353]}, "rules": [rule]}
    with ground.server(), ground.ear("server", "s0") as heard, ground.censor(rules) as censor:
        censor.ask("active")
        said = ground.run("client", sys.executable, "-c", NAMES)[1]
        wait_for(lambda: censor.ask("stats")["dropped"] >= 100, "the last packet's drop")
        found = ground.finish(censor, said=said)
        passed = [packet for packet in heard() if b"\4gone\7example".hex() in packet]
        return {**found, "passed": len(passed)}


def scene_races(ground: Ground) -> dict[str, Any]:
    answer = {"inject": "dns-answer", "addresses": [FORGED]}
    when = {"dns.name": {"suffix": ["blocked.example"]}}
    beside = {"position": "on-path", "latency": "2 ms",
              "rules": [{"id": "dns", "when": when, "then": answer}]}  # fmt: skip
    slow = ground.serving("server", sys.executable, "-c", SLOW)
    with slow, ground.censor(beside) as censor:
        censor.ask("active")
        said = ground.run("client", sys.executable, "-c", ASK)[1]
        return ground.finish(censor, said=said)


def scene_pages(ground: Ground) -> dict[str, Any]:
    page = {"inject": "block-page", "status": 403, "body": "forbidden\n"}
    when = {"http.host": {"suffix": ["blocked.example"]}}
    within = {"position": "in-path", "rules": [{"id": "page", "when": when, "then": page}]}
    with ground.server(), ground.censor(within) as censor:
        censor.ask("active")
        said = ground.run("client", sys.executable, "-c", PAGES)[1]
        hosts = ground.folder / "hosts"
        return ground.finish(censor, said=said, served=hosts.exists() and hosts.read_text())


# --- judging ---------------------------------------------------------------------------------


def test_not_one_packet_leaks_at_any_change_beside_a_settled_transfer(play: Play) -> None:
    result = play(scene_flood)
    idle, active = result["door"][: result["n"]], result["door"][result["n"] :]
    let = {number for number in idle if number is not None}
    assert len(let) > 100
    # What was let through while idle passed, as far as the server's ear could follow.
    assert set(result["passed"]) <= let
    assert len([number for number in active if number is not None]) > 5000
    assert result["size"] == "20000000"  # meanwhile a transfer was settled, and went on
    assert result["last"]["settled"] > 0


def test_an_icmp_error_does_not_settle_the_flow_it_is_about(play: Play) -> None:
    result = play(scene_error)
    assert result["said"] == "refused\n"
    dropped = [event for event in result["events"] if event["event"] == "dropped"]
    assert (len(dropped), result["passed"]) == (100, 0)
    assert result["replay"][0] == 0, result["replay"][1]


def test_a_forged_answer_beats_a_path_ten_milliseconds_slower_every_time(play: Play) -> None:
    result = play(scene_races)
    assert result["said"] == f"{RACES}\n"
    assert result["stopped"]["injected"] == RACES


def test_in_the_path_the_forged_page_is_the_only_one_every_time(play: Play) -> None:
    result = play(scene_pages)
    assert result["said"] == f"{RACES}\n"
    assert result["served"] is False
