"""Calls between real clients over a router that does harm, each end counting.

Run as a program this file is the inside of a sandbox of its own: three network namespaces (client,
router, servers), Kamailio and sipp with the callees' media, one SIP service and one set of
the router's rules a case. All cases are measured at once, and printed as JSON with the packets
that the router's rules counted.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from topologies.service import Conduct, Sip
from topologies.services import kamailio, sipp
from topologies.services.ready import enter
from topologies.services.standing import Standing

pytestmark = pytest.mark.live

PROGRAMS = ("kamailio", "sipp", "unshare", "ip", "iptables", "ip6tables")
UNSHARE = ["unshare", "-Urnmpuif", "--mount-proc", "--kill-child", "sh", "-c"]
SETUP = """
mount -t tmpfs none /run; mkdir /run/netns
for n in client router servers; do ip netns add $n; ip -n $n link set lo up; done
ip -n router link add r0 type veth peer name c0 netns client
ip -n router link add r1 type veth peer name s0 netns servers
ip -n client link set c0 up; ip -n servers link set s0 up
ip -n router link set r0 up; ip -n router link set r1 up
ip -n client addr add 58.30.1.10/24 dev c0; ip -n router addr add 58.30.1.1/24 dev r0
ip -n router addr add 212.23.7.254/24 dev r1
ip -n client addr add 2408:1::10/64 dev c0 nodad; ip -n router addr add 2408:1::1/64 dev r0 nodad
ip -n router addr add 2001:678:1::fe/64 dev r1 nodad
ip netns exec router sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
"""
ROUTES = """
ip -n client route add default via 58.30.1.1; ip -n client -6 route add default via 2408:1::1
ip -n servers route add default via 212.23.7.254
ip -n servers -6 route add default via 2001:678:1::fe
"""
#: An RTP packet of 20 ms of G.711, IP header and all: RTCP and SIP are of other lengths.
LENGTH = {4: 200, 6: 220}
IN, OUT = "-s {at} -p udp -m length --length {length}", "-d {at} -p udp -m length --length {length}"
RANDOM = "-m statistic --mode random --probability {}"


@dataclass(frozen=True, slots=True)
class Case:
    """One call: what the router does to it (rules that drop), and who is called."""

    rules: tuple[str, ...] = ()
    seconds: int = 5
    conduct: Conduct = "answers"
    version: int = 4
    user: str = "alice"
    media: str = "pcmu"
    expected: Mapping[str, Any] = field(default_factory=dict)


LOST = Case((f"{OUT} {RANDOM.format(0.3)}",))
CASES: dict[str, Case] = {
    "whole": Case(),
    "pcma": Case(media="pcma", seconds=1),
    "lost-out": LOST,
    "lost-in": Case((f"{IN} {RANDOM.format(0.3)}",)),
    "lost-both": Case((f"{IN} {RANDOM.format(0.1)}", f"{OUT} {RANDOM.format(0.02)}")),
    "cut": Case((f"{IN} -m quota ! --quota 20000", f"{OUT} -m quota ! --quota 20000"), 4),
    "deaf": Case(("-d {at} -p udp -m udp --dport 30000:39999",), 2),
    "dumb": Case(("-s {at} -p udp -m udp --sport 30000:39999",), 2),
    "silent": Case(
        ("-s {at} -p udp -m udp --sport 30000:39999", "-d {at} -p udp -m udp --dport 30000:39999"),
        2,
    ),
    "policed": Case((f"{IN} -m hashlimit --hashlimit-above 7/second --hashlimit-burst 5 "
                     "--hashlimit-name police",)),
    "six": Case(version=6, seconds=1),
    "six-lost": Case((f"{IN} {RANDOM.format(0.3)}", f"{OUT} {RANDOM.format(0.1)}"), version=6),
    "busy": Case(conduct="busy", seconds=1),
    "codec": Case(conduct="wrong-codec", seconds=1),
    "rings": Case(conduct="no-answer", seconds=1),
    "hangs-up": Case(conduct="hangs-up", seconds=2),
    "mute": Case(conduct="mute", seconds=1),
    "one-way": Case(conduct="one-way", seconds=1),
    "unpaid": Case(user="debtor", seconds=1),
    "no-invite": Case(("-d {at} -p udp --dport 5060 -m string --algo bm --string INVITE",), 1),
    "no-answer": Case(("-s {at} -p udp --sport 5060 -m string --algo bm --string 407",), 1),
    "no-bye": Case(("-d {at} -p udp --dport 5060 -m string --algo bm --string BYE",), 1),
}  # fmt: skip


def address(number: int, version: int) -> str:
    return f"212.23.7.{number + 1}" if version == 4 else f"2001:678:1::{number + 1:x}"


def services() -> list[Sip]:
    return [
        Sip(
            f"s{number}", "servers", (f"{name}.example.net",), (address(number, case.version),),
            (("alice", "secret"), ("debtor", "secret")), ("bob",),
            conducts=(("bob", case.conduct),), unpaid=("debtor",),
        )
        for number, (name, case) in enumerate(CASES.items())
    ]  # fmt: skip


def spawn(node: str, argv: Sequence[str], **params: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["ip", "netns", "exec", node, *argv], **params)


def rules(number: int, case: Case) -> list[tuple[int, str]]:
    at, version = address(number, case.version), case.version
    return [(version, rule.format(at=at, length=LENGTH[version])) for rule in case.rules]


def tables(version: int) -> list[str]:
    return ["ip", "netns", "exec", "router", "iptables" if version == 4 else "ip6tables", "-w"]


def inside(directory: Path) -> None:
    """Be the sandbox: stand everything up, measure all cases at once, print what was found."""
    sips = services()
    for sip in sips:
        at = sip.addresses[0]
        flags = ["nodad"] if ":" in at else []
        bits = 64 if ":" in at else 24
        add = ["ip", "-n", "servers", "addr", "add", f"{at}/{bits}", "dev", "s0", *flags]
        subprocess.run(add, check=True)
    subprocess.run(["sh", "-ec", ROUTES], check=True)
    standing = Standing(directory, spawn, lambda node: f"/run/netns/{node}")
    registrar = kamailio.program("servers", sips, directory)
    assert registrar is not None
    standing.start([registrar, *sipp.programs("servers", sips, directory)], limit=30)
    harm = [(name, v, rule) for number, (name, case) in enumerate(CASES.items())
            for v, rule in rules(number, case)]  # fmt: skip
    for _, version, rule in harm:
        argv = [*tables(version), "-A", "FORWARD", *rule.split(), "-j", "DROP"]
        subprocess.run(argv, check=True)
    enter("/run/netns/client")
    found = dict(zip(CASES, calls(sips), strict=True))
    counted = {version: hits(version) for version in (4, 6)}
    for name, version, _ in harm:
        found[name].setdefault("dropped", []).append(counted[version].pop(0))
    assert standing.alive() == (), standing.alive()
    standing.stop()
    print(json.dumps(found))


def calls(sips: Sequence[Sip]) -> list[dict[str, Any]]:
    lines = [
        json.dumps({
            "target": name, "kind": "call", "registrar": sip.names[0], "user": case.user,
            "password": "secret", "callee": "bob", "seconds": case.seconds, "media": case.media,
            "addresses": [sip.addresses[0]],
        })
        for sip, (name, case) in zip(sips, CASES.items(), strict=True)
    ]  # fmt: skip
    argv = [sys.executable, "-m", "filterbed.probe.measure", "--concurrency", "40"]
    done = subprocess.run(argv, input="\n".join(lines), capture_output=True, text=True, check=False)
    rows = {row["target"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert rows.keys() == CASES.keys(), done.stdout + done.stderr
    return [rows[name] for name in CASES]


def hits(version: int) -> list[int]:
    """Return how many packets each of the router's rules has dropped, in order."""
    argv = [*tables(version), "-nvxL", "FORWARD"]
    text = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    return [int(line.split()[0]) for line in text.splitlines()[2:]]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    directory = tmp_path_factory.mktemp("calls")
    found = subprocess.run(
        [*UNSHARE, f"set -e; {SETUP} exec {sys.executable} -P {__file__} {directory}"],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert found.returncode == 0, found.stdout[-2000:] + found.stderr[-3000:]
    rows: dict[str, Any] = json.loads(found.stdout.splitlines()[-1])
    return rows


if __name__ == "__main__":
    inside(Path(sys.argv[1]))
