"""Hold every packet of one link for a while: link delay without netem.

    python -P -m topologies.hold --queue 7 --interface intl-eth0 --delay 0.020

runs on one router, in its network namespace, and queues what comes in and what goes out by one
interface: both directions of the link are late by `delay`. It prints {"ready": true} once its
rules are in, ends with its standard input or on SIGTERM, lets go what it still holds, prints
{"held", "lost", "late_max"} (packets, packets, seconds) and exits 0, or 1 where a packet was lost.

Limits: one process forwards roughly 100,000 packets/s; more than `--limit` held packets are lost,
and counted. Neighbour discovery is not held, as ARP never is.
Source: iptables-extensions(8), NFQUEUE; nfnetlink_queue.c for the counters in /proc.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
import warnings
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from topologies.errors import MachineError

#: Packets held at most: 2 Gbit/s of full packets for 0.1 s, some 40 MB of kernel memory.
LIMIT = 16_384
#: Bytes of the queue's socket buffer; without root the kernel allows net.core.rmem_max.
BUFFER = 4 * 1024 * 1024
COUNTERS = Path("/proc/net/netfilter/nfnetlink_queue")
PR_SET_TIMERSLACK = 29


class Held(Protocol):
    """A packet that waits for its verdict."""

    def accept(self) -> None: ...


class Shelf:
    """Packets in the order they came; each leaves `delay` seconds after it came."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._held: deque[tuple[float, Held]] = deque()
        self.count = 0
        self.late_max = 0.0

    def put(self, packet: Held, now: float) -> None:
        """Take a packet in, and let go what is due: under load nobody else finds the time."""
        self.release(now)
        self._held.append((now + self._delay, packet))
        self.count += 1

    def due(self) -> float | None:
        """Say when the next packet has to leave; None while there is none."""
        return self._held[0][0] if self._held else None

    def release(self, now: float) -> None:
        """Let go what is due."""
        while self._held and self._held[0][0] <= now:
            due, packet = self._held.popleft()
            self.late_max = max(self.late_max, now - due)
            packet.accept()

    def clear(self) -> None:
        """Let go everything."""
        while self._held:
            self._held.popleft()[1].accept()


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


def rules(interface: str, queue: int) -> tuple[tuple[str, ...], ...]:
    """List the iptables rules, without the command that adds or deletes them."""
    target = ("-j", "NFQUEUE", "--queue-num", str(queue))
    found: list[tuple[str, ...]] = []
    for chain, match in (("PREROUTING", "-i"), ("POSTROUTING", "-o")):
        for kind in ("neighbour-solicitation", "neighbour-advertisement"):
            discovery = ("-p", "ipv6-icmp", "--icmpv6-type", kind, "-j", "ACCEPT")
            found.append(("ip6tables", chain, match, interface, *discovery))
        found += [(tool, chain, match, interface, *target) for tool in ("iptables", "ip6tables")]
    return tuple(found)


def _apply(action: str, interface: str, queue: int) -> None:
    for tool, chain, *rest in rules(interface, queue):
        argv = [tool, "-w", "5", "-t", "mangle", action, chain, *rest]
        done = subprocess.run(argv, capture_output=True, text=True)
        if done.returncode != 0:
            raise MachineError(f"{' '.join(argv)}: {done.stderr.strip()}; see `filterbed doctor`")


def run(interface: str, queue: int, delay: float, limit: int, say: Callable[[Any], None]) -> int:
    """Hold packets until told to end; return the exit status."""
    from netfilterqueue import COPY_META, NetfilterQueue

    shelf = Shelf(delay)
    _sharpen()
    netlink = NetfilterQueue()
    with warnings.catch_warnings():
        # The library warns where rmem_max makes the buffer smaller; what is lost is counted.
        warnings.simplefilter("ignore", RuntimeWarning)
        netlink.bind(
            queue,
            lambda packet: shelf.put(packet, time.monotonic()),
            max_len=limit,
            mode=COPY_META,  # numbers alone: a packet that is not copied cannot be changed
            sock_len=BUFFER,
        )
    try:
        _apply("-A", interface, queue)
        say({"ready": True})
        _hold(netlink, shelf)
        _apply("-D", interface, queue)
        netlink.run(block=False)
        shelf.clear()
        lost = counters(_counted(), queue).lost
    finally:
        netlink.unbind()
    say({"held": shelf.count, "lost": lost, "late_max": round(shelf.late_max, 6)})
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
    parser.add_argument("--delay", type=float, required=True, help="seconds one way")
    parser.add_argument("--limit", type=int, default=LIMIT, help="packets held at most")
    order = parser.parse_args(argv)
    try:
        return run(order.interface, order.queue, order.delay, order.limit, _say)
    except MachineError as error:
        print(f"hold: {error}", file=sys.stderr)
        return 3


def _say(document: Any) -> None:
    print(json.dumps(document), flush=True)


if __name__ == "__main__":
    sys.exit(main())
