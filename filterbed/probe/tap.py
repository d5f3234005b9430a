"""Overhear the UDP datagrams of this host, as a capture would: those that come and those that go.

So a client that owns its sockets is counted packet by packet, from outside and unchanged.

Needs:   CAP_NET_RAW in the user namespace that owns this network.
Limits:  UDP over IPv4 and IPv6 without extension headers; of a fragmented datagram the first
         fragment. What the kernel throws away for a bad checksum or a full socket is overheard too.
Source:  packet(7), socket(7) SO_ATTACH_FILTER and SO_TIMESTAMPNS; RFC 792, RFC 4443.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from filterbed.probe.datagram import SO_TIMESTAMPNS, Datagram
from filterbed.probe.errors import MachineError

#: Linux; the socket module does not name them.
_ETH_P_ALL: Final = 3
_SOL_PACKET: Final = 263
_PACKET_STATISTICS: Final = 6
_SO_ATTACH_FILTER: Final = 26
_SNAP: Final = 65535
_BUFFER: Final = 1 << 21
_PORTS: Final = struct.Struct("!HHHH")
#: By version: ICMP's type and code that say no socket is there, and the type of any such error.
_NO_PORT: Final = {4: (3, 3), 6: (1, 4)}


@dataclass(frozen=True, slots=True)
class Overheard:
    """A datagram of this host: `port` is ours, `got` has the other end's address and port.

    With `refused` (refused, unreachable) it is no datagram but an ICMP error about one that left.
    """

    outward: bool
    port: int
    got: Datagram
    refused: str | None = None


class Tap:
    """An ear on all interfaces but loopback, for one address and a few ports of ours."""

    def __init__(self, own: str, ports: Sequence[int]) -> None:
        """Begin to listen; MachineError where that is not allowed."""
        self.own = own
        try:
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
        except PermissionError as error:
            raise MachineError(
                "a softphone's packets are counted at a packet socket, which needs CAP_NET_RAW: "
                "run it as root, or in a user namespace of your own (unshare -Urn)"
            ) from error
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        self.sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        _attach(self.sock, program(ports))

    def __enter__(self) -> Tap:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def fileno(self) -> int:
        """Return what becomes readable when something was overheard."""
        return self.sock.fileno()

    def read(self) -> list[Overheard]:
        """Return all that waits."""
        found: list[Overheard] = []
        while True:
            try:
                data, notes, _, where = self.sock.recvmsg(_SNAP, 256)
            except BlockingIOError:
                return found
            if where[0] == "lo":
                continue
            heard = overheard(data, _time(notes), self.own, where[2] == socket.PACKET_OUTGOING)
            if heard is not None:
                found.append(heard)

    def missed(self) -> int:
        """Return how many packets the kernel had no room for since this was asked last."""
        told = self.sock.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        return int(struct.unpack("II", told)[1])


def program(ports: Sequence[int]) -> tuple[tuple[int, int, int, int], ...]:
    """Write the kernel's filter: UDP from or to these ports, and ICMP, over IPv4 and IPv6.

    A step is (code, jump if true, jump if false, operand); a jump is over so many steps.
    """
    count = len(ports)
    source = [(0x15, 2 * count - n, 0, port) for n, port in enumerate(ports)]
    to = [(0x15, count - 1 - n, n == count - 1, port) for n, port in enumerate(ports)]
    return (
        (0x30, 0, 0, 0),  # ldb [0]
        (0x54, 0, 0, 0xF0),  # and
        (0x15, 0, 3, 0x60),  # IPv6?
        (0x01, 0, 0, 40),  # ldx #40, its header's length
        (0x30, 0, 0, 6),  # ldb [6], the next header
        (0x05, 0, 0, 2),  # ja
        (0xB1, 0, 0, 0),  # ldx 4*([0]&0xf)
        (0x30, 0, 0, 9),  # ldb [9], the protocol
        (0x15, 2, 0, socket.IPPROTO_UDP),
        (0x15, 2 * count + 3, 0, socket.IPPROTO_ICMP),
        (0x15, 2 * count + 2, 2 * count + 3, socket.IPPROTO_ICMPV6),
        (0x48, 0, 0, 0),  # ldh [x]
        *source,
        (0x48, 0, 0, 2),  # ldh [x + 2]
        *to,
        (0x06, 0, 0, _SNAP),
        (0x06, 0, 0, 0),
    )


def _attach(sock: socket.socket, steps: Sequence[tuple[int, int, int, int]]) -> None:
    held = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    filter_ = struct.pack("HP", len(steps), ctypes.addressof(held))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, filter_)


def _time(notes: list[tuple[int, int, bytes]]) -> float:
    for level, kind, value in notes:
        if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS) and len(value) >= 16:
            seconds, nanoseconds = struct.unpack("qq", value[:16])
            return float(seconds + nanoseconds / 1e9)
    return time.time()


@dataclass(frozen=True, slots=True)
class _Ip:
    version: int
    protocol: int
    ttl: int
    source: str
    to: str
    body: bytes


def _ip(data: bytes) -> _Ip | None:
    """Read an IP packet's header; None for none, and for a fragment that is not the first."""
    version = data[0] >> 4 if data else 0
    if version == 6 and len(data) >= 40:
        source, to = (socket.inet_ntop(socket.AF_INET6, data[n : n + 16]) for n in (8, 24))
        return _Ip(6, data[6], data[7], source, to, data[40:])
    size = (data[0] & 15) * 4 if data else 0
    if version != 4 or not 20 <= size <= len(data) or data[6] & 0x1F or data[7]:
        return None
    source, to = (socket.inet_ntop(socket.AF_INET, data[n : n + 4]) for n in (12, 16))
    end = int.from_bytes(data[2:4], "big")
    return _Ip(4, data[9], data[8], source, to, data[size:end])


def overheard(data: bytes, at: float, own: str, outward: bool) -> Overheard | None:
    """Read an IP packet as a datagram to or from `own`, or as an ICMP error; None for all else."""
    packet = _ip(data)
    if packet is None or own != (packet.source if outward else packet.to):
        return None
    if packet.protocol != socket.IPPROTO_UDP:
        return None if outward else _error(packet, at, own)
    if len(packet.body) < _PORTS.size:
        return None
    source, to, length, _ = _PORTS.unpack_from(packet.body)
    payload = packet.body[_PORTS.size : length]
    if outward:
        return Overheard(True, source, Datagram(payload, packet.to, to, at, None))
    return Overheard(False, to, Datagram(payload, packet.source, source, at, packet.ttl))


def _error(packet: _Ip, at: float, own: str) -> Overheard | None:
    """Read an ICMP error about a datagram of ours."""
    kind, code = _NO_PORT[packet.version]
    about = _ip(packet.body[8:])
    if about is None or packet.body[0] != kind or about.source != own:
        return None
    if about.protocol != socket.IPPROTO_UDP or len(about.body) < _PORTS.size:
        return None
    source, to, _, _ = _PORTS.unpack_from(about.body)
    word = "refused" if packet.body[1] == code else "unreachable"
    return Overheard(False, source, Datagram(b"", about.to, to, at, packet.ttl), word)
