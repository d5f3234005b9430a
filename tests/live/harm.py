"""Calls between real clients over a router that does harm: the inside of a sandbox of its own.

Three network namespaces (client, router, servers), Kamailio and sipp with the callees' media, one
SIP service and one set of the router's rules a case. All cases are measured at once, and printed
as JSON with the packets that the router's rules counted.
"""

from __future__ import annotations

import heapq
import json
import random
import select
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import netfilterqueue

from tests.live.stage import PATIENCE
from topologies.service import Conduct, Sip
from topologies.services import kamailio, sipp
from topologies.services.ready import enter
from topologies.services.standing import Standing

SETUP = """
mount -t tmpfs none /run; mkdir /run/netns
for n in client router servers; do
  ip netns add $n; ip -n $n link set lo up
  # A router whose link-local address is tentative asks for no neighbours for a second.
  ip netns exec $n sysctl -qw net.ipv6.conf.default.accept_dad=0 \
    net.ipv6.conf.default.dad_transmits=0
done
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


#: ETH_P_ALL: a tap for one protocol does not see what leaves.
ALL = 3


#: An RTP packet of 20 ms of G.711, IP header and all: RTCP and SIP are of other lengths.
LENGTH = {4: 200, 6: 220}


IN, OUT = "-s {at} -p udp -m length --length {length}", "-d {at} -p udp -m length --length {length}"


RANDOM = "-m statistic --mode random --probability {}"
#: Where so little is to be lost that luck might have it be nothing.
EVERY = "-m statistic --mode nth --every {} --packet 7"


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
    "lost-both": Case((f"{IN} {RANDOM.format(0.1)}", f"{OUT} {EVERY.format(40)}")),
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
    "uneven": Case(seconds=3),
    "forged-bye": Case(seconds=3),
    "forged-403": Case(seconds=1),
    "no-bye": Case(("-d {at} -p udp --dport 5060 -m string --algo bm --string BYE",), 1),
}  # fmt: skip


class Forger(threading.Thread):
    """Watches the router's inner interface; answers some, as a box on the path would."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.invited: list[str] = []
        self.heard, self.ports = 0, b""
        at = {name: address(number, 4) for number, name in enumerate(CASES)}
        self.bye, self.refuse = (socket.inet_aton(at[n]) for n in ("forged-bye", "forged-403"))
        self.ready = threading.Event()

    def run(self) -> None:
        enter("/run/netns/router")
        ear = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ALL))
        ear.bind(("r0", ALL))
        mouth = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.ready.set()
        while True:
            packet = ear.recv(65535)
            if packet[0] == 0x45 and packet[9] == 17 and (made := self.answer(packet)):
                mouth.sendto(made, (socket.inet_ntoa(made[16:20]), 0))

    def answer(self, packet: bytes) -> bytes | None:
        head = (packet[0] & 15) * 4
        text = packet[head + 8 :].decode("utf-8", "replace")
        lines = text.split("\r\n")
        keep = [x for x in lines if x.startswith(("Via:", "From:", "To:", "Call-ID:", "CSeq:"))]
        ports = packet[head : head + 4]
        if packet[16:20] == self.refuse and text.startswith("INVITE"):
            said = "\r\n".join(["SIP/2.0 403 Forbidden", *keep, "Content-Length: 0", "", ""])
            back = (packet[16:20], packet[12:16], ports[2:] + ports[:2])
            return datagram(*back, said, ttl=64)
        if packet[12:16] == self.bye and len(packet) == LENGTH[4] and self.invited:
            self.heard += 1
            if self.heard == 50:
                where = (packet[12:16], packet[16:20], self.ports)
                return datagram(*where, self.goodbye(), ttl=50)
        if packet[12:16] == self.bye and "200 OK" in lines[0] and "INVITE" in text:
            self.invited, self.ports = lines, ports
        return None

    def goodbye(self) -> str:
        """Write the BYE that the callee would send: its To is its From."""
        had = dict(line.split(": ", 1) for line in self.invited if ": " in line)
        via = "Via: SIP/2.0/UDP 212.23.7.99:5060;branch=z9hG4bK-forged"
        lines = ["BYE sip:alice@here SIP/2.0", via, f"From: {had['To']}", f"To: {had['From']}"]
        lines += [f"Call-ID: {had['Call-ID']}", "CSeq: 7 BYE", "Content-Length: 0", "", ""]
        return "\r\n".join(lines)


class Unevenness(threading.Thread):
    """Holds each packet of the audio for some time up to 0.3 s, on the router."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.ready = threading.Event()
        self.held: list[tuple[float, int, Any]] = []

    def run(self) -> None:
        enter("/run/netns/router")
        at = address(list(CASES).index("uneven"), 4)
        rule = f"-A FORWARD -s {at} -p udp -m length --length {LENGTH[4]} -j NFQUEUE --queue-num 9"
        subprocess.run([*tables(4)[4:], *rule.split()], check=True)
        queue, luck = netfilterqueue.NetfilterQueue(), random.Random(1)

        def hold(packet: Any) -> None:
            packet.retain()
            due = time.monotonic() + luck.uniform(0, 0.3)
            heapq.heappush(self.held, (due, id(packet), packet))

        queue.bind(9, hold)
        self.ready.set()
        while True:
            wait = self.held[0][0] - time.monotonic() if self.held else 1.0
            if select.select([queue.get_fd()], [], [], max(0.0, wait))[0]:
                queue.run(block=False)
            while self.held and self.held[0][0] <= time.monotonic():
                heapq.heappop(self.held)[2].accept()


def datagram(source: bytes, to: bytes, ports: bytes, text: str, *, ttl: int) -> bytes:
    """Write a UDP datagram over IPv4; the kernel puts in the header's checksum."""
    data = text.encode()
    udp = ports + struct.pack("!HH", 8 + len(data), 0) + data
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 1, 0, ttl, 17, 0) + source + to + udp


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
    forger = Forger()
    forger.start()
    uneven = Unevenness()
    uneven.start()
    assert forger.ready.wait(PATIENCE), "the forger did not start"
    assert uneven.ready.wait(PATIENCE), "the unevenness did not start"
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


if __name__ == "__main__":
    inside(Path(sys.argv[1]))
