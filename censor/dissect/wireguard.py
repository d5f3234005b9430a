"""Tell WireGuard's four messages by their first four bytes and their lengths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from censor.dissect.outcome import Foreign

#: By type: what it is, and its bytes; data has at least so many, and is padded to sixteens.
#: Source: https://www.wireguard.com/protocol/ ; Donenfeld, "WireGuard" (NDSS 2017) section 5.4.
MESSAGES: Final = {
    1: ("initiation", 148),
    2: ("response", 92),
    3: ("cookie", 64),
    4: ("data", 32),
}
KINDS: Final = tuple(kind for kind, _ in MESSAGES.values())
HELLO: Final = ("initiation",)


@dataclass(frozen=True, slots=True)
class NotWireguard(Foreign):
    """No message of WireGuard."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message. kind: one of `KINDS`."""

    kind: str


def dissect(datagram: bytes) -> Message | NotWireguard:
    """Read a UDP payload."""
    if len(datagram) < 32 or datagram[1:4] != b"\0\0\0":
        return NotWireguard(f"{len(datagram)} bytes, beginning with {datagram[:4].hex()}")
    kind, size = MESSAGES.get(datagram[0], ("", 0))
    if not kind:
        return NotWireguard(f"type {datagram[0]}, expected 1 to 4")
    if len(datagram) != size and (kind != "data" or len(datagram) % 16):
        return NotWireguard(f"{kind} of {len(datagram)} bytes, expected {size}")
    return Message(kind)
