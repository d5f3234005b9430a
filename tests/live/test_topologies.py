"""Topologies that stand: what probes sent from a vantage say about where its box is.

Each test writes a scenario, stands it up with `filterbed exec --active` and runs a probe of its
own at a vantage. A box forges an answer for `forged.example.net`, so that whoever gets one knows
that his query crossed it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from scenarios.loader import load
from scenarios.model import Scenario
from tests.live.stage import UNSHARE

pytestmark = pytest.mark.live

PROJECT = Path(__file__).parents[2]
FORGED = "8.7.198.45"
RESOLVER, RESOLVER6 = "8.8.8.8", "2001:4860:4860::8888"

SCENARIO = """
scenario: test/ground
title: A box to be found
period: 2020
story: Where is it?
topology: {topology}
vantages: {vantages}
services: {{news: {{kind: web, names: [news.example.net]}}}}
targets: {{news: {{kind: web, url: "http://news.example.net/"}}}}
censors:
{censors}
truth: [{{target: news, verdict: ok}}]
"""
BOX = """
  {name}:
    at: {name}
    position: on-path
    latency: 1 ms
    race: may-lose
    rules:
      - id: forge
        when: {{dns.name: {{exact: [{forged}]}}}}
        then: {{inject: dns-answer, addresses: [{address}]}}
        fidelity: modelled
"""

#: What every probe below begins with. `ask` sends one query for a name with a TTL from a port, and
#: returns who said that it expired and the last octets of each answer that came. Once the recursor
#: itself has answered, it listens for `more` seconds.
ASK = """
import json, select, socket, sys, time
def ask(server, name, ttl=64, port=0, seconds=0.4, enough=99, more=9):
    six = ":" in server
    family = socket.AF_INET6 if six else socket.AF_INET
    level, hops, errors = (41, 16, 25) if six else (0, 2, 11)
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    found = {"ttl": ttl, "exceeded": None, "answers": []}
    with socket.socket(family, socket.SOCK_DGRAM) as asker:
        asker.setsockopt(level, hops, ttl)
        asker.setsockopt(level, errors, 1)
        asker.bind(("::" if six else "0.0.0.0", port))
        asker.connect((server, 53))
        asker.send(b"\\x12\\x34\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0" + labels + b"\\0\\0\\1\\0\\1")
        found["port"] = asker.getsockname()[1]
        poll = select.poll()
        poll.register(asker, select.POLLIN)
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and len(found["answers"]) < enough:
            for _, event in poll.poll(left * 1000):
                if event & select.POLLERR:
                    data = asker.recvmsg(512, 512, socket.MSG_ERRQUEUE)[1][0][2]
                    address = data[24:40] if six else data[20:24]
                    found["exceeded"] = [socket.inet_ntop(family, address), *data[5:7]]
                elif event & select.POLLIN:
                    data = asker.recv(512)
                    own = data[6:8] != b"\\0\\0"
                    found["answers"].append(socket.inet_ntoa(data[-4:]) if own else "none")
                    until = until if own else min(until, time.monotonic() + more)
    return found
def say(value):
    print(json.dumps(value), flush=True)
"""


def scenario(directory: Path, topology: str, vantages: str, *boxes: str) -> Path:
    """Write a scenario whose boxes each forge: the first FORGED, the next an address one higher."""
    start, _, last = FORGED.rpartition(".")
    censors = "".join(
        BOX.format(name=name, forged="forged.example.net", address=f"{start}.{int(last) + n}")
        for n, name in enumerate(boxes)
    )
    file = directory / "ground.yaml"
    file.write_text(SCENARIO.format(topology=topology, vantages=vantages, censors=censors))
    return file


def at(file: Path, host: str, program: str, *arguments: str) -> list[Any]:
    """Run a Python program on a host and return the JSON lines it printed."""
    command = [sys.executable, "-P", "-m", "filterbed", "exec", str(file), "--at", host]
    done = subprocess.run(
        [*command, "--active", "--", sys.executable, "-", *arguments],
        input=ASK + program,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=PROJECT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def facing(loaded: Scenario, path: list[str], version: int) -> list[str]:
    """Return the address with which each router on a path looks back."""
    plan, found = loaded.plan, []
    for near, far in pairwise(path):
        (link,) = [li for li in plan.links if {e.node for e in li.ends} == {near, far}]
        (end,) = [end for end in link.ends if end.node == far]
        found.append(end.addresses[version == 6].partition("/")[0])
    return found


@pytest.mark.parametrize(("hops", "censor"), [(5, 3), (2, 1)])
def test_the_box_is_found_by_ttl(tmp_path: Path, hops: int, censor: int) -> None:
    topology = f"{{use: hops, hops: {hops}, censor: {censor}, delay: 5 ms}}"
    file = scenario(tmp_path, topology, "{client: {}}", "censor")
    routers = ["censor" if hop == censor else f"r{hop}" for hop in range(1, hops + 1)]
    program = """
for server in sys.argv[2:]:
    say([ask(server, "forged.example.net", ttl) for ttl in range(1, int(sys.argv[1]) + 1)])
"""
    told = at(file, "client", program, str(hops + 1), RESOLVER, RESOLVER6)
    for version, kind, found in ((4, 11, told[0]), (6, 3, told[1])):
        addresses = facing(load(file), ["client", *routers], version)
        assert [row["exceeded"] for row in found] == [
            *([address, kind, 0] for address in addresses),
            None,
        ]
        forged = [row["ttl"] for row in found if FORGED in row["answers"]]
        assert forged == [*range(censor + 1, hops + 2)]
        assert len(found[-1]["answers"]) == 2  # the forged one, and the resolver's own
        assert [len(row["answers"]) for row in found[censor:-1]] == [1] * (hops - censor)


def test_a_fork_sends_each_flow_one_way_and_always_the_same(tmp_path: Path) -> None:
    file = scenario(tmp_path, "{use: fork, delay: 5 ms}", "{client: {}}", "censor")
    program = """
for server in sys.argv[1:]:
    for turn in range(2):
        say([ask(server, "forged.example.net", port=40000 + n, enough=2, seconds=3, more=0.08)
             for n in range(24)])
"""
    told = at(file, "client", program, RESOLVER, RESOLVER6)
    for first, second in (told[:2], told[2:]):
        crossed = [FORGED in row["answers"] for row in first]
        assert crossed == [FORGED in row["answers"] for row in second]
        assert 4 <= sum(crossed) <= 20
        assert all("none" in row["answers"] for row in first)  # the true answer always comes


@pytest.mark.parametrize("sees", ["outbound", "inbound"])
def test_a_detour_takes_one_direction_past_the_box(tmp_path: Path, sees: str) -> None:
    topology = f"{{use: detour, sees: {sees}, delay: 5 ms}}"
    file = scenario(tmp_path, topology, "{client: {}, abroad: {abroad: true}}", "censor")
    loaded = load(file)
    program = (
        "say([ask(server, 'forged.example.net', int(sys.argv[1])) for server in sys.argv[2:]])"
    )
    ways = {"client": "censor", "abroad": "bypass"}
    if sees == "inbound":
        ways = {"client": "bypass", "abroad": "censor"}
    for host, other, near in (("client", "abroad", "edge"), ("abroad", "client", "core")):
        servers = [loaded.plan.primary(other, version) for version in (4, 6)]
        (found,) = at(file, host, program, "2", *servers)
        way = [facing(loaded, [host, near, ways[host]], version)[-1] for version in (4, 6)]
        assert [row["exceeded"][0] for row in found] == way
    (found,) = at(file, "client", program, "64", RESOLVER, RESOLVER6)
    for row in found:  # whoever does not see queries forges no answers
        assert (FORGED in row["answers"]) is (sees == "outbound")
        assert "none" in row["answers"]


def test_the_province_meets_two_boxes_and_others_one(tmp_path: Path) -> None:
    topology = "{use: series, province: [guangzhou], delay: 5 ms}"
    vantages = "{gz: {city: guangzhou}, bj: {city: beijing}}"
    file = scenario(tmp_path, topology, vantages, "border", "province")
    program = "say([ask(server, 'forged.example.net') for server in sys.argv[1:]])"
    for host, answers in (
        ("gz", {FORGED, "8.7.198.46", "none"}),
        ("bj", {FORGED, "none"}),
    ):
        (found,) = at(file, host, program, RESOLVER, RESOLVER6)
        assert [set(row["answers"]) for row in found] == [answers, answers]


#: What Mininet's `pingall` needs of a ping: one echo, and the line it looks for.
PING = f"""#!{sys.executable} -SE
import select, socket, sys
asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
asker.sendto(b"\\x08\\0\\0\\0\\0\\0\\0\\1", (sys.argv[-1], 0))
print("1 packets transmitted,", len(select.select([asker], [], [], 1)[0]), "received")
"""


@pytest.mark.skipif(
    not Path("/usr/bin/mn").exists(), reason="Mininet's own command is not installed"
)
@pytest.mark.parametrize(
    "asked",
    [
        "line,clients=2",
        "hops,hops=3,censor=2",
        "fork",
        "detour",
        "series,province=wuhan",
        "national,borders=each",
    ],
)
def test_mininets_own_command_stands_it_up_and_everybody_is_reached(
    tmp_path: Path, asked: str
) -> None:
    (tmp_path / "ping").write_text(PING)
    (tmp_path / "ping").chmod(0o755)
    options = f"--custom topologies/custom.py --topo {asked} --controller none --test pingall"
    done = subprocess.run(
        [*UNSHARE, "sh", "-c",
         f"mount -t tmpfs none /run; exec /usr/bin/mn {options}"],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=PROJECT,
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(PROJECT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Results: 0% dropped" in done.stdout + done.stderr, done.stderr[-2000:]


#: Stands a country with a hundred clients up, twelve of whom then ask each other for an echo.
HUNDRED = """
import json, os, select, socket, sys, time
from filterbed.sandbox.netns import socket_in
from filterbed.sandbox.place import nest
from topologies import network
from topologies.catalogue import build
from topologies.place import Vantage
cities, carriers = ("beijing", "shanghai", "guangzhou"), ("unicom", "telecom")
vantages = {f"v{n}": Vantage(cities[n % 3], carriers[n % 2]) for n in range(100)}
start = time.monotonic()
plan = build({"use": "national"}, vantages, {})
net = network.stand(plan, nest=nest)
seconds = time.monotonic() - start
said = 0
for near, far in [(f"v{n}", f"v{99 - n}") for n in range(12)]:
    for version, family in ((4, socket.AF_INET), (6, socket.AF_INET6)):
        a = socket_in(net.pid(near), family, socket.SOCK_DGRAM)
        b = socket_in(net.pid(far), family, socket.SOCK_DGRAM)
        b.bind((plan.primary(far, version), 7))
        a.sendto(b"?", b.getsockname())
        said += bool(select.select([b], [], [], 3)[0])
held = 0
for pid in filter(str.isdigit, os.listdir("/proc")):
    with open(f"/proc/{pid}/smaps_rollup") as lines:
        held += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
print(json.dumps({"seconds": seconds, "said": said, "megabytes": held // 1024}))
"""


@pytest.mark.alone
def test_a_hundred_vantages_stand_in_little_time_and_memory() -> None:
    done = subprocess.run(
        [*UNSHARE, "sh", "-c",
         f"ip link set lo up; mount -t tmpfs none /run; exec {sys.executable} -P -"],
        input=HUNDRED,
        capture_output=True,
        text=True,
        timeout=100,
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    print(told, os.getloadavg())
    assert told["said"] == 24
    assert told["megabytes"] < 1000
    # The aim is 5 s on two cores that do nothing else.
    assert told["seconds"] < 5 * max(1.0, os.getloadavg()[0])
