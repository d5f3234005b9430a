"""Checksums, against scapy's and against their own definition."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Raw
from scapy.utils import checksum as scapy_checksum

from censor.wire.number import Protocol, TcpFlag, checksum, transport_checksum


@given(st.binary(max_size=1600))
def test_checksum_is_scapys(data: bytes) -> None:
    assert checksum(data) == scapy_checksum(data)


@pytest.mark.parametrize("data", [b"", b"\0", b"\0" * 8, b"\xff\xff", b"\xff" * 9, b"\xff\xfe\0\1"])
def test_checksum_at_the_ends_of_its_range(data: bytes) -> None:
    assert checksum(data) == scapy_checksum(data)


@given(st.binary(min_size=2, max_size=100).filter(lambda data: any(data) and len(data) % 2 == 0))
def test_bytes_with_their_checksum_sum_to_zero(data: bytes) -> None:
    assert checksum(data + checksum(data).to_bytes(2, "big")) == 0


@pytest.mark.parametrize("outer", [IP(dst="198.51.100.7"), IPv6(dst="2001:db8::7")])
@pytest.mark.parametrize(
    ("inner", "protocol", "place"), [(TCP(), Protocol.TCP, 16), (UDP(), Protocol.UDP, 6)]
)
@pytest.mark.parametrize("payload", [b"", b"odd", b"even"])
def test_transport_checksum_is_what_scapy_writes(
    outer: IP, inner: TCP, protocol: int, place: int, payload: bytes
) -> None:
    data = bytes(outer / inner / Raw(payload))
    header = 20 if data[0] >> 4 == 4 else 40
    src, dst = (data[12:16], data[16:20]) if header == 20 else (data[8:24], data[24:40])
    segment = bytearray(data[header:])
    written = int.from_bytes(segment[place : place + 2], "big")
    segment[place : place + 2] = b"\0\0"
    assert transport_checksum(src, dst, protocol, bytes(segment)) == written


def test_flags_are_the_bits_of_the_header() -> None:
    assert bytes(TCP(flags="SA"))[13] == TcpFlag.SYN | TcpFlag.ACK
    assert bytes(TCP(flags="FRPUEC"))[13] == 0xFF ^ TcpFlag.SYN ^ TcpFlag.ACK
