"""Write and read STUN messages, and ask servers from where they see us.

Wire:    RFC 8489 section 5 (header: type, length, magic cookie, transaction; attributes padded to
         four bytes), 14.2 (XOR-MAPPED-ADDRESS), 14.5 (MESSAGE-INTEGRITY, HMAC-SHA1).
Limits:  UDP; no FINGERPRINT of our own, none demanded; comprehension-optional attributes are passed
         over.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import ipaddress
import secrets
import select
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from filterbed.probe.address import shown
from filterbed.probe.stream import Row, elapsed

PORT: Final = 3478
COOKIE: Final = 0x2112A442
#: Seconds until a request is repeated (section 6.2.1: RTO), and, once one server has answered,
#: until the others are late.
RTO: Final = 0.5
Address = tuple[str, int]


class Method(IntEnum):
    """RFC 8489 section 18.2; RFC 8656 section 17."""

    BINDING = 0x001
    ALLOCATE = 0x003
    REFRESH = 0x004
    DATA = 0x007
    CHANNEL_BIND = 0x009


class Attribute(IntEnum):
    """RFC 8489 section 18.3; RFC 8656 section 18."""

    MAPPED_ADDRESS = 0x0001
    USERNAME = 0x0006
    MESSAGE_INTEGRITY = 0x0008
    ERROR_CODE = 0x0009
    CHANNEL_NUMBER = 0x000C
    LIFETIME = 0x000D
    XOR_PEER_ADDRESS = 0x0012
    DATA = 0x0013
    REALM = 0x0014
    NONCE = 0x0015
    XOR_RELAYED_ADDRESS = 0x0016
    REQUESTED_ADDRESS_FAMILY = 0x0017
    REQUESTED_TRANSPORT = 0x0019
    XOR_MAPPED_ADDRESS = 0x0020


@dataclass(frozen=True, slots=True)
class Message:
    """A message: `kind` is 0 request, 1 indication, 2 success, 3 error. Of each attribute one."""

    method: int
    kind: int
    transaction: bytes
    attributes: Mapping[int, bytes] = field(default_factory=dict)

    def address(self, name: Attribute) -> Address | None:
        """Read an XOR'd address; None where there is none that can be read."""
        return read_address(self.attributes.get(name, b""), self.transaction)

    @property
    def code(self) -> int | None:
        """Return the error code; None where it says none."""
        value = self.attributes.get(Attribute.ERROR_CODE, b"")
        return (value[2] & 7) * 100 + value[3] if len(value) >= 4 else None


def write(message: Message, key: bytes | None = None) -> bytes:
    """Write a message; with a key its integrity comes last."""
    body = b"".join(_attribute(name, value) for name, value in message.attributes.items())
    if key is None:
        return _header(message, len(body)) + body
    head = _header(message, len(body) + 24)
    mac = hmac.digest(key, head + body, hashlib.sha1)
    return head + body + _attribute(Attribute.MESSAGE_INTEGRITY, mac)


def read(data: bytes) -> Message | None:
    """Read a message; None for what is none, or is not whole."""
    if len(data) < 20 or data[0] >> 6:
        return None
    kind, length, cookie = struct.unpack_from("!HHI", data)
    if cookie != COOKIE or length % 4 or len(data) < 20 + length:
        return None
    found: dict[int, bytes] = {}
    at, end = 20, 20 + length
    while at + 4 <= end:
        name, size = struct.unpack_from("!HH", data, at)
        if at + 4 + size > end:
            return None
        found.setdefault(name, data[at + 4 : at + 4 + size])
        at += 4 + size + -size % 4
    method = (kind & 0xF) | (kind >> 1 & 0x70) | (kind >> 2 & 0xF80)
    return Message(method, (kind >> 4 & 1) | (kind >> 7 & 2), data[8:20], found)


def request(method: Method, attributes: Mapping[int, bytes] | None = None) -> Message:
    """Make a request with a transaction of its own."""
    return Message(method, 0, secrets.token_bytes(12), attributes or {})


def _header(message: Message, length: int) -> bytes:
    m, c = message.method, message.kind
    kind = (m & 0xF) | (m & 0x70) << 1 | (m & 0xF80) << 2 | (c & 1) << 4 | (c & 2) << 7
    return struct.pack("!HHI", kind, length, COOKIE) + message.transaction


def _attribute(name: int, value: bytes) -> bytes:
    return struct.pack("!HH", name, len(value)) + value + bytes(-len(value) % 4)


def write_address(address: Address, transaction: bytes) -> bytes:
    """XOR an address (section 14.2)."""
    packed = ipaddress.ip_address(address[0]).packed
    mask = struct.pack("!I", COOKIE) + transaction
    hidden = bytes(a ^ b for a, b in zip(packed, mask, strict=False))
    family = 1 if len(packed) == 4 else 2
    return struct.pack("!BBH", 0, family, address[1] ^ COOKIE >> 16) + hidden


def read_address(value: bytes, transaction: bytes) -> Address | None:
    """Undo it; None for what is no address."""
    if len(value) not in (8, 20) or value[1] != (1 if len(value) == 8 else 2):
        return None
    mask = struct.pack("!I", COOKIE) + transaction
    packed = bytes(a ^ b for a, b in zip(value[4:], mask, strict=False))
    port = int.from_bytes(value[2:4], "big") ^ COOKIE >> 16
    return str(ipaddress.ip_address(packed)), port


def bind(sock: socket.socket, servers: Sequence[Address], *, timeout: float) -> Row:
    """Ask servers from one socket how they see it.

    Returns: `outcome` (ok, timeout), `mapped` (what each that answered saw, in order of the
        servers), `mapping` (`independent` or `dependent` on the endpoint; null where fewer than two
        answered), `seconds`.
    """
    began = time.monotonic()
    asked = {server: request(Method.BINDING) for server in servers}
    seen: dict[Address, Address] = {}
    deadline, again = began + timeout, began
    while len(seen) < len(asked) and (now := time.monotonic()) < deadline:
        if now >= again:
            for server in [one for one in asked if one not in seen]:
                with contextlib.suppress(OSError):
                    sock.sendto(write(asked[server]), server)
            again = now + RTO
        if not select.select([sock], [], [], max(0.0, min(again, deadline) - now))[0]:
            continue
        with contextlib.suppress(OSError):
            data = sock.recvfrom(2048)[0]
            message = read(data)
            for server, one in asked.items():
                if message and message.kind == 2 and message.transaction == one.transaction:
                    mapped = message.address(Attribute.XOR_MAPPED_ADDRESS)
                    if mapped:
                        seen[server] = mapped
                        deadline = min(deadline, time.monotonic() + RTO)
    found = [seen[server] for server in servers if server in seen]
    mapping = None
    if len(found) > 1:
        mapping = "independent" if len(set(found)) == 1 else "dependent"
    return {
        "outcome": "ok" if found else "timeout",
        "mapped": [f"{shown(address)}:{port}" for address, port in found],
        "mapping": mapping,
        "seconds": elapsed(began),
    }
