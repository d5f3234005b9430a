"""Read and write what netlink messages are made of.

Wire: attributes of length and kind, two bytes each in the machine's order, padded to four bytes.
Source: netlink(7), https://docs.kernel.org/userspace-api/netlink/intro.html.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct, pack, unpack_from
from typing import Final

NESTED: Final = 0x8000
REQUEST, ACK, DUMP, CREATE = 1, 4, 0x300, 0x400
ERROR, DONE = 2, 3

#: nlmsghdr: length, kind, flags, sequence number, port.
_HEAD: Final = Struct("=IHHII")


def message(kind: int, flags: int, body: bytes, sequence: int = 0) -> bytes:
    """Return a message to the kernel."""
    return _HEAD.pack(_HEAD.size + len(body), kind, flags, sequence, 0) + body


def messages(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield the messages in what the kernel sent: kind, sequence number and body."""
    place = 0
    while place + _HEAD.size <= len(data):
        size, kind, _, sequence, _ = _HEAD.unpack_from(data, place)
        yield kind, sequence, data[place + _HEAD.size : place + size]
        place += max(size + 3 & ~3, _HEAD.size)


def attribute(kind: int, value: bytes) -> bytes:
    """Return one attribute."""
    return pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) & 3)


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield each attribute's kind and value; what is cut short ends them."""
    place = 0
    while place + 4 <= len(data):
        size, kind = unpack_from("=HH", data, place)
        if size < 4:
            return
        yield kind & 0x3FFF, data[place + 4 : place + size]
        place += size + 3 & ~3
