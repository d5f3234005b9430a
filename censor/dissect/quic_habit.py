"""Say how a censor reads QUIC: a policy's to choose, so nothing here needs a cipher."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

#: Version numbers. Source: RFC 9000 section 15, RFC 9369 section 3.
V1: Final = 0x0000_0001
V2: Final = 0x6B33_43CF


@dataclass(frozen=True, slots=True)
class Habit:
    """How a censor reads QUIC; the defaults are as a server does, which nothing evades.

    versions: those it can open. datagrams: how many of a flow it looks at, whatever they hold.
    reassemble: CRYPTO is gathered over datagrams, not only within one. frames: "any", or
    "leading": a payload must begin with a CRYPTO frame of offset 0, and whatever follows its
    header is the ClientHello, whatever length the frame claims. overlap: which copy of a byte
    counts. partial: an unfinished ClientHello counts once its name is there. smallest: bytes a
    datagram must have; servers refuse Initials in less than 1,200 (RFC 9000 section 14.1), and no
    censor is known to.
    """

    versions: frozenset[int] = frozenset((V1, V2))
    datagrams: int = 16
    reassemble: bool = True
    frames: Literal["any", "leading"] = "any"
    overlap: Literal["first", "last"] = "first"
    partial: bool = False
    smallest: int = 0


#: Reads as any server does.
CAREFUL: Final = Habit()

#: The Great Firewall since 2024-04: version 1 only, one datagram a flow, a leading CRYPTO frame.
#: Source: fact cn-quic-sni; "Exposing and Circumventing SNI-based QUIC Censorship of the Great
#: Firewall of China", USENIX Security 2025, table 3, and the payloads of its artifact,
#: https://github.com/gfw-report/usenixsecurity25-quic-sni
GFW: Final = Habit(frozenset((V1,)), datagrams=1, reassemble=False, frames="leading")
