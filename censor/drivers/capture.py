"""Read pcap and pcapng files, and write the door record: what reached the engine, and when.

Source: draft-ietf-opsawg-pcapng and draft-ietf-opsawg-pcap (IETF OPSAWG);
    link types: https://www.tcpdump.org/linktypes.html
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from struct import Struct, calcsize, error, pack, unpack_from
from typing import BinaryIO, Final

from censor.errors import CensorError, MachineError

_SHB: Final = 0x0A0D0D0A
_IDB, _OLD_PACKET, _EPB = 1, 2, 6
_BYTE_ORDER: Final = 0x1A2B3C4D
_RAW: Final = 101
_PCAP: Final = {0xA1B2C3D4: 1000, 0xA1B23C4D: 1}
_COMMENT, _NAME, _RESOLUTION = 1, 2, 9

#: A block or record longer than this is damage, in bytes.
LIMIT: Final = 1 << 24

_epb_head = Struct("<IIIIIII").pack


@dataclass(frozen=True, slots=True)
class Record:
    """One packet: nanoseconds since 1970, the interface it was seen on, and its bytes from the
    IP header on; `length` is what it had on the wire."""

    ns: int
    interface: str
    data: bytes
    length: int


@dataclass(slots=True)
class _Interface:
    link: int
    name: str = ""
    per_second: int = 1_000_000


@dataclass(slots=True)
class Capture:
    """An open capture: iterate over it once. The path `-` is standard input, read to its end first.

    comment: of the first section. cut: the file ended in the middle of a block. skipped: packets
        that hold no IP.
    Limits: simple packet blocks have no time and are skipped.
    """

    path: Path
    comment: str = ""
    cut: bool = False
    skipped: int = 0
    _file: BinaryIO | None = field(default=None, repr=False)

    def __iter__(self) -> Iterator[Record]:
        try:
            with self._open() as file:
                magic = file.read(4)
                if magic == _SHB.to_bytes(4, "big"):
                    yield from self._blocks(file)
                elif len(magic) == 4 and (order := _pcap_order(magic)):
                    yield from self._pcap(file, order)
                else:
                    raise CensorError(
                        f"{self.path}: begins with {magic.hex()!r}, expected a pcap or pcapng file"
                    )
        except OSError as fault:
            raise MachineError(f"{self.path}: {fault.strerror}") from fault

    def _open(self) -> BinaryIO:
        return BytesIO(sys.stdin.buffer.read()) if str(self.path) == "-" else self.path.open("rb")

    # --- pcapng --------------------------------------------------------------------------

    def _blocks(self, file: BinaryIO) -> Iterator[Record]:
        file.seek(0)
        order = "<"
        interfaces: list[_Interface] = []
        while head := file.read(8):
            if len(head) < 8:
                self.cut = True
                return
            if head[:4] == _SHB.to_bytes(4, "big"):
                mark = file.read(4)
                order = "<" if mark == _BYTE_ORDER.to_bytes(4, "little") else ">"
                interfaces = []
                kind, size = _SHB, int(unpack_from(order + "I", head, 4)[0]) - 4
            else:
                kind, size = unpack_from(order + "II", head)
            body = file.read(size - 8) if 12 <= size <= LIMIT else b""
            if len(body) < size - 8 or size < 12:
                self.cut = True
                return
            body = body[:-4]
            try:
                record = self._block(kind, body, order, interfaces)
            except (error, IndexError):
                self.cut = True
                return
            if record is not None:
                yield record

    def _block(
        self, kind: int, body: bytes, order: str, interfaces: list[_Interface]
    ) -> Record | None:
        if kind == _SHB:
            for code, value in _options(body, 12, order):
                if code == _COMMENT and not self.comment:
                    self.comment = value.decode(errors="replace")
        elif kind == _IDB:
            interface = _Interface(unpack_from(order + "H", body)[0])
            for code, value in _options(body, 8, order):
                if code == _NAME:
                    interface.name = value.decode(errors="replace")
                elif code == _RESOLUTION and value:
                    power = value[0] & 0x7F
                    interface.per_second = 2**power if value[0] & 0x80 else 10**power
            interfaces.append(interface)
        elif kind in (_EPB, _OLD_PACKET):
            if kind == _EPB:
                index, high, low, captured, length = unpack_from(order + "IIIII", body)
            else:
                index, _, high, low, captured, length = unpack_from(order + "HHIIII", body)
            interface = interfaces[index]
            ns = ((high << 32) | low) * 1_000_000_000 // interface.per_second
            return self._record(ns, interface, body[20 : 20 + captured], length)
        return None

    # --- pcap ----------------------------------------------------------------------------

    def _pcap(self, file: BinaryIO, order: str) -> Iterator[Record]:
        file.seek(0)
        head = file.read(24)
        if len(head) < 24:
            self.cut = True
            return
        unit = _PCAP[unpack_from(order + "I", head)[0]]
        interface = _Interface(unpack_from(order + "I", head, 20)[0] & 0xFFFF)
        while head := file.read(16):
            if len(head) < 16:
                self.cut = True
                return
            whole, part, captured, length = unpack_from(order + "IIII", head)
            data = file.read(captured) if captured <= LIMIT else b""
            if len(data) < captured:
                self.cut = True
                return
            record = self._record(whole * 1_000_000_000 + part * unit, interface, data, length)
            if record is not None:
                yield record

    def _record(self, ns: int, interface: _Interface, data: bytes, length: int) -> Record | None:
        start = _ip_start(interface.link, data)
        if start is None:
            self.skipped += 1
            return None
        return Record(ns, interface.name, data[start:], length - start)


def _pcap_order(magic: bytes) -> str | None:
    for order in "<>":
        if unpack_from(order + "I", magic)[0] in _PCAP:
            return order
    return None


def _options(body: bytes, place: int, order: str) -> Iterator[tuple[int, bytes]]:
    while place + 4 <= len(body):
        code, length = unpack_from(order + "HH", body, place)
        if code == 0:
            return
        yield code, body[place + 4 : place + 4 + length]
        place += 4 + (length + 3 & ~3)


def _ip_start(link: int, data: bytes) -> int | None:
    """Return where the IP header begins, None where there is none."""
    if link in (_RAW, 12, 14, 228, 229):
        return 0
    if link == 1:
        place = 12
        while data[place : place + 2] in (b"\x81\x00", b"\x88\xa8"):
            place += 4
        return place + 2 if data[place : place + 2] in (b"\x08\x00", b"\x86\xdd") else None
    if link == 113:
        return 16 if data[14:16] in (b"\x08\x00", b"\x86\xdd") else None
    if link == 276:
        return 20 if data[0:2] in (b"\x08\x00", b"\x86\xdd") else None
    return 4 if link in (0, 108) and len(data) > 4 and data[4] >> 4 in (4, 6) else None


class Door:
    """Write a door record: interface 0 is `inside`, 1 `outside`; link type RAW.

    `epoch_ns`, the moment the censor's time begins at, is kept as the section's comment.
    """

    def __init__(self, path: Path, epoch_ns: int) -> None:
        self.path = path
        try:
            self._file = path.open("wb", buffering=1 << 20)
        except OSError as fault:
            raise MachineError(f"{path}: {fault.strerror}; --door names a new file") from fault
        comment = _option(_COMMENT, f"epoch_ns={epoch_ns}".encode())
        head = pack("<IHHq", _BYTE_ORDER, 1, 0, -1)
        self._file.write(_block(_SHB, head + comment + bytes(4)))
        for name in (b"inside", b"outside"):
            options = _option(_NAME, name) + _option(_RESOLUTION, b"\x09") + bytes(4)
            self._file.write(_block(_IDB, pack("<HHI", _RAW, 0, 0) + options))

    def write(self, ns: int, data: bytes, *, inside: bool, length: int) -> None:
        """Add a packet; `length` is what it had on the wire, in bytes."""
        captured = len(data)
        pad = -captured & 3
        size = 32 + captured + pad
        head = _epb_head(
            _EPB, size, 0 if inside else 1, ns >> 32, ns & 0xFFFFFFFF, captured, length
        )
        self._file.write(b"".join((head, data, bytes(pad), size.to_bytes(4, "little"))))

    def flush(self) -> None:
        """Make what was written so far readable by others."""
        self._file.flush()

    def close(self) -> None:
        """Write everything out; the record is complete."""
        self._file.close()


def epoch(capture: Capture) -> int | None:
    """Return the `epoch_ns` of a door record that is being read, None of other captures."""
    name, _, value = capture.comment.partition("=")
    return int(value) if name == "epoch_ns" and value.isdecimal() else None


def _option(code: int, value: bytes) -> bytes:
    return pack("<HH", code, len(value)) + value + bytes(-len(value) & 3)


def _block(kind: int, body: bytes) -> bytes:
    size = (calcsize("<III") + len(body)).to_bytes(4, "little")
    return kind.to_bytes(4, "little") + size + body + size


def length(data: bytes) -> int:
    """Return how long a packet says it is, never less than what is here."""
    if len(data) < 8:
        return len(data)
    start, header = (2, 0) if data[0] >> 4 == 4 else (4, 40)
    return max(int.from_bytes(data[start : start + 2], "big") + header, len(data))
