"""Read and write RTP, and say what a receiver can know of a stream from its sequence numbers.

Wire:    RFC 3550 section 5.1, big-endian; version 2, CSRCs and a header extension are skipped.
Limits:  the lowest number that came is the first (the RFC takes that of the first packet), so a
         packet lost before any came is not counted here; jumps of 3000 numbers and more forward
         or 100 and more back are strays, as in the RFC, but no new start is recognised.
Source:  RFC 3550 appendices A.1 (numbers), A.3 (loss), A.8 (jitter).
"""

from __future__ import annotations

import itertools
import statistics
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

CLOCK: Final = 8000
MAX_DROPOUT: Final = 3000
MAX_MISORDER: Final = 100
#: What comes this much later than the quickest packet is too late to be played, in seconds.
BUFFER: Final = 0.1
#: Fewer spacings than this say nothing about their evenness.
SPACINGS: Final = 5
_HEADER: Final = struct.Struct("!BBHII")


@dataclass(frozen=True, slots=True)
class Packet:
    """An RTP packet: `number` of 16 bits, `timestamp` of 32 in ticks of the codec's clock."""

    kind: int
    number: int
    timestamp: int
    source: int
    payload: bytes


def write(packet: Packet, *, marker: bool = False) -> bytes:
    """Return the packet's bytes; number and timestamp are cut to their width."""
    return (
        _HEADER.pack(
            0x80,
            packet.kind | marker << 7,
            packet.number & 0xFFFF,
            packet.timestamp & 0xFFFFFFFF,
            packet.source,
        )
        + packet.payload
    )


def read(data: bytes) -> Packet | None:
    """Read a packet; None for what is no RTP, or is RTCP on the same port (RFC 5761 section 4)."""
    if len(data) < 12 or data[0] >> 6 != 2 or 64 <= data[1] & 0x7F <= 95:
        return None
    first, kind, number, timestamp, source = _HEADER.unpack_from(data)
    start = 12 + 4 * (first & 0x0F)
    if first & 0x10:
        if len(data) < start + 4:
            return None
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    end = len(data) - (data[-1] if first & 0x20 else 0)
    if start > end:
        return None
    return Packet(kind & 0x7F, number, timestamp, source, data[start:end])


@dataclass(frozen=True, slots=True)
class Arrival:
    """One packet as it came: number, timestamp, and when, in seconds of the receiver's clock."""

    number: int
    timestamp: int
    at: float


@dataclass(frozen=True, slots=True)
class Reception:
    """What was received of one stream. Seconds, except `transit`.

    `received` counts each number once; `lost` are missing between the lowest and the highest;
    `late` came more than BUFFER after the quickest; `head` packets came before the first loss;
    `burst` is how long runs of loss are against losses that fall independently (1); `spacing`
    the coefficient of variation of the steps between numbers after the head, None for too few:
    0 is a regular pattern, about 0.8 what chance makes of heavy loss.
    `transit` is the median of arrival minus timestamp: with the sender's start, the delay.
    """

    received: int = 0
    duplicates: int = 0
    strays: int = 0
    expected: int = 0
    lost: int = 0
    late: int = 0
    out_of_order: int = 0
    jitter: float = 0.0
    longest_gap: float = 0.0
    head: int = 0
    burst: float = 1.0
    spacing: float | None = None
    first: int | None = None
    highest: int | None = None
    transit: float | None = None


def reception(arrivals: Sequence[Arrival], *, clock: int = CLOCK) -> Reception:
    """Sum up the packets of one source, in the order they came."""
    seen: dict[int, Arrival] = {}
    duplicates = strays = disorder = 0
    highest = arrivals[0].number if arrivals else 0
    for arrival in arrivals:
        step = nearest(arrival.number - highest, 16)
        if not -MAX_MISORDER < step < MAX_DROPOUT:
            strays += 1
        elif highest + step in seen:
            duplicates += 1
        else:
            disorder += step < 0
            seen[highest + step] = arrival
            highest = max(highest, highest + step)
    if not seen:
        return Reception()
    transits = _transits(seen.values(), clock)
    numbers = sorted(seen)
    head, burst, spacing = _pattern(numbers)
    expected = numbers[-1] - numbers[0] + 1
    times = [arrival.at for arrival in seen.values()]
    return Reception(
        received=len(seen),
        duplicates=duplicates,
        strays=strays,
        expected=expected,
        lost=expected - len(seen),
        late=sum(transit > min(transits) + BUFFER for transit in transits),
        out_of_order=disorder,
        jitter=_jitter(transits),
        longest_gap=max((b - a for a, b in itertools.pairwise(times)), default=0.0),
        head=head,
        burst=burst,
        spacing=spacing,
        first=numbers[0],
        highest=numbers[-1],
        transit=statistics.median(transits),
    )


def nearest(value: int, bits: int) -> int:
    """Return the number nearest to 0 that is the same modulo 2 to the power of `bits`."""
    half = 1 << (bits - 1)
    return (value + half) % (1 << bits) - half


def _transits(arrivals: Iterable[Arrival], clock: int) -> list[float]:
    """Return arrival minus timestamp for each, the timestamps unwrapped around the first."""
    found: list[float] = []
    origin: int | None = None
    for arrival in arrivals:
        origin = arrival.timestamp if origin is None else origin
        ticks = origin + nearest(arrival.timestamp - origin, 32)
        found.append(arrival.at - ticks / clock)
    return found


def _jitter(transits: Sequence[float]) -> float:
    jitter = 0.0
    for one, other in itertools.pairwise(transits):
        jitter += (abs(other - one) - jitter) / 16
    return jitter


def _pattern(numbers: Sequence[int]) -> tuple[int, float, float | None]:
    """Return the head, the burst ratio and the spacing of the numbers that came, sorted."""
    steps = [b - a for a, b in itertools.pairwise(numbers)]
    runs = [step - 1 for step in steps if step > 1]
    if not runs:
        return len(numbers), 1.0, None
    head = next(at for at, step in enumerate(steps) if step > 1) + 1
    share = sum(runs) / (sum(runs) + len(numbers))
    burst = max(1.0, statistics.fmean(runs) * (1 - share))
    rest = steps[head - 1 :]
    if len(rest) < SPACINGS:
        return head, burst, None
    return head, burst, statistics.pstdev(rest) / statistics.fmean(rest)
