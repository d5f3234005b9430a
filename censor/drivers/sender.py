"""Send forged packets, at their time, out of the interface they belong to.

Packets go out below IP (AF_PACKET), so the kernel neither fills in an identification of 0 nor
lets its connection tracking judge them. Limits: a link has one neighbour, which is learned from the
packets that come from it, or asked for before any did; where nobody answers, a raw IP socket is
used, and the kernel fills in an identification of 0 unless DF is set (raw(7)).
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Final

from censor.drivers.neighbour import find
from censor.errors import MachineError

_IPV6_HDRINCL: Final = 36
#: As long as a socket asks for it, the kernel stamps packets with the time they come in
#: (asm-generic/socket.h), so that a queued packet says how long it has waited.
_SO_TIMESTAMPNS: Final = 35
_ETHERTYPES: Final = {4: 0x0800, 6: 0x86DD}
#: Errors remembered, and delays, at most.
_KEPT: Final = 100_000


class Sender:
    """A queue of packets with times; `clock` gives nanoseconds.

    stamps: have the kernel note when packets come in, which every packet on the machine pays for.
    waiting: what is to be sent later, the next first. late: by how many seconds each delayed packet
    left after its time. failed: what could not be sent, and why.
    """

    def __init__(self, clock: Callable[[], int], *, stamps: bool) -> None:
        self._clock = clock
        self.waiting: list[tuple[int, int, bytes, int]] = []
        self._count = 0
        self._neighbours: dict[int, bytes] = {}
        self._asked: set[int] = set()
        self._names: dict[int, str] = {}
        self.late: list[float] = []
        self.sent = 0
        self.failed: list[str] = []
        try:
            self._link = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
            if stamps:
                self._link.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            self._raw = {
                4: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW),
                6: socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW),
            }
            self._raw[6].setsockopt(socket.IPPROTO_IPV6, _IPV6_HDRINCL, 1)
        except OSError as fault:
            raise MachineError(
                f"no raw socket: {fault.strerror}; the censor needs CAP_NET_RAW in its namespace"
            ) from fault

    @property
    def due(self) -> int | None:
        """Return when the next packet leaves, in nanoseconds of the clock; None if none waits."""
        return self.waiting[0][0] if self.waiting else None

    def learn(self, interface: int, hardware: bytes | None) -> None:
        """Take a neighbour's hardware address from a packet that came from it."""
        if hardware and len(hardware) >= 6:
            self._neighbours[interface] = hardware[:6]

    def send(self, data: bytes, interface: int, at: int | None) -> None:
        """Send a packet out of an interface (by index), now or at a time of the clock."""
        if at is None:
            self._send(data, interface)
        else:
            self._count += 1
            heappush(self.waiting, (at, self._count, data, interface))

    def flush(self) -> None:
        """Send what is due."""
        while self.waiting and self.waiting[0][0] <= (now := self._clock()):
            at, _, data, interface = heappop(self.waiting)
            self._send(data, interface)
            if len(self.late) < _KEPT:
                self.late.append((now - at) / 1e9)

    def withdraw(self) -> list[tuple[bytes, int]]:
        """Give up the packets that still wait; return each with its interface, by their times."""
        waiting = [(data, interface) for _, _, data, interface in sorted(self.waiting)]
        self.waiting.clear()
        return waiting

    def delays(self) -> dict[str, float | int]:
        """Return how punctual delayed packets were: median and 95th percentile, in seconds."""
        late = sorted(self.late)
        if not late:
            return {"count": 0}
        return {
            "count": len(late),
            "median": late[len(late) // 2],
            "p95": late[len(late) * 95 // 100],
            "max": late[-1],
        }

    def _send(self, data: bytes, interface: int) -> None:
        version = data[0] >> 4
        neighbour = self._neighbours.get(interface)
        size, start = (4, 16) if version == 4 else (16, 24)
        destination = data[start : start + size]
        try:
            if neighbour is None and interface not in self._asked:
                self._asked.add(interface)  # once: asking takes a while where nobody answers
                neighbour = find(interface, destination)
                self.learn(interface, neighbour)
            if neighbour is not None:
                name = self._names.get(interface)
                if name is None:
                    name = self._names[interface] = socket.if_indextoname(interface)
                self._link.sendto(data, (name, _ETHERTYPES[version], 0, 0, neighbour))
            else:
                family = socket.AF_INET if version == 4 else socket.AF_INET6
                self._raw[version].sendto(data, (socket.inet_ntop(family, destination), 0))
            self.sent += 1
        except OSError as fault:
            if len(self.failed) < _KEPT:
                self.failed.append(f"{fault.strerror}: {data[:60].hex()}")

    def close(self) -> None:
        """Close the sockets; what still waits is not sent."""
        for one in (self._link, *self._raw.values()):
            one.close()
