"""What routers say of packets that cannot go on, as a sender's own socket hears it."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from scenarios.loader import load

pytestmark = pytest.mark.live
PROJECT = Path(__file__).parents[2]
SCENARIO = """
scenario: test/icmp
title: Routers that say what is wrong
period: 2020
story: What does a sender hear?
topology: {{use: hops, hops: 4, censor: 2, delay: 5 ms}}
links: [{{between: [r3, r4], mtu: 1300{more}}}]
vantages: {{client: {{}}}}
services:
  manual: {{kind: web, names: [www.manual.net], addresses: [66.33.200.9, "2a03:2880::9"]}}
targets: {{manual: {{kind: tcp, host: www.manual.net, port: 80}}}}
censors: {{box: {{at: censor, position: in-path, rules: []}}}}
truth: [{{target: manual, verdict: ok}}]
"""
SERVER = {4: "66.33.200.9", 6: "2a03:2880::9"}
#: Addresses that nobody in the sandbox holds.
NOBODY = {4: "45.90.28.7", 6: "2a07:a8c0::7"}
#: `hear` sends datagrams from a socket of its own and returns every ICMP error as
#: [sender, type, code, mtu], `seconds` being for how long it waits for those that do not come;
#: `fetch` gets a page and returns how many bytes came.
PROBE = """
import json, select, socket, struct, sys, time
def hear(address, size=40, ttl=64, count=1, port=33434, seconds=20):
    six = ":" in address
    family, level = (socket.AF_INET6, 41) if six else (socket.AF_INET, 0)
    discover, hops, errors = (23, 16, 25) if six else (10, 2, 11)
    found = []
    with socket.socket(family, socket.SOCK_DGRAM) as asker:
        for name, value in ((discover, 2), (hops, ttl), (errors, 1)):
            asker.setsockopt(level, name, value)
        asker.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 200_000)  # room for 150 errors
        asker.connect((address, port))
        sent, until = 0, time.monotonic() + seconds
        while time.monotonic() < until and len(found) < count:
            try:
                if sent < count:
                    sent += 1
                    asker.send(bytes(size))
            except OSError:
                sent -= 1  # an error that is waiting is told first
            for _ in select.select([asker], [], [], 0 if sent < count else 0.05)[0:1]:
                try:
                    while True:
                        flags = socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT
                        error = asker.recvmsg(2048, 512, flags)[1][0][2]
                        origin, kind, code = error[4], error[5], error[6]
                        who = error[24:40] if six else error[20:24]
                        if origin in (2, 3):
                            found.append([socket.inet_ntop(family, who), kind, code,
                                          struct.unpack_from("=I", error, 8)[0]])
                except OSError:
                    pass
    return found
def fetch(address, seconds=20):
    began, data = time.monotonic(), b""
    try:
        with socket.create_connection((address, 80), seconds) as there:
            there.sendall(b"GET / HTTP/1.0\\r\\nHost: www.manual.net\\r\\n\\r\\n")
            there.settimeout(seconds)
            while more := there.recv(65536):
                data += more
    except TimeoutError:
        pass
    return len(data)
def say(value):
    print(json.dumps(value), flush=True)
"""


def at_client(
    directory: Path, program: str, *arguments: str, more: str = ""
) -> tuple[Path, list[Any]]:
    """Run a program on the client; return the scenario's file and the JSON lines it printed."""
    file = directory / "icmp.yaml"
    file.write_text(SCENARIO.format(more=more))
    done = subprocess.run(
        [sys.executable, "-P", "-m", "filterbed", "exec", str(file), "--at", "client", "--idle",
         "--", sys.executable, "-", *arguments],
        input=PROBE + program,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=PROJECT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return file, [json.loads(line) for line in done.stdout.splitlines()]


def facing(file: Path, version: int) -> dict[str, str]:
    """Return the address with which each router on the way looks back at the client."""
    plan, found = load(file).plan, {}
    for near, far in pairwise(["client", "r1", "censor", "r3", "r4"]):
        (link,) = [li for li in plan.links if {end.node for end in li.ends} == {near, far}]
        (end,) = [end for end in link.ends if end.node == far]
        found[far] = end.addresses[version == 6].partition("/")[0]
    return found


@pytest.mark.parametrize(
    ("version", "too_big", "nowhere", "closed", "expired"),
    [(4, [3, 4], [3, 0], [3, 3], [11, 0]), (6, [2, 0], [1, 0], [1, 4], [3, 0])],
)
def test_senders_hear_what_is_wrong_and_from_whom(
    tmp_path: Path,
    version: int,
    too_big: list[int],
    nowhere: list[int],
    closed: list[int],
    expired: list[int],
) -> None:
    program = """
server, nobody = sys.argv[1:]
say(hear(server, size=1400))
say(hear(nobody))
say(hear(server, port=9))
say(hear(server, ttl=3, count=120))
say(fetch(server))
"""
    file, told = at_client(tmp_path, program, SERVER[version], NOBODY[version])
    router = facing(file, version)
    big, lost, shut, late, length = told
    assert big == [[router["r3"], *too_big, 1300]]
    assert [row[:3] for row in lost] == [[router["r4"], *nowhere]]
    assert [row[:3] for row in shut] == [[SERVER[version], *closed]]
    assert [row[:3] for row in late] == [[router["r3"], *expired]] * 120  # none is held back
    assert length > 1500  # the server was told, and sent less at a time


def test_a_silent_router_swallows_what_is_too_big(tmp_path: Path) -> None:
    program = """
for server in sys.argv[1:]:
    say(hear(server, size=1400, seconds=0.5))
    say(fetch(server, seconds=1))
    say(hear(server, port=9))
"""
    _, told = at_client(tmp_path, program, *SERVER.values(), more=", too-big: silent")
    for big, length, shut in (told[:3], told[3:]):
        assert big == []
        assert length == 0
        assert len(shut) == 1  # other errors are told as ever
