"""Speak just as much HTTP/2 as one DNS question over HTTPS takes.

Wire:    RFC 8484 section 4.1 (GET, the message in the URL), RFC 9113 frames, RFC 7541 headers: ours
         are literals and entries of the static table, of the answer's the status alone is read.
Limits:  a status that is not in the static table, and Huffman codes, are not read (status None).
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Final, Protocol

PORT: Final = 443
PATH: Final = "/dns-query"
ALPN: Final = ("h2",)
PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#: Types of frames, RFC 9113 section 6.
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0x0, 0x1, 0x3, 0x4, 0x6, 0x7
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
#: Entries of the static table that are whole headers, RFC 7541 appendix A.
_GET, _HTTPS = b"\x82", b"\x87"
_AUTHORITY, _PATH, _ACCEPT = 1, 4, 19
_STATUS: Final = {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}
#: Bytes of answer that are read; a DNS message has fewer.
LIMIT: Final = 65536


class Channel(Protocol):
    """What is spoken through: TLS over a stream."""

    def send(self, data: bytes) -> None: ...
    def receive(self) -> bytes: ...


@dataclass(slots=True)
class Reply:
    """What has come of the answer. `closed` says why no more will come: end, or reset."""

    status: int | None = None
    body: bytes = b""
    closed: str = ""
    rest: bytes = field(default=b"", repr=False)


def number(value: int, bits: int, first: int = 0) -> bytes:
    """Write an integer behind a prefix of so many bits, RFC 7541 section 5.1."""
    most = (1 << bits) - 1
    if value < most:
        return bytes((first | value,))
    out, value = bytearray((first | most,)), value - most
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes((*out, value))


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Write one frame."""
    return (
        len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload
    )


def request(host: str, message: bytes) -> bytes:
    """Write everything a client says to ask one question."""
    asked = base64.urlsafe_b64encode(message).rstrip(b"=")
    block = _GET + _HTTPS + _literal(_AUTHORITY, host.encode("ascii"))
    block += _literal(_PATH, PATH.encode() + b"?dns=" + asked)
    block += _literal(_ACCEPT, b"application/dns-message")
    return PREFACE + frame(SETTINGS, 0, 0) + frame(HEADERS, END_STREAM | END_HEADERS, 1, block)


def _literal(name: int, value: bytes) -> bytes:
    return number(name, 4) + number(len(value), 7) + value


def ask(channel: Channel, host: str, message: bytes) -> Reply:
    """Ask, and read the answer; what the channel raises is passed on."""
    reply = Reply()
    channel.send(request(host, message))
    while not reply.closed and len(reply.body) <= LIMIT:
        if said := take(reply, channel.receive()):
            channel.send(said)
    return reply


def take(reply: Reply, data: bytes) -> bytes:
    """Read what came into the reply; return what is to be said back."""
    said = b""
    held = reply.rest + data
    while len(held) >= 9 and len(held) >= 9 + (size := int.from_bytes(held[:3], "big")):
        kind, flags, stream = held[3], held[4], int.from_bytes(held[5:9], "big") & 0x7FFFFFFF
        payload, held = held[9 : 9 + size], held[9 + size :]
        if kind in (SETTINGS, PING) and not flags & ACK:
            said += frame(kind, ACK, 0, payload if kind == PING else b"")
        elif kind == GOAWAY or (kind == RST_STREAM and stream == 1):
            reply.closed = reply.closed or "reset"
        elif stream == 1 and kind in (HEADERS, DATA):
            _part(reply, kind, flags, payload)
    reply.rest = held
    return said


def _part(reply: Reply, kind: int, flags: int, payload: bytes) -> None:
    if flags & PADDED and payload:
        payload = payload[1 : max(1, len(payload) - payload[0])]
    if kind == DATA:
        reply.body += payload
    elif reply.status is None:
        reply.status = _status(payload[5:] if flags & PRIORITY else payload)
    if flags & END_STREAM:
        reply.closed = "end"


def _status(block: bytes) -> int | None:
    """Read the status, which comes first but for changes of the table's size."""
    while block and block[0] & 0xE0 == 0x20:
        long = block[0] & 0x1F == 0x1F
        block = block[1:]
        while long and block:
            long, block = block[0] >= 128, block[1:]
    return _STATUS.get(block[0] - 0x80) if block else None
