"""Read what a client says to a SOCKS proxy: whom it wants to reach."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from censor.dissect.outcome import Foreign, Incomplete

#: A user's or a host's name in SOCKS 4 ends within so many bytes.
LIMIT: Final = 256

_COMMANDS_4: Final = (1, 2)
_COMMANDS_5: Final = (1, 2, 3)
_ADDRESS: Final = {1: 4, 4: 16}
_NAME: Final = 3


@dataclass(frozen=True, slots=True)
class NotSocks(Foreign):
    """Not what a SOCKS client says."""


@dataclass(frozen=True, slots=True)
class Request:
    """One thing a client says.

    command: 1 connect, 2 bind, 3 UDP; 0 for what comes before the request in SOCKS 5: the ways to
    log in, and the login. host: a name in lower case or an address, None before the request.
    """

    version: int
    command: int
    host: str | None
    port: int
    length: int


def dissect(stream: bytes, *, later: bool = False) -> Request | Incomplete | NotSocks:
    """Read the first thing of a stream. `later`: the client has said its ways to log in.

    Source: RFC 1928 sections 3 to 5, RFC 1929 section 2; Lee, "SOCKS: A protocol for TCP proxy
        across firewalls", and "SOCKS 4A".
    """
    if not stream:
        return Incomplete(2)
    if later:
        return _login(stream) if stream[0] == 1 else _request(stream)
    if stream[0] == 4:
        return _four(stream)
    if stream[0] != 5:
        return NotSocks(f"version {stream[0]}, expected 4 or 5")
    if len(stream) < 2:
        return Incomplete(2)
    length = 2 + stream[1]
    if length == 2:
        return NotSocks("no way to log in")
    return Request(5, 0, None, 0, length) if len(stream) >= length else _lack(stream, length)


def _lack(stream: bytes, length: int) -> Incomplete:
    return Incomplete(length - len(stream))


def _login(stream: bytes) -> Request | Incomplete | NotSocks:
    """Read a user's name and password; what they are is passed over."""
    place = 1
    for _ in range(2):
        if place >= len(stream):
            return _lack(stream, place + 1)
        place += 1 + stream[place]
    return Request(5, 0, None, 0, place) if len(stream) >= place else _lack(stream, place)


def _request(stream: bytes) -> Request | Incomplete | NotSocks:
    head = (5,), _COMMANDS_5, (0,), (*_ADDRESS, _NAME)
    for byte, allowed in zip(stream, head, strict=False):
        if byte not in allowed:
            return NotSocks(f"no request: {stream[:4].hex()}")
    if len(stream) < 5:
        return _lack(stream, 5)
    named = stream[3] == _NAME
    start = 5 if named else 4
    stop = start + (stream[4] if named else _ADDRESS[stream[3]])
    if len(stream) < stop + 2:
        return _lack(stream, stop + 2)
    raw = stream[start:stop]
    host = raw.decode("latin-1").lower() if named else str(ip_address(raw))
    return Request(5, stream[1], host, int.from_bytes(stream[stop : stop + 2], "big"), stop + 2)


def _four(stream: bytes) -> Request | Incomplete | NotSocks:
    if len(stream) > 1 and stream[1] not in _COMMANDS_4:
        return NotSocks(f"command {stream[1]}, expected 1 or 2")
    if len(stream) < 9:
        return _lack(stream, 9)
    stop = stream.find(b"\0", 8, 8 + LIMIT)
    named = stream[4:7] == b"\0\0\0" and stream[7] != 0
    raw, host = stream[4:8], None
    if stop >= 0 and named:
        start = stop + 1
        stop = stream.find(b"\0", start, start + LIMIT)
        host = stream[start:stop].decode("latin-1").lower()
    if stop < 0:
        many = len(stream) >= 8 + (2 if named else 1) * LIMIT
        return NotSocks("a name without an end") if many else Incomplete()
    port = int.from_bytes(stream[2:4], "big")
    return Request(4, stream[1], host or str(ip_address(raw)), port, stop + 1)
