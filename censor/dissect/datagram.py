"""Tell by its first byte what a datagram may be, where several protocols share a port."""

from __future__ import annotations

from enum import Enum
from typing import Final


class Family(Enum):
    """What may begin with a byte. OTHER: nothing that shares a port with these; empty datagrams.

    Bytes 64 to 79 may be QUIC's too, where no relay is spoken to (RFC 9443 section 2).
    """

    STUN = "stun"
    ZRTP = "zrtp"
    DTLS = "dtls"
    TURN = "turn"
    RTP = "rtp"
    QUIC = "quic"
    OTHER = "other"


#: The last first byte of each range, in order.
#: Source: RFC 7983 section 7 (fact dpi-rfc7983), updated by RFC 9443 section 2
_RANGES: Final = (
    (3, Family.STUN),
    (15, Family.OTHER),
    (19, Family.ZRTP),
    (63, Family.DTLS),
    (79, Family.TURN),
    (127, Family.QUIC),
    (191, Family.RTP),
    (255, Family.QUIC),
)

_FAMILIES: Final = tuple(
    next(family for last, family in _RANGES if byte <= last) for byte in range(256)
)


def classify(datagram: bytes) -> Family:
    """Return the family a datagram may belong to; its dissector says whether it does."""
    return _FAMILIES[datagram[0]] if datagram else Family.OTHER
