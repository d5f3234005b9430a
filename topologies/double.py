"""Send a packet a second time, from the router whose link doubles it.

Wire:    IPv4 (RFC 791) and IPv6 (RFC 8200) headers, as netfilter hands them over.
Limits:  a double that comes in is sent on as if this router had forwarded it, one hop older; what
         has no hop left is not doubled. Packets are whole: offloads are off.
"""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from dataclasses import dataclass

#: Of <asm-generic/socket.h>; Python has no name for it.
SO_MARK = 36


def length(data: bytes) -> int:
    """Return a packet's length, of which the beginning is enough; bytes."""
    if data[0] >> 4 == 6:
        return 40 + int(struct.unpack_from("!H", data, 4)[0])
    return int(struct.unpack_from("!H", data, 2)[0])


def older(data: bytes) -> bytes | None:
    """Return the packet with a hop less, its IPv4 checksum mended; None where none is left."""
    six = data[0] >> 4 == 6
    place = 7 if six else 8
    if data[place] <= 1:
        return None
    changed = bytearray(data)
    changed[place] -= 1
    if not six:
        # RFC 1141: the sum grows by what the field lost, with the carry at its low end.
        total = int(struct.unpack_from("!H", data, 10)[0]) + 0x100
        struct.pack_into("!H", changed, 10, (total & 0xFFFF) + (total >> 16))
    return bytes(changed)


class Double:
    """Raw sockets of both versions whose packets carry a mark, so that they are not held again."""

    def __init__(self, mark: int) -> None:
        self._sockets = {}
        for version, family in ((4, socket.AF_INET), (6, socket.AF_INET6)):
            sender = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
            sender.setsockopt(socket.SOL_SOCKET, SO_MARK, mark)
            self._sockets[version] = sender

    def send(self, data: bytes, into: bool) -> None:
        """Send it again; `into` says that it came in and was not yet forwarded."""
        whole = older(data) if into else data
        if whole is None:
            return
        six = data[0] >> 4 == 6
        family, to = (socket.AF_INET6, data[24:40]) if six else (socket.AF_INET, data[16:20])
        with suppress(OSError):  # an address nobody has a way to: the first one got no further
            self._sockets[data[0] >> 4].sendto(whole, (socket.inet_ntop(family, to), 0))


@dataclass(frozen=True, slots=True)
class Again:
    """A packet's double, which waits as the packet does."""

    double: Double
    data: bytes
    into: bool

    def accept(self) -> None:
        """Let it go."""
        self.double.send(self.data, self.into)
