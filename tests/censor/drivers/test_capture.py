"""Captures: what is written is read back, by us and by others; damage never raises."""

from __future__ import annotations

from pathlib import Path
from struct import pack
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Dot1Q, Ether
from scapy.utils import PcapNgReader, wrpcap

from censor.drivers.capture import Capture, Door, Record, epoch
from censor.errors import CensorError, MachineError

EPOCH = 1_700_000_000_123_456_789
PACKET = bytes(IP(src="1.2.3.4", dst="5.6.7.8") / UDP() / b"abc")


def door(path: Path, packets: list[tuple[int, bytes, bool]]) -> Path:
    one = Door(path, EPOCH)
    for ns, data, inside in packets:
        one.write(ns, data, inside=inside, length=len(data) + 5)
    one.close()
    return path


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 2**63), st.binary(max_size=70), st.booleans())))
def test_a_door_record_is_read_back(tmp_path: Path, packets: list[tuple[int, bytes, bool]]) -> None:
    capture = Capture(door(tmp_path / "d", packets))
    assert list(capture) == [
        Record(ns, "inside" if inside else "outside", data, len(data) + 5)
        for ns, data, inside in packets
    ]
    assert epoch(capture) == EPOCH
    assert not capture.cut


def test_a_record_is_read_from_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = door(tmp_path / "d", [(EPOCH, PACKET, True), (EPOCH + 5, PACKET, False)])
    with path.open() as file:
        monkeypatch.setattr("sys.stdin", file)
        read = list(Capture(Path("-")))
    assert [one.ns for one in read] == [EPOCH, EPOCH + 5]
    assert read == list(Capture(path))


def test_scapy_reads_a_door_record(tmp_path: Path) -> None:
    path = door(tmp_path / "d", [(EPOCH, PACKET, True), (EPOCH + 1, PACKET, False)])
    with PcapNgReader(str(path)) as reader:
        first, second = list(reader)
    assert bytes(first) == bytes(second) == PACKET
    assert first.sniffed_on == "inside"
    assert int(second.time * 1_000_000_000) in range(EPOCH - 300, EPOCH + 300)


def test_every_cut_of_a_record_gives_whole_packets_only(tmp_path: Path) -> None:
    whole = door(tmp_path / "d", [(1, PACKET, True), (2, PACKET, False)]).read_bytes()
    counts = []
    for size in range(4, len(whole) + 1):
        (tmp_path / "cut").write_bytes(whole[:size])
        found = list(Capture(tmp_path / "cut"))
        assert all(record.data == PACKET for record in found)
        counts.append(len(found))
    assert counts == sorted(counts)
    assert counts[-1] == 2


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.integers(4, 300))
def test_damage_never_raises(tmp_path: Path, junk: bytes, place: int) -> None:
    whole = door(tmp_path / "d", [(1, PACKET, True), (2, PACKET, False)]).read_bytes()
    (tmp_path / "bad").write_bytes(whole[:place] + junk + whole[place + len(junk) :])
    list(Capture(tmp_path / "bad"))


@pytest.mark.parametrize("nano", [False, True])
@pytest.mark.parametrize("frame", [Ether() / IP(PACKET), Ether() / Dot1Q(vlan=5) / IP(PACKET)])
def test_pcap_files_of_others(tmp_path: Path, nano: bool, frame: Any) -> None:
    frame.time = 1_700_000_000.5
    wrpcap(str(tmp_path / "p"), [frame, Ether(type=0x0806) / b"arp"], nano=nano)
    capture = Capture(tmp_path / "p")
    (record,) = list(capture)
    assert record == Record(1_700_000_000_500_000_000, "", PACKET, len(PACKET))
    assert capture.skipped == 1
    assert epoch(capture) is None


def test_big_endian_and_microseconds(tmp_path: Path) -> None:
    def block(kind: int, body: bytes) -> bytes:
        size = pack(">I", 12 + len(body))
        return pack(">I", kind) + size + body + size

    pad = bytes(-len(PACKET) % 4)
    data = block(0x0A0D0D0A, pack(">IHHq", 0x1A2B3C4D, 1, 0, -1))
    data += block(1, pack(">HHI", 101, 0, 0)) + block(99, b"\0" * 8)
    data += block(6, pack(">IIIII", 0, 0, 7, len(PACKET), len(PACKET)) + PACKET + pad)
    (tmp_path / "b").write_bytes(data)
    assert list(Capture(tmp_path / "b")) == [Record(7000, "", PACKET, len(PACKET))]


def test_what_is_no_capture_is_said(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"hello world")
    with pytest.raises(CensorError, match="expected a pcap"):
        list(Capture(tmp_path / "x"))
    with pytest.raises(MachineError, match="No such file"):
        list(Capture(tmp_path / "nowhere"))
    with pytest.raises(MachineError, match="--door"):
        Door(tmp_path / "no" / "where", 0)
