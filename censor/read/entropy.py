"""Judge whether a payload looks like fully encrypted traffic: like nothing at all.

The rule exempts what it knows; whatever is left over is suspected.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

#: Maps a byte to 1 if it is printable, else to 0.
_MARKS: Final = bytes(0x20 <= byte <= 0x7E for byte in range(256))


class Exemption(Enum):
    """Why a payload is left alone. EMPTY: there is nothing to judge."""

    EMPTY = "empty"
    POPCOUNT = "popcount"
    PREFIX = "prefix"
    FRACTION = "fraction"
    RUN = "run"
    PROTOCOL = "protocol"


@dataclass(frozen=True, slots=True)
class Rule:
    """The exemptions, each with its published number. Printable is 0x20 to 0x7e.

    sparse, dense: bits set a byte; exempt at or below the one, at or above the other.
    prefix: first bytes that must all be printable. fraction: of printable bytes, exempt above it.
    run: printable bytes on end, exempt above it. tls_types, tls_minor: first byte, and the largest
    third byte behind a 3; the paper says 9, its reference code takes up to 15.
    words: what a request may begin with.
    """

    sparse: float = 3.4
    dense: float = 4.6
    prefix: int = 6
    fraction: float = 0.5
    run: int = 20
    tls_types: frozenset[int] = frozenset((0x16, 0x17))
    tls_minor: int = 9
    words: tuple[bytes, ...] = (b"GET ", b"PUT ", b"POST ", b"HEAD ")


#: The Great Firewall's, 2021-11 to 2023-03. Source: fact cn-fet; "How the Great Firewall of China
#: Detects and Blocks Fully Encrypted Traffic", USENIX Security 2023, algorithm 1, and its artifact
#: https://github.com/gfw-report/usenixsecurity23-artifact
GFW: Final = Rule()


@dataclass(frozen=True, slots=True)
class Measure:
    """What the rule looks at. bits: set a byte, on average. fraction: of printable bytes.
    prefix: printable bytes at the beginning. run: the most of them on end.
    """

    bits: float
    prefix: int
    fraction: float
    run: int


def measure(payload: bytes) -> Measure:
    """Measure a payload; all 0 if it is empty."""
    size = len(payload)
    if not size:
        return Measure(0.0, 0, 0.0, 0)
    marks = payload.translate(_MARKS)
    first = marks.find(0)
    return Measure(
        bits=_bits(payload) / size,
        prefix=size if first < 0 else first,
        fraction=marks.count(1) / size,
        run=max(map(len, marks.split(b"\0"))),
    )


def exemption(payload: bytes, rule: Rule = GFW) -> Exemption | None:
    """Return the first reason to leave a client's first payload alone, None if there is none.

    Limits: says nothing of addresses, chance or what then follows: those are a policy's.
    """
    size = len(payload)
    if not size:
        return Exemption.EMPTY
    if _known(payload, rule):
        return Exemption.PROTOCOL
    if not rule.sparse < _bits(payload) / size < rule.dense:
        return Exemption.POPCOUNT
    marks = payload.translate(_MARKS)
    if marks.startswith(b"\1" * rule.prefix):
        return Exemption.PREFIX
    if marks.count(1) / size > rule.fraction:
        return Exemption.FRACTION
    if b"\1" * (rule.run + 1) in marks:
        return Exemption.RUN
    return None


def _known(payload: bytes, rule: Rule) -> bool:
    if payload.startswith(rule.words):
        return True
    return (
        len(payload) > 2
        and payload[0] in rule.tls_types
        and payload[1] == 3
        and payload[2] <= rule.tls_minor
    )


def _bits(payload: bytes) -> int:
    return int.from_bytes(payload, "big").bit_count()
