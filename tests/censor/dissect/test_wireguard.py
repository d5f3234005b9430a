"""WireGuard's messages, at their lengths."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.contrib.wireguard import Wireguard

from censor.dissect.wireguard import KINDS, MESSAGES, Message, NotWireguard, dissect
from fuzz.seed import packets


@pytest.mark.parametrize("number", MESSAGES)
def test_each_message_as_scapy_has_it(number: int) -> None:
    kind, size = MESSAGES[number]
    packet = bytes([number]) + bytes(size - 1)
    assert dissect(packet) == Message(kind)
    assert Wireguard(packet).message_type == number
    assert isinstance(dissect(packet[:-1]), NotWireguard)
    assert isinstance(dissect(packet + b"\0"), NotWireguard)
    assert isinstance(dissect(packet[:3] + b"\1" + packet[4:]), NotWireguard)


def test_a_real_program_s_handshake() -> None:
    """Source: wireguard-go, in fuzz/seed.capture."""
    said = [bytes(one.payload) for _, one in packets() if 51820 in (one.sport, one.dport)]
    found = [dissect(one) for one in said]
    assert found[:3] == [Message("initiation"), Message("response"), Message("data")]
    assert set(found[2:]) == {Message("data")}


def test_data_is_padded_to_sixteens() -> None:
    assert dissect(b"\4" + bytes(127)) == Message("data")
    assert isinstance(dissect(b"\1" + bytes(163)), NotWireguard)
    assert isinstance(dissect(b"\5" + bytes(147)), NotWireguard)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_answered(data: bytes) -> None:
    found = dissect(data)
    assert isinstance(found, NotWireguard) or found.kind in KINDS
