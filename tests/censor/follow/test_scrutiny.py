"""Packets that a careful box does not take for real."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP

from censor.follow.scrutiny import scrutiny, signed
from censor.policy.loader import load
from censor.wire.packet import Packet, parse


def packet(flags: str = "PA", ttl: int = 64, **tcp: Any) -> Packet:
    made = IP(src="24.48.0.2", dst="93.184.216.34", ttl=ttl) / TCP(flags=flags, **tcp)
    parsed = parse(bytes(made / b"data"))
    assert isinstance(parsed, Packet)
    return parsed


MD5: dict[str, Any] = {"options": [("NOP", None), (19, b"0123456789abcdef")]}


@pytest.mark.parametrize(
    ("checks", "inserted"),
    [
        ({"verify_checksum": True}, packet(chksum=0x4444)),
        ({"min_ttl": 10}, packet(ttl=9)),
        ({"ignore": ["no-ack"]}, packet("P")),
        ({"ignore": ["no-ack"]}, packet("F")),
        ({"ignore": ["md5"]}, packet(**MD5)),
    ],
)
def test_what_is_checked_is_not_seen(checks: dict[str, object], inserted: Packet) -> None:
    unseen = scrutiny(load({"position": "on-path", "tcp": checks}).tcp)
    assert unseen is not None
    assert unseen(inserted)
    for real in (packet(ttl=10), packet("S"), packet("R"), packet("A", options=[("MSS", 1460)])):
        assert not unseen(real)


def test_without_checks_nothing_is_looked_at() -> None:
    assert scrutiny(load({"position": "on-path"}).tcp) is None


def test_other_protocols_have_no_such_bits() -> None:
    unseen = scrutiny(
        load({"position": "on-path", "tcp": {"min_ttl": 99, "ignore": ["no-ack", "md5"]}}).tcp
    )
    parsed = parse(bytes(IP(ttl=1) / UDP() / b"x"))
    assert isinstance(parsed, Packet)
    assert unseen is not None
    assert not unseen(parsed)


@given(st.binary(max_size=40))
def test_options_are_walked_whatever_they_hold(options: bytes) -> None:
    options += bytes(-len(options) % 4)
    head = bytearray(bytes(IP() / TCP())[:40])
    head[2:4] = (40 + len(options)).to_bytes(2, "big")
    head[32] = (5 + len(options) // 4) << 4
    parsed = parse(bytes(head) + options)
    assert isinstance(parsed, Packet)
    assert not signed(parsed) or 19 in options
