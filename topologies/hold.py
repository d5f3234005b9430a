"""Hold every packet of one link for a while, or lose it: link impairments without netem.

    python -P -m topologies.hold --queue 7 --interface intl-eth0 --delay 0.020
    python -P -m topologies.hold --queue 7 --interface intl-eth0 --out '{"loss": 0.02}' --seed 1

runs on one router, in its network namespace, and queues what comes in and what goes out by one
interface: both directions of the link are late by `delay`. `--out` and `--in` say what else one
direction does: the fields of `topologies.plan.Way`, and `delay` where it is another. It prints
{"ready": true} once its rules are in, ends with its standard input or on SIGTERM, lets go what it
still holds, prints {"held", "lost", "late_max", "out", "in"} (packets, packets, seconds; what each
direction did as asked) and exits 0, or 1 where a packet was lost that should not have been.

Limits: one process forwards roughly 100,000 packets/s; more than `--limit` held packets are lost,
and counted. Neighbour discovery is not held, as ARP never is.
Source: iptables-extensions(8), NFQUEUE; nfnetlink_queue.c for the counters in /proc.
"""

from __future__ import annotations

import argparse
import ctypes
import heapq
import json
import os
import select
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from topologies.course import Course
from topologies.double import Again, Double, length
from topologies.errors import MachineError
from topologies.plan import Way

#: Packets held at most: 2 Gbit/s of full packets for 0.1 s, some 40 MB of kernel memory.
LIMIT = 16_384
#: Bytes of the queue's socket buffer; without root the kernel allows net.core.rmem_max.
BUFFER = 4 * 1024 * 1024
#: Bytes copied of a packet: what holds its length, or all that a link takes.
HEAD, FULL = 40, 4000
#: The number of netfilter's first hook, and what our doubles are marked with, plus their queue.
PREROUTING = 0
MARK = 0x4650_0000
COUNTERS = Path("/proc/net/netfilter/nfnetlink_queue")
PR_SET_TIMERSLACK = 29


class Held(Protocol):
    """A packet that waits for its verdict."""

    def accept(self) -> None: ...


class Shelf:
    """Packets that wait until they are due."""

    def __init__(self) -> None:
        self._held: list[tuple[float, int, Held]] = []
        self.count = 0
        self.late_max = 0.0

    def put(self, packet: Held, due: float) -> None:
        """Take a packet in; of those due at the same time the first in is the first out."""
        heapq.heappush(self._held, (due, self.count, packet))
        self.count += 1

    def due(self) -> float | None:
        """Say when the next packet has to leave; None while there is none."""
        return self._held[0][0] if self._held else None

    def release(self, now: float) -> None:
        """Let go what is due."""
        while self._held and self._held[0][0] <= now:
            due, _, packet = heapq.heappop(self._held)
            self.late_max = max(self.late_max, now - due)
            packet.accept()

    def clear(self) -> None:
        """Let go everything."""
        while self._held:
            heapq.heappop(self._held)[2].accept()


@dataclass(frozen=True, slots=True)
class Counters:
    """What the kernel says of a queue: packets lost for want of room, there and in the socket."""

    full: int = 0
    socket: int = 0

    @property
    def lost(self) -> int:
        """All packets that the queue lost."""
        return self.full + self.socket


def counters(text: str, queue: int) -> Counters:
    """Find a queue's line in /proc/net/netfilter/nfnetlink_queue.

    Wire: number, port id, length, copy mode, copy range, dropped (queue full), dropped (socket
    full), id sequence, 1.
    Raises: MachineError where the queue is not there: then nobody counted.
    """
    for line in text.splitlines():
        fields = line.split()
        if fields and int(fields[0]) == queue:
            return Counters(int(fields[5]), int(fields[6]))
    raise MachineError(f"{COUNTERS} does not list queue {queue}: found {text!r}")


def _counted() -> str:
    try:
        return COUNTERS.read_text()
    except OSError as error:
        cure = "run in a network namespace made inside the sandbox, as routers are"
        raise MachineError(f"{COUNTERS}: {error.strerror}; {cure}") from error


def rules(interface: str, queue: int, mark: int | None = None) -> tuple[tuple[str, ...], ...]:
    """List the iptables rules, without the command that adds or deletes them.

    Packets that carry `mark`, our own doubles, are left alone.
    """
    own = () if mark is None else ("-m", "mark", "!", "--mark", str(mark))
    target = (*own, "-j", "NFQUEUE", "--queue-num", str(queue))
    found: list[tuple[str, ...]] = []
    for chain, match in (("PREROUTING", "-i"), ("POSTROUTING", "-o")):
        for kind in ("neighbour-solicitation", "neighbour-advertisement"):
            discovery = ("-p", "ipv6-icmp", "--icmpv6-type", kind, "-j", "ACCEPT")
            found.append(("ip6tables", chain, match, interface, *discovery))
        found += [(tool, chain, match, interface, *target) for tool in ("iptables", "ip6tables")]
    return tuple(found)


def _apply(action: str, interface: str, queue: int, mark: int | None) -> None:
    """Add (`-A`) or delete (`-D`) all rules, those of one version of IP at once."""
    lines: dict[str, list[str]] = {}
    for tool, *rest in rules(interface, queue, mark):
        lines.setdefault(tool, []).append(f"{action} {' '.join(rest)}")
    for tool, found in lines.items():
        text = "\n".join(["*mangle", *found, "COMMIT", ""])
        argv = [f"{tool}-restore", "-w", "5", "--noflush"]
        done = subprocess.run(argv, input=text, capture_output=True, text=True)
        if done.returncode != 0:
            raise MachineError(
                f"{' '.join(argv)}: {done.stderr.strip()}, of {'; '.join(found)}; "
                "see `filterbed doctor`"
            )


@dataclass(frozen=True, slots=True)
class Order:
    """What to hold: where, what each direction does, and how many packets at most."""

    interface: str
    queue: int
    out: Course
    into: Course
    limit: int = LIMIT
    sized: bool = False
    doubling: bool = False

    @property
    def copied(self) -> int:
        """Bytes of each packet that are needed: none, a header's length field, or all."""
        return FULL if self.doubling else HEAD if self.sized else 0

    @property
    def mark(self) -> int | None:
        """What tells our doubles from packets, where there are any."""
        return MARK + self.queue if self.doubling else None


class Desk:
    """Takes every packet of the queue and decides when it leaves, if it does."""

    def __init__(self, order: Order) -> None:
        self.shelf = Shelf()
        self._order = order
        self._double = Double(order.mark) if order.mark is not None else None

    def take(self, packet: Any, now: float) -> None:
        """Let go what is due (under load nobody else finds the time), and take a packet in."""
        self.shelf.release(now)
        into = packet.hook == PREROUTING
        course = self._order.into if into else self._order.out
        data = packet.get_payload() if self._order.copied else b""
        times = course.take(now, length(data) if data else 0)
        if not times:
            packet.drop()
            return
        self.shelf.put(packet, times[0])
        for due in times[1:]:
            if self._double is not None:
                self.shelf.put(Again(self._double, data, into), due)


def run(order: Order, say: Callable[[Any], None]) -> int:
    """Hold packets until told to end; return the exit status."""
    from netfilterqueue import COPY_META, COPY_PACKET, NetfilterQueue

    desk = Desk(order)
    _sharpen()
    netlink = NetfilterQueue()
    with warnings.catch_warnings():
        # The library warns where rmem_max makes the buffer smaller; what is lost is counted.
        warnings.simplefilter("ignore", RuntimeWarning)
        netlink.bind(
            order.queue,
            lambda packet: desk.take(packet, time.monotonic()),
            max_len=order.limit,
            # Numbers alone where they suffice: a packet that is not copied cannot be changed.
            mode=COPY_PACKET if order.copied else COPY_META,
            range=order.copied,
            sock_len=BUFFER,
        )
    try:
        _apply("-A", order.interface, order.queue, order.mark)
        say({"ready": True})
        _hold(netlink, desk.shelf)
        _apply("-D", order.interface, order.queue, order.mark)
        netlink.run(block=False)
        desk.shelf.clear()
        lost = counters(_counted(), order.queue).lost
    finally:
        netlink.unbind()
    did = {"out": asdict(order.out.counts), "in": asdict(order.into.counts)}
    late = round(desk.shelf.late_max, 6)
    say({"held": desk.shelf.count, "lost": lost, "late_max": late, **did})
    return 1 if lost else 0


def _hold(netlink: Any, shelf: Shelf) -> None:
    """Serve the queue until standard input ends or a signal comes."""
    wake, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(waker)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    poll = [netlink.get_fd(), wake, sys.stdin.fileno()]
    while True:
        due = shelf.due()
        patience = None if due is None else max(0.0, due - time.monotonic())
        readable = select.select(poll, [], [], patience)[0]
        shelf.release(time.monotonic())
        if netlink.get_fd() in readable:
            netlink.run(block=False)
        if wake in readable or (sys.stdin.fileno() in readable and not os.read(poll[2], 4096)):
            return


def _sharpen() -> None:
    """Ask for exact timers: by default the kernel may wake a process 50 microseconds late."""
    ctypes.CDLL(None).prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0)


def main(argv: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m topologies.hold", description="Hold packets.")
    parser.add_argument("--queue", type=int, required=True, help="NFQUEUE number")
    parser.add_argument("--interface", required=True, help="of the link that is to be slow")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds one way")
    parser.add_argument("--out", type=json.loads, default={}, help="JSON: what else it does")
    parser.add_argument("--in", type=json.loads, default={}, dest="into", help="the same, inward")
    parser.add_argument("--seed", default="0", help="of its luck")
    parser.add_argument("--limit", type=int, default=LIMIT, help="packets held at most")
    given = parser.parse_args(argv)
    ways = {"out": given.out, "into": given.into}
    courses = {}
    for name, way in ways.items():
        delay = way.pop("delay", given.delay)
        courses[name] = Course(Way(**way), delay, f"{given.seed} {given.interface} {name}")
    order = Order(
        given.interface,
        given.queue,
        **courses,
        limit=given.limit,
        sized=any(way.get("rate") for way in ways.values()),
        doubling=any(way.get("duplicate") for way in ways.values()),
    )
    try:
        return run(order, _say)
    except MachineError as error:
        print(f"hold: {error}", file=sys.stderr)
        return 3


def _say(document: Any) -> None:
    print(json.dumps(document), flush=True)


if __name__ == "__main__":
    sys.exit(main())
