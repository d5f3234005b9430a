"""Receive datagrams with what the kernel knows of each: when it came, from whom, with which TTL.

Source: socket(7) SO_TIMESTAMPNS, ip(7) IP_RECVTTL and IP_RECVERR, ipv6(7).
"""

from __future__ import annotations

import socket
import struct
import time
from dataclasses import dataclass
from typing import Final

from filterbed.probe.address import family
from filterbed.probe.stream import Flow, Row, elapsed, note, outcome

#: Linux; the socket module does not name them.
SO_TIMESTAMPNS: Final = 35
_IP_RECVERR: Final = 11
_IP_RECVTTL: Final = 12
_IPV6_RECVERR: Final = 25
_IPV6_RECVHOPLIMIT: Final = 51
_IPV6_HOPLIMIT: Final = 52
_MSG_ERRQUEUE: Final = 0x2000
_LIMIT: Final = 65535


@dataclass(frozen=True, slots=True)
class Datagram:
    """What came: `at` is epoch seconds by the kernel's stamp, `ttl` what was left of it."""

    data: bytes
    address: str
    port: int
    at: float
    ttl: int | None


def prepare(sock: socket.socket) -> None:
    """Have the kernel tell time and TTL, and ICMP errors even where nothing is connected."""
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVHOPLIMIT, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_RECVTTL, 1)
        sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)


def receive(sock: socket.socket) -> Datagram | None:
    """Return the next datagram; None where none waits. OSError for an ICMP error."""
    try:
        data, notes, _, peer = sock.recvmsg(_LIMIT, 256)
    except BlockingIOError:
        _forget(sock)
        return None
    except OSError:
        _forget(sock)
        raise
    at, ttl = time.time(), None
    for level, kind, value in notes:
        if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS) and len(value) >= 16:
            seconds, nanoseconds = struct.unpack("qq", value[:16])
            at = seconds + nanoseconds / 1e9
        elif (level, kind) in _TTLS and len(value) >= 4:
            ttl = int(struct.unpack("i", value[:4])[0])
    return Datagram(data, str(peer[0]), int(peer[1]), at, ttl)


def exchange(address: str, port: int, data: bytes, *, timeout: float, flows: list[Flow]) -> Row:
    """Send a datagram, once more at half the time-out, and wait for any datagram back."""
    began = time.monotonic()
    word = "timeout"
    with socket.socket(family(address), socket.SOCK_DGRAM) as sock:
        sock.settimeout(timeout / 2)
        try:
            sock.connect((address, port))
            note(flows, "udp", sock, address, port)
            for _ in range(2):
                sock.send(data)
                try:
                    sock.recv(_LIMIT)
                except TimeoutError:
                    continue
                word = "ok"
                break
        except OSError as error:
            word = outcome(error)
    return {"address": address, "port": port, "outcome": word, "seconds": elapsed(began)}


def _forget(sock: socket.socket) -> None:
    """Empty the queue of ICMP errors, which would otherwise stay readable and take up room."""
    try:
        while True:
            sock.recvmsg(1, 512, _MSG_ERRQUEUE)
    except OSError:
        return


_TTLS: Final = ((socket.IPPROTO_IP, socket.IP_TTL), (socket.IPPROTO_IPV6, _IPV6_HOPLIMIT))
