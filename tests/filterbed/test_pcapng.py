"""Recordings written by scapy are read alike, and what we write scapy reads."""

from __future__ import annotations

import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP
from scapy.utils import PcapNgWriter, RawPcapNgReader

from filterbed.pcapng import RAW, CaptureError, Frame, read, write

FRAMES = [
    Frame(1_700_000_000_123_456_789, 0, bytes(IP() / UDP()), 28),
    Frame(1_700_000_000_123_456_790, 1, b"", 0),
    Frame(1_700_000_001_000_000_000, 1, b"abc", 900),
]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    write(path, ("inside", "outside"), FRAMES)
    trace = read(path)
    assert trace.frames == FRAMES
    assert [(i.name, i.linktype, i.units) for i in trace.interfaces] == [
        ("inside", RAW, 10**9),
        ("outside", RAW, 10**9),
    ]
    assert not trace.torn


def test_scapy_reads_what_we_write(tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    write(path, ("inside", "outside"), FRAMES)
    found = list(RawPcapNgReader(str(path)))
    assert [data for data, _ in found] == [frame.data for frame in FRAMES]
    metas: list[Any] = [meta for _, meta in found]
    for meta, frame in zip(metas, FRAMES, strict=True):
        assert (meta.tshigh << 32) | meta.tslow == frame.at
        assert (meta.linktype, meta.wirelen) == (RAW, frame.length)


def test_we_read_what_scapy_writes(tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    writer = PcapNgWriter(str(path))
    packet = IP(src="1.2.3.4") / UDP()
    packet.time = 1_700_000_000.25
    writer.write(packet)
    writer.close()
    (frame,) = read(path).frames
    assert frame.data == bytes(packet)
    assert frame.at == 1_700_000_000_250_000_000


def test_the_other_byte_order_and_a_resolution_of_powers_of_two(tmp_path: Path) -> None:
    def block(kind: int, body: bytes) -> bytes:
        size = struct.pack(">I", len(body) + 12)
        return struct.pack(">I", kind) + size + body + size

    path = tmp_path / "x.pcapng"
    path.write_bytes(
        block(0x0A0D0D0A, struct.pack(">IHHq", 0x1A2B3C4D, 1, 0, -1))
        + block(0x0BAD, b"unknown!")
        + block(1, struct.pack(">HHIHHB3xHH", 1, 0, 0, 9, 1, 0x8A, 0, 0))
        + block(6, struct.pack(">IIIII", 0, 0, 1536, 4, 4) + b"data")
    )
    trace = read(path)
    assert trace.frames == [Frame(1_500_000_000, 0, b"data", 4)]
    assert trace.interfaces[0].linktype == 1


def test_every_cut_gives_a_whole_prefix(tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    write(path, ("inside", "outside"), FRAMES)
    whole = path.read_bytes()
    seen = set()
    for size in range(28, len(whole)):
        path.write_bytes(whole[:size])
        trace = read(path)
        assert trace.frames == FRAMES[: len(trace.frames)]
        seen.add((len(trace.frames), trace.torn))
    assert {0, 1, 2} == {count for count, torn in seen if torn}


@pytest.mark.parametrize("data", [b"", b"\n\r\r\n", b"\xd4\xc3\xb2\xa1" + bytes(40), bytes(64)])
def test_other_files_are_refused_by_name(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.pcapng"
    path.write_bytes(data)
    with pytest.raises(CaptureError, match=r"x\.pcapng: not a pcapng file"):
        read(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damage_is_a_capture_error_or_read_anyway(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "x.pcapng"
    write(path, ("inside", "outside"), FRAMES)
    whole = bytearray(path.read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=4)):
        whole[place] = data.draw(st.integers(0, 255))
    path.write_bytes(whole)
    with suppress(CaptureError):
        read(path)
