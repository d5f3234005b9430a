"""A packet's length and its older double, with scapy as the second opinion."""

from __future__ import annotations

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6

from topologies.double import length, older


@pytest.mark.parametrize("ttl", [2, 17, 64, 255])
@pytest.mark.parametrize("ident", [0, 1, 0x1234, 0xFE10, 0xFFFF])
def test_an_older_packet_is_the_same_with_a_hop_less(ttl: int, ident: int) -> None:
    four = IP(src="1.2.3.4", dst="8.8.8.8", ttl=ttl, id=ident) / UDP() / b"hello"
    right = IP(src="1.2.3.4", dst="8.8.8.8", ttl=ttl - 1, id=ident) / UDP() / b"hello"
    assert older(bytes(four)) == bytes(right)
    six = IPv6(src="2001::1", dst="2001::2", hlim=ttl) / UDP() / b"hello"
    assert older(bytes(six)) == bytes(six)[:7] + bytes([ttl - 1]) + bytes(six)[8:]


@pytest.mark.parametrize("ttl", [0, 1])
def test_what_has_no_hop_left_has_no_double(ttl: int) -> None:
    assert older(bytes(IP(ttl=ttl) / UDP())) is None
    assert older(bytes(IPv6(hlim=ttl) / UDP())) is None


def test_its_beginning_says_how_long_a_packet_is() -> None:
    for packet in (IP() / UDP() / bytes(700), IPv6() / UDP() / bytes(700)):
        assert length(bytes(packet)[:40]) == len(bytes(packet))
