"""Read an ICMP or ICMPv6 message, and which flow an error speaks of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from censor.wire.key import Key
from censor.wire.number import ICMP_HEADER
from censor.wire.packet import Packet, parse

#: Messages that quote the packet they are about.
#: Source: https://www.iana.org/assignments/icmp-parameters, RFC 792, RFC 4443 section 2.1
_ERRORS: Final = frozenset((3, 4, 5, 11, 12))
_ERRORS6: Final = frozenset((1, 2, 3, 4))


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `rest` is the header's last 4 bytes: an echo's id and sequence number, the
    next hop's MTU, a pointer. `quoted` is the packet an error is about, as far as it was quoted.
    """

    type: int
    code: int
    rest: int
    quoted: Packet | None

    @property
    def key(self) -> Key | None:
        """Return the flow an error is about, None if it is no error or cannot be told."""
        return None if self.quoted is None else self.quoted.key


def dissect(message: bytes, *, version: int = 4) -> Message | None:
    """Read a message from its type on; None if it is shorter than its header.

    Limits: what lies behind the quoted packet (RFC 4884) is taken for part of it.
    """
    if len(message) < ICMP_HEADER:
        return None
    kind = message[0]
    quoted = None
    if kind in (_ERRORS if version == 4 else _ERRORS6):
        packet = parse(bytes(message[ICMP_HEADER:]))
        if isinstance(packet, Packet):
            quoted = packet
    return Message(kind, message[1], int.from_bytes(message[4:8], "big"), quoted)
