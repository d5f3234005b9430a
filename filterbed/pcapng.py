"""Read and write recordings of packets (pcapng), quickly enough for an audit.

scapy can too, but importing it takes as long as reading a hundred thousand packets does here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

ETHERNET: Final = 1
RAW: Final = 101  # IP packets without a link layer

_SECTION: Final = 0x0A0D0D0A
_INTERFACE: Final = 1
_PACKET: Final = 6
_MAGIC: Final = 0x1A2B3C4D
_NAME, _RESOLUTION = 2, 9


class CaptureError(ValueError):
    """A file that is no capture we can read; the message says which and where."""


class Frame(NamedTuple):
    """One packet: `at` nanoseconds, which interface, the bytes kept, the length it had."""

    at: int
    interface: int
    data: bytes
    length: int


@dataclass(frozen=True, slots=True)
class Interface:
    """Where frames were taken. `units` a second is the resolution of its time stamps."""

    name: str | None
    linktype: int
    snaplen: int
    units: int


@dataclass(frozen=True, slots=True)
class Trace:
    """A recording. `torn`: the file ends within a block, as when its writer was killed."""

    interfaces: tuple[Interface, ...]
    frames: list[Frame]
    torn: bool = False


def read(path: Path) -> Trace:
    """Read a whole pcapng file.

    Wire:    draft-ietf-opsawg-pcapng; section header, interface description and enhanced packet
             blocks, either byte order; other blocks are passed over.
    Raises:  CaptureError for anything else; OSError where the machine refuses.
    """
    data = path.read_bytes()
    if len(data) < 28 or int.from_bytes(data[:4], "big") != _SECTION:
        raise CaptureError(
            f"{path}: not a pcapng file: it begins with {data[:8].hex() or '(nothing)'}"
        )
    interfaces: list[Interface] = []
    frames: list[Frame] = []
    base, at, order = 0, 0, "<"
    while at + 12 <= len(data):
        if data[at : at + 4] == b"\x0a\x0d\x0d\x0a":
            order = _order(path, data, at)
            base = len(interfaces)
        kind, length = struct.unpack_from(f"{order}II", data, at)
        if length < 12 or length % 4:
            raise CaptureError(f"{path}: block at byte {at} claims {length} bytes")
        if at + length > len(data):
            return Trace(tuple(interfaces), frames, torn=True)
        if kind == _PACKET:
            frames.append(_frame(path, data, at, length, order, base, interfaces))
        elif kind == _INTERFACE:
            interfaces.append(_interface(path, data[at + 8 : at + length - 4], order))
        at += length
    return Trace(tuple(interfaces), frames, torn=at != len(data))


def _order(path: Path, data: bytes, at: int) -> str:
    for order in "<>":
        if struct.unpack_from(f"{order}I", data, at + 8) == (_MAGIC,):
            return order
    raise CaptureError(f"{path}: section at byte {at} has an unknown byte order")


def _interface(path: Path, body: bytes, order: str) -> Interface:
    if len(body) < 8:
        raise CaptureError(f"{path}: an interface block has only {len(body)} bytes")
    linktype, _, snaplen = struct.unpack_from(f"{order}HHI", body)
    name, units, at = None, 1_000_000, 8
    while at + 4 <= len(body):
        code, length = struct.unpack_from(f"{order}HH", body, at)
        value = body[at + 4 : at + 4 + length]
        if code == _NAME:
            name = value.decode("utf-8", "replace")
        elif code == _RESOLUTION and length == 1:
            units = 1 << (value[0] & 0x7F) if value[0] & 0x80 else 10 ** value[0]
        elif code == 0:
            break
        at += 4 + (length + 3) // 4 * 4
    return Interface(name, linktype, snaplen, units)


def _frame(
    path: Path,
    data: bytes,
    at: int,
    length: int,
    order: str,
    base: int,
    interfaces: Sequence[Interface],
) -> Frame:
    if length < 32:
        raise CaptureError(f"{path}: packet block at byte {at} has only {length} bytes")
    number, high, low, kept, original = struct.unpack_from(f"{order}IIIII", data, at + 8)
    if base + number >= len(interfaces) or kept > length - 32:
        raise CaptureError(f"{path}: packet block at byte {at} names what is not there")
    ticks = (high << 32) | low
    units = interfaces[base + number].units
    time = ticks * 1000 if units == 1_000_000 else ticks * 1_000_000_000 // units
    return Frame(time, base + number, data[at + 28 : at + 28 + kept], original)


def write(path: Path, interfaces: Sequence[str], frames: Iterable[Frame]) -> None:
    """Write IP packets as a door record is: linktype RAW, nanoseconds, named interfaces."""
    parts = [_block(_SECTION, struct.pack("<IHHq", _MAGIC, 1, 0, -1))]
    for name in interfaces:
        options = _option(_NAME, name.encode()) + _option(_RESOLUTION, b"\x09") + b"\0\0\0\0"
        parts.append(_block(_INTERFACE, struct.pack("<HHI", RAW, 0, 0) + options))
    for at, interface, data, length in frames:
        head = struct.pack("<IIIII", interface, at >> 32, at & 0xFFFFFFFF, len(data), length)
        parts.append(_block(_PACKET, head + _padded(data)))
    path.write_bytes(b"".join(parts))


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _block(kind: int, body: bytes) -> bytes:
    length = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + length + body + length
