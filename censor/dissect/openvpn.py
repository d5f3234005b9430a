"""Tell OpenVPN's packets by their opcode, over UDP or a TCP stream.

A connection is recognised by the client's reset, whose length says how it is protected: not at
all, signed (tls-auth) or encrypted (tls-crypt). Behind it an opcode is all there is to see.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from censor.dissect.outcome import Foreign, Incomplete

#: By opcode: the upper five bits of a packet's first byte.
#: Source: OpenVPN's ssl_pkt.h; Xue et al., "OpenVPN is Open to VPN Fingerprinting" (USENIX
#: Security 2022) section 5.1.
OPCODES: Final = {
    **dict.fromkeys((1, 7, 10), "client-reset"),
    **dict.fromkeys((2, 8), "server-reset"),
    3: "soft-reset",
    **dict.fromkeys((4, 11), "control"),
    5: "ack",
    **dict.fromkeys((6, 9), "data"),
}
KINDS: Final = tuple(dict.fromkeys(OPCODES.values()))
HELLO: Final = ("client-reset",)

#: A reset's opcode and session, no acknowledgements, and packet 0; nothing else if unprotected.
_RESET: Final = 1 + 8 + 1 + 4
#: What tls-auth adds: a digest, packet number and time.
_SIGNED: Final = tuple(_RESET + 8 + digest for digest in (16, 20, 28, 32, 48, 64))
#: What tls-crypt adds, and encrypts; tls-crypt-v2 (opcode 10) has the client's wrapped key behind.
_CRYPTED: Final = _RESET + 8 + 32
_WRAPPED: Final = 10
#: Opcode, session and packet number; opcode, peer and packet number.
_LEAST: Final = {"data": 5}


@dataclass(frozen=True, slots=True)
class NotOpenvpn(Foreign):
    """No packet of OpenVPN."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet. kind: one of `KINDS`. length: bytes on the wire, a stream's prefix too."""

    kind: str
    length: int


def dissect(payload: bytes) -> Packet | NotOpenvpn:
    """Read a UDP payload.

    Limits: a client's reset is recognised only at the lengths it has without options that change
        them; others are told from noise by nothing but their opcode, so ask only behind a reset.
    """
    kind = OPCODES.get(payload[0] >> 3, "") if payload else ""
    size = len(payload)
    if not kind or size < _LEAST.get(kind, _RESET - 5):
        return NotOpenvpn(f"{size} bytes, beginning with {payload[:1].hex() or 'nothing'}")
    if kind == "client-reset" and not _is_reset(payload):
        return NotOpenvpn(f"a client's reset of {size} bytes")
    return Packet(kind, size)


def _is_reset(payload: bytes) -> bool:
    size = len(payload)
    if payload[0] & 7:  # the first key has number 0
        return False
    if payload[0] >> 3 == _WRAPPED:
        return size > _CRYPTED
    return size == _CRYPTED or (size in (_RESET, *_SIGNED) and payload[-5:] == bytes(5))


def unframe(stream: bytes) -> Packet | Incomplete | NotOpenvpn:
    """Read the first packet of a TCP stream, behind its length in two bytes."""
    if len(stream) < 3:
        return Incomplete(3 - len(stream))
    length = int.from_bytes(stream[:2], "big")
    if not length or stream[2] >> 3 not in OPCODES:
        return NotOpenvpn(f"a frame of {length} bytes, beginning with {stream[2]:02x}")
    if len(stream) < 2 + length:
        return Incomplete(2 + length - len(stream))
    found = dissect(stream[2 : 2 + length])
    return found if isinstance(found, NotOpenvpn) else Packet(found.kind, 2 + length)
