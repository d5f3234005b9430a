"""Read one captured frame as a packet that crosses a router, or as one that does not.

A packet's `key` is its bytes as they are after the hop, IPv4 header checksum zeroed: equal on both
sides of a box that leaves it alone, and equal to the censor's door record, which is taken after the
kernel has counted the hop.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Set
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from filterbed.header import dissect, quoted
from filterbed.pcapng import Frame

IPV4, IPV6 = 4, 6
#: The least an ICMP error quotes: an IPv4 header and eight bytes (RFC 792).
QUOTED: Final = 28
_ETHERNET: Final = 14
_TYPES: Final = {b"\x08\x00": IPV4, b"\x86\xdd": IPV6}
_MULTICAST: Final = {IPV4: range(224, 240), IPV6: range(255, 256)}
_NOBODY: Final = frozenset({bytes(4), bytes(16), b"\xff\xff\xff\xff"})


class Crossing(NamedTuple):
    """A packet on its way through a box."""

    key: bytes
    entered: bool


@dataclass(slots=True)
class Tally:
    """What else a capture shows: keys with broken checksums, and quotes in the box's ICMP errors.

    A quote is as much of a refused packet's key as the error held. Whether the hop was counted
    before or after the packet was quoted depends on why it was refused, so both forms are noted.
    """

    refused: list[tuple[bytes, bytes]] = field(default_factory=list)
    broken: Counter[bytes] = field(default_factory=Counter)


def zeroed(packet: bytes) -> bytes:
    """Return an IP packet, cut to its own length, its IPv4 header checksum zeroed."""
    if packet[:1] and packet[0] >> 4 == IPV4 and len(packet) >= 20:
        length = packet[2] << 8 | packet[3]
        return packet[:10] + b"\0\0" + packet[12:length]
    if len(packet) >= 40:
        return packet[: 40 + (packet[4] << 8 | packet[5])]
    return packet


def forwarded(packet: bytes) -> bytes:
    """Return the key of a packet that arrives: one hop less."""
    at = 8 if packet[0] >> 4 == IPV4 else 7
    hops = (packet[at] - 1) & 0xFF
    return zeroed(packet[:at] + bytes((hops,)) + packet[at + 1 :])


def crossing(
    frame: Frame, mac: bytes, own: Set[bytes], tally: Tally, cut: int | None = None
) -> Crossing | None:
    """Read a frame; None for what a router does not forward (see `filterbed.audit`).

    Args:
        mac: of the interface that was captured: frames to it entered, frames from it left.
        own: the box's raw addresses.
        cut: bytes of IP to keep in a key; None for all.
    """
    data = frame.data
    version = _TYPES.get(data[12:14])
    if version is None:
        return None
    entered = data[:6] == mac
    if not entered and data[6:12] != mac:
        return None
    packet = data[_ETHERNET:]
    sound = _sound(packet, version, frame.length - _ETHERNET)
    if sound is None:
        return None
    src, dst, hops = sound
    if src in own and not entered:
        _note_refusal(packet, tally)
    if src in own or dst in own or _stays(src, dst, version):
        return None
    if not entered:
        if version == IPV4 and not _checksum_holds(packet):
            tally.broken[zeroed(packet)[:cut]] += 1
        return Crossing(zeroed(packet)[:cut], False)
    if hops <= 1 or (version == IPV4 and not _checksum_holds(packet)):
        return None
    return Crossing(forwarded(packet)[:cut], True)


def _sound(packet: bytes, version: int, length: int) -> tuple[bytes, bytes, int] | None:
    """Return source, destination and hops left; None for what no router takes as IP."""
    if version == IPV4:
        if len(packet) < 20 or packet[0] >> 4 != IPV4 or packet[0] & 15 < 5:
            return None
        if not (packet[0] & 15) * 4 <= (packet[2] << 8 | packet[3]) <= length:
            return None
        return packet[12:16], packet[16:20], packet[8]
    if len(packet) < 40 or packet[0] >> 4 != IPV6:
        return None
    if 40 + (packet[4] << 8 | packet[5]) > length:
        return None
    return packet[8:24], packet[24:40], packet[7]


def _stays(src: bytes, dst: bytes, version: int) -> bool:
    """Return whether addresses say that a packet never crosses a router (RFC 4291, 2.5.6)."""
    if dst[0] in _MULTICAST[version] or src in _NOBODY or dst in _NOBODY:
        return True
    if version == IPV6:
        return any(a[0] == 0xFE and a[1] & 0xC0 == 0x80 for a in (src, dst))
    return src[0] == 127 or dst[0] == 127 or b"\xa9\xfe" in (src[:2], dst[:2])


def _checksum_holds(packet: bytes) -> bool:
    """Return whether an IPv4 header's checksum is right (RFC 1071)."""
    size = (packet[0] & 15) * 4
    if len(packet) < size:
        return False
    total: int = sum(struct.unpack_from(f">{size // 2}H", packet))
    return total % 0xFFFF == 0 and total > 0


def _note_refusal(packet: bytes, tally: Tally) -> None:
    """Note which packet the box's own ICMP error is about, as far as it is quoted."""
    header = dissect(packet)
    about = quoted(packet, header) if header is not None else None
    if about and len(about) >= QUOTED:
        tally.refused.append((forwarded(about), zeroed(about)))
