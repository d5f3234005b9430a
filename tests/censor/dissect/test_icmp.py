"""ICMP errors, and the flows they speak of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6EchoRequest,
    ICMPv6PacketTooBig,
    ICMPv6TimeExceeded,
    IPv6,
)
from scapy.packet import Packet as Layer
from scapy.packet import Raw

from censor.dissect.icmp import Message, dissect
from censor.wire.packet import Packet, parse

ROUTER = IP(src="203.0.113.9", dst="192.0.2.1")
ROUTER6 = IPv6(src="2001:db8:9::9", dst="2001:db8::1")


def packet(data: bytes) -> Packet:
    found = parse(data)
    assert isinstance(found, Packet)
    return found


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (ICMP(type=3, code=1), 3, 1),
        (ICMP(type=3, code=4, nexthopmtu=1400), 3, 4),
        (ICMP(type=11, code=0), 11, 0),
        (ICMP(type=12, code=0), 12, 0),
    ],
)
@pytest.mark.parametrize("inner", [TCP(sport=40_000, dport=443), UDP(sport=40_000, dport=53)])
@pytest.mark.parametrize("kept", [28, 36, 60])
def test_an_error_speaks_of_the_flow_it_quotes(
    error: Layer, kind: int, code: int, inner: Layer, kept: int
) -> None:
    lost = bytes(IP(src="192.0.2.1", dst="198.51.100.1") / inner / Raw(b"x" * 40))
    outer = packet(bytes(ROUTER / error / Raw(lost[:kept])))
    found = dissect(outer.segment)
    assert isinstance(found, Message)
    assert (found.type, found.code) == (kind, code) == (outer.icmp_type, outer.icmp_code)
    assert found.key == packet(lost).key
    assert found.quoted is not None
    assert found.quoted.truncated is (kept < len(lost))


@pytest.mark.parametrize(
    ("error", "kind"),
    [(ICMPv6DestUnreach(code=4), 1), (ICMPv6PacketTooBig(mtu=1280), 2), (ICMPv6TimeExceeded(), 3)],
)
def test_an_error_of_ipv6(error: Layer, kind: int) -> None:
    inner = UDP(sport=40_000, dport=33_434) / Raw(b"x" * 9)
    lost = bytes(IPv6(src="2001:db8::1", dst="2001:db8:1::1") / inner)
    outer = packet(bytes(ROUTER6 / error / Raw(lost)))
    found = dissect(outer.segment, version=6)
    assert isinstance(found, Message)
    assert found.type == kind
    assert found.key == packet(lost).key
    if kind == 2:
        assert found.rest == 1280


@pytest.mark.parametrize(
    ("outer", "version", "kind"),
    [
        (ROUTER / ICMP(type=8, id=7, seq=9), 4, 8),
        (ROUTER6 / ICMPv6EchoRequest(id=7, seq=9), 6, 128),
    ],
)
def test_an_echo_quotes_nothing(outer: Layer, version: int, kind: int) -> None:
    found = dissect(packet(bytes(outer / Raw(bytes(IP() / TCP())))).segment, version=version)
    assert isinstance(found, Message)
    assert (found.type, found.quoted, found.key) == (kind, None, None)
    assert found.rest == 7 << 16 | 9


def test_every_prefix_is_answered() -> None:
    lost = bytes(IP(src="192.0.2.1", dst="198.51.100.1") / TCP(sport=40_000, dport=443))
    whole = packet(bytes(ROUTER / ICMP(type=3) / Raw(lost))).segment
    for size in range(len(whole)):
        found = dissect(whole[:size])
        assert (found is None) == (size < 8)
        if found is not None:
            assert (found.quoted is not None) == (size >= 28)
            assert found.key == (packet(lost).key if size >= 32 else found.key)


@given(st.binary(max_size=100), st.sampled_from([4, 6]))
def test_arbitrary_bytes_are_answered(data: bytes, version: int) -> None:
    found = dissect(data, version=version)
    assert (found is None) == (len(data) < 8)
    if found is not None:
        assert found.key is None or found.quoted is not None
