"""Read and write RTCP: what one end of a call tells the other about the media.

Wire:    RFC 3550 section 6.4 (SR, RR), 6.5 (SDES with CNAME alone), 6.6 (BYE with a reason);
         big-endian; on the media's own port (RFC 5761).
Limits:  other packet types are skipped; a compound packet is read up to its first fault.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

SR, RR, SDES, BYE = 200, 201, 202, 203
#: Seconds from 1900, where NTP begins, to 1970.
NTP: Final = 2_208_988_800
_BLOCK: Final = struct.Struct("!IIIIII")
_SENDER: Final = struct.Struct("!IIIIII")


@dataclass(frozen=True, slots=True)
class Sender:
    """A sender's own account: so much was sent up to `at` (epoch seconds), timestamp `rtp`."""

    source: int
    at: float
    rtp: int
    packets: int
    octets: int


@dataclass(frozen=True, slots=True)
class Block:
    """A receiver's account of the stream `source`; `jitter` in ticks, `highest` extended."""

    source: int
    lost: int
    highest: int
    jitter: int
    fraction: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """A compound packet. `bye` is the reason for leaving, None where the source stays."""

    source: int
    sender: Sender | None = None
    blocks: tuple[Block, ...] = field(default=())
    bye: str | None = None


def write(report: Report, cname: str) -> bytes:
    """Return a compound packet: SR or RR, SDES, and BYE where there is one."""
    blocks = b"".join(
        _BLOCK.pack(
            b.source,
            b.fraction << 24 | min(max(b.lost, 0), 0x7FFFFF),
            b.highest & 0xFFFFFFFF,
            b.jitter & 0xFFFFFFFF,
            0,
            0,
        )
        for b in report.blocks
    )
    if sender := report.sender:
        whole = int(sender.at)
        body = _SENDER.pack(
            sender.source,
            whole + NTP & 0xFFFFFFFF,
            int((sender.at - whole) * 2**32),
            sender.rtp & 0xFFFFFFFF,
            sender.packets,
            sender.octets & 0xFFFFFFFF,
        )
    else:
        body = struct.pack("!I", report.source)
    name = cname.encode()[:255]
    item = struct.pack("!IBB", report.source, 1, len(name)) + name
    made = _packet(SR if sender else RR, len(report.blocks), body + blocks)
    made += _packet(SDES, 1, item + bytes(4 - len(item) % 4))
    if report.bye is not None:
        said = report.bye.encode()[:255]
        text = bytes([len(said)]) + said
        made += _packet(BYE, 1, struct.pack("!I", report.source) + text + bytes(-len(text) % 4))
    return made


def _packet(kind: int, count: int, body: bytes) -> bytes:
    return struct.pack("!BBH", 0x80 | count, kind, len(body) // 4) + body


def read(data: bytes) -> Report | None:
    """Read a compound packet; None if it does not begin with a whole SR or RR."""
    source: int | None = None
    sender: Sender | None = None
    blocks: Sequence[Block] = ()
    bye: str | None = None
    for kind, count, body in _packets(data):
        if kind in (SR, RR):
            start = 24 if kind == SR else 4
            if len(body) < start + 24 * count:
                break
            source = int.from_bytes(body[:4], "big")
            sender = _sender(body) if kind == SR else sender
            blocks = [_block(body[start + 24 * n :]) for n in range(count)]
        elif source is None:
            break
        elif kind == BYE:
            text = body[4 * count :]
            bye = text[1 : 1 + text[0]].decode("utf-8", "replace") if text else ""
    return None if source is None else Report(source, sender, tuple(blocks), bye)


def _packets(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield type, count and body of each whole packet."""
    while len(data) >= 4 and data[0] >> 6 == 2:
        end = 4 + 4 * int.from_bytes(data[2:4], "big")
        if end > len(data):
            return
        yield data[1], data[0] & 0x1F, data[4:end]
        data = data[end:]


def _sender(body: bytes) -> Sender:
    source, seconds, fraction, rtp, packets, octets = _SENDER.unpack_from(body)
    return Sender(source, seconds - NTP + fraction / 2**32, rtp, packets, octets)


def _block(body: bytes) -> Block:
    source, loss, highest, jitter, _, _ = _BLOCK.unpack_from(body)
    lost = loss & 0xFFFFFF
    lost -= (lost & 0x800000) << 1
    return Block(source, lost, highest, jitter, loss >> 24)
