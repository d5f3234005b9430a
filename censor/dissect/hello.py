"""Read a ClientHello that came without TLS records, as QUIC and DTLS carry it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from censor.dissect.mosaic import LIMIT
from censor.dissect.outcome import Incomplete
from censor.dissect.tls import ClientHello, NotTls, dissect

#: Handshake type (1) and length (3), RFC 8446 section 4.
HEADER: Final = 4

_CLIENT_HELLO: Final = 1
_RECORD: Final = b"\x16\x03\x01"


def read_message(message: bytes, *, partial: bool = False) -> ClientHello | Incomplete | NotTls:
    """Read a handshake message from its type on; what follows it is ignored.

    `partial` as in `tls.dissect`. The result has `records` 0, and `length` counts from the type.

    Limits: a message of more than `LIMIT` bytes is none.
    """
    if message and message[0] != _CLIENT_HELLO:
        return NotTls(f"handshake message {message[0]}, expected {_CLIENT_HELLO}")
    if len(message) < HEADER:
        return Incomplete(HEADER - len(message))
    whole = HEADER + int.from_bytes(message[1:HEADER], "big")
    if whole > LIMIT:
        return NotTls(f"ClientHello of {whole} bytes, expected at most {LIMIT}")
    record = _RECORD + whole.to_bytes(2, "big")
    found = dissect(record + message[:whole], partial=partial)
    if isinstance(found, ClientHello):
        return replace(found, records=0, length=found.length - len(record))
    return found
