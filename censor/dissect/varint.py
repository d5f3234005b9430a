"""Read QUIC's integers of variable length."""

from __future__ import annotations

from typing import Final

_MASKS: Final = (0x3F, 0x3FFF, 0x3FFF_FFFF, 0x3FFF_FFFF_FFFF_FFFF)


def read_varint(data: bytes, place: int) -> tuple[int, int] | None:
    """Read the integer at `place`: its value, and the offset behind it; None if it is cut.

    Source: RFC 9000 section 16; the first two bits say whether it has 1, 2, 4 or 8 bytes.
    """
    if place >= len(data):
        return None
    first = data[place]
    if first < 0x40:
        return first, place + 1
    kind = first >> 6
    behind = place + (1 << kind)
    if behind > len(data):
        return None
    return int.from_bytes(data[place:behind], "big") & _MASKS[kind], behind
