"""STUN by the samples of RFC 5769 and by scapy; TURN and ChannelData by hand, over both."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.contrib.stun import STUN, STUNUsername, STUNXorMappedAddress

from censor.dissect import stun
from censor.dissect.outcome import Incomplete
from censor.dissect.stun import (
    ATTRIBUTE_LIMIT,
    COOKIE,
    Attribute,
    ChannelData,
    Kind,
    Message,
    Method,
    NotStun,
    dissect,
)

ID = "b7e7a701bc34d686fa87dfae"

#: RFC 5769 sections 2.1 to 2.3.
REQUEST = bytes.fromhex(
    f"00010058 2112a442 {ID} 80220010 5354554e207465737420636c69656e74 00240004 6e0001ff"
    "80290008 932ff9b151263b36 00060009 6576746a3a68367659202020"
    "00080014 9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2 80280004 e57a3bcf"
)
RESPONSE4 = bytes.fromhex(
    f"0101003c 2112a442 {ID} 8022000b 7465737420766563746f7220 00200008 0001a147e112a643"
    "00080014 2b91f599fd9e90c38c7489f92af9ba53f06be7d7 80280004 c07d4c96"
)
RESPONSE6 = bytes.fromhex(
    f"01010048 2112a442 {ID} 8022000b 7465737420766563746f7220"
    "00200014 0002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
    "00080014 a382954e4be67bf11784c97c8292c275bfe3ed41 80280004 c8fb0b4c"
)


def message(payload: bytes, *, tcp: bool = False) -> Message:
    found = dissect(payload, tcp=tcp)
    assert isinstance(found, Message), found
    return found


def attribute(kind: int, value: bytes) -> bytes:
    padded = value + b"\0" * (-len(value) % 4)
    return kind.to_bytes(2, "big") + len(value).to_bytes(2, "big") + padded


def craft(kind: int, attributes: bytes = b"", cookie: int = COOKIE) -> bytes:
    header = kind.to_bytes(2, "big") + len(attributes).to_bytes(2, "big")
    return header + cookie.to_bytes(4, "big") + b"transaction!" + attributes


def xored(address: str, port: int) -> bytes:
    raw = ip_address(address).packed
    key = COOKIE.to_bytes(4, "big") + b"transaction!"
    mixed = bytes(a ^ b for a, b in zip(raw, key, strict=False))
    return bytes((0, 1 if len(raw) == 4 else 2)) + (port ^ 0x2112).to_bytes(2, "big") + mixed


def channel(number: int, data: bytes, *, padded: bool = False) -> bytes:
    made = number.to_bytes(2, "big") + len(data).to_bytes(2, "big") + data
    return made + b"\0" * (-len(data) % 4 if padded else 0)


def test_the_request_of_the_standard() -> None:
    found = message(REQUEST)
    assert (found.kind, found.method, found.turn) == (Kind.REQUEST, Method.BINDING, False)
    assert (found.transaction.hex(), found.cookie, found.fingerprint) == (ID, True, True)
    assert found.text(Attribute.USERNAME) == "evtj:h6vY"
    assert found.text(Attribute.SOFTWARE) == "STUN test client"
    assert found.text(Attribute.REALM) is None
    kinds = [kind for kind, _ in found.attributes]
    assert kinds == [0x8022, 0x0024, 0x8029, 0x0006, 0x0008, 0x8028]
    assert found.length == len(REQUEST)
    assert found.application is None


@pytest.mark.parametrize(
    ("payload", "address"),
    [(RESPONSE4, "192.0.2.1"), (RESPONSE6, "2001:db8:1234:5678:11:2233:4455:6677")],
)
def test_the_responses_of_the_standard(payload: bytes, address: str) -> None:
    found = message(payload)
    assert (found.kind, found.method, found.fingerprint) == (Kind.SUCCESS, Method.BINDING, True)
    assert found.address(Attribute.XOR_MAPPED_ADDRESS) == (ip_address(address).packed, 32853)


@pytest.mark.parametrize("place", [1, 30, -1])
def test_a_wrong_fingerprint_is_told(place: int) -> None:
    changed = bytearray(REQUEST)
    changed[place] ^= 8
    assert message(bytes(changed)).fingerprint is False
    early = craft(1, REQUEST[-8:] + attribute(6, b"user"))
    assert message(early).fingerprint is False


def test_what_scapy_sends() -> None:
    mapped = STUNXorMappedAddress(xport=4_000, xip="198.51.100.7")
    user = STUNUsername(length=4, username="abcd")
    payload = bytes(STUN(stun_message_type=0x0101, transaction_id=5, attributes=[user, mapped]))
    found = message(payload)
    assert found.transaction == b"\0" * 11 + b"\5"
    assert found.text(Attribute.USERNAME) == "abcd"
    address = found.address(Attribute.XOR_MAPPED_ADDRESS)
    assert address == (ip_address("198.51.100.7").packed, 4_000)


@pytest.mark.parametrize(
    ("number", "kind", "method", "turn"),
    [
        (0x0001, Kind.REQUEST, Method.BINDING, False),
        (0x0011, Kind.INDICATION, Method.BINDING, False),
        (0x0111, Kind.ERROR, Method.BINDING, False),
        (0x0003, Kind.REQUEST, Method.ALLOCATE, True),
        (0x0103, Kind.SUCCESS, Method.ALLOCATE, True),
        (0x0113, Kind.ERROR, Method.ALLOCATE, True),
        (0x0004, Kind.REQUEST, Method.REFRESH, True),
        (0x0016, Kind.INDICATION, Method.SEND, True),
        (0x0017, Kind.INDICATION, Method.DATA, True),
        (0x0108, Kind.SUCCESS, Method.CREATE_PERMISSION, True),
        (0x0009, Kind.REQUEST, Method.CHANNEL_BIND, True),
        (0x0002, Kind.REQUEST, Method.SHARED_SECRET, False),
        (0x000A, Kind.REQUEST, Method.CONNECT, True),
        (0x000B, Kind.REQUEST, Method.CONNECTION_BIND, True),
        (0x001C, Kind.INDICATION, Method.CONNECTION_ATTEMPT, True),
        (0x0005, Kind.REQUEST, 5, False),
        (0x0800, Kind.REQUEST, 0x200, False),
        (0x3EEF, Kind.REQUEST, 0xFFF, False),
    ],
)
def test_types(number: int, kind: Kind, method: int, turn: bool) -> None:
    found = message(craft(number))
    assert (found.type, found.kind, found.method, found.turn) == (number, kind, method, turn)


def test_every_type_is_made_of_its_class_and_method() -> None:
    for number in range(0x4000):
        found = message(craft(number))
        method = found.method
        wide = method & 0xF | (method & 0x70) << 1 | (method & 0xF80) << 2
        assert number == wide | (found.kind.value & 1) << 4 | (found.kind.value & 2) << 7


def test_addresses_of_turn() -> None:
    peers = ["203.0.113.9", "2001:db8::9"]
    found = message(
        craft(
            0x0008,
            b"".join(attribute(Attribute.XOR_PEER_ADDRESS, xored(peer, 7_000)) for peer in peers)
            + attribute(Attribute.XOR_RELAYED_ADDRESS, xored("192.0.2.5", 50_000))
            + attribute(Attribute.MAPPED_ADDRESS, b"\0\1\x04\xd2\xc0\0\2\1")
            + attribute(Attribute.REALM, b"caf\xc3\xa9\xff"),
        )
    )
    assert [kind for kind, _ in found.attributes] == [0x12, 0x12, 0x16, 0x01, 0x14]
    expected = tuple((ip_address(peer).packed, 7_000) for peer in peers)
    assert found.addresses(Attribute.XOR_PEER_ADDRESS) == expected
    assert found.address(Attribute.XOR_RELAYED_ADDRESS) == (bytes((192, 0, 2, 5)), 50_000)
    assert found.address(Attribute.MAPPED_ADDRESS) == (bytes((192, 0, 2, 1)), 1_234)
    assert found.address(Attribute.XOR_MAPPED_ADDRESS) is None
    assert found.address(Attribute.REALM) is None
    assert found.text(Attribute.REALM) == "café\\xff"


@pytest.mark.parametrize(
    "value", [b"", b"\0", b"\0\1", b"\0\1\0\0\0\0\0", b"\0\3" + b"x" * 6, b"\0\2" + b"x" * 6]
)
def test_addresses_that_are_none(value: bytes) -> None:
    found = message(craft(1, attribute(0x0020, value) + attribute(1, value)))
    assert found.address(0x0020) is None
    assert found.address(0x0001) is None


@pytest.mark.parametrize(
    ("payload", "application"),
    [
        (craft(0x0800), "whatsapp"),
        (craft(0x0802), "whatsapp"),
        (craft(0x0803), None),
        (craft(1, attribute(6, b"x") + attribute(0x4003, b"y")), "whatsapp"),
        (craft(1, attribute(0x4000, b"y")), "whatsapp"),
        (craft(1, attribute(0x4004, b"y")), "whatsapp"),
        (craft(1, attribute(0x4005, b"y")), None),
        (craft(1, attribute(0x24DF, b"y")), "teams"),
        (craft(1, attribute(0x3802, b"y")), "teams"),
        (craft(1, attribute(0x8054, b"y")), "teams"),
        (craft(1, attribute(0x8070, b"y")), "teams"),
        (craft(1, attribute(0x4007, b"y")), "whatsapp"),
        (craft(3, attribute(0x8055, b"y")), "teams"),
        (craft(1), None),
    ],
)
def test_whose_calls_these_are(payload: bytes, application: str | None) -> None:
    """Facts dpi-whatsapp and dpi-viber-skype-for-business."""
    assert message(payload).application == application


def test_messages_older_than_the_cookie() -> None:
    found = message(craft(1, attribute(3, b"\0\0\0\0"), cookie=7))
    assert (found.cookie, found.transaction) == (False, b"\0\0\0\7transaction!")
    old = {
        number for number in range(0x4000) if isinstance(dissect(craft(number, cookie=7)), Message)
    }
    assert old == {
        *(0x0001, 0x0101, 0x0111, 0x0002, 0x0102, 0x0112, 0x0003, 0x0103, 0x0113),
        *(0x0004, 0x0104, 0x0114, 0x0006, 0x0106, 0x0116, 0x0115),
    }
    assert isinstance(dissect(craft(0x0008, cookie=7)), NotStun)
    assert isinstance(dissect(craft(1, attribute(3, b"1234") + b"xx", cookie=7)), NotStun)
    assert isinstance(dissect(craft(1, b"\0\3\0\x09data", cookie=7)), NotStun)
    assert isinstance(dissect(craft(1, cookie=7), tcp=True), NotStun)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\0\1",
        REQUEST[:-4],
        REQUEST + b"\0\0\0\0",
        craft(1, b"xyz"),
        b"\x80" + REQUEST[1:],
        b"\x50" + REQUEST[1:],
        b"\x40\0\0",
        channel(0x4000, b"data")[:-1],
        channel(0x4000, b"data") + b"x",
    ],
)
def test_what_is_neither(payload: bytes) -> None:
    assert isinstance(dissect(payload), NotStun)


def test_channel_data_over_udp() -> None:
    assert dissect(channel(0x4001, b"voice")) == ChannelData(0x4001, b"voice", 9)
    assert dissect(channel(0x4FFF, b"voice", padded=True)) == ChannelData(0x4FFF, b"voice", 12)
    assert dissect(channel(0x4000, b"")) == ChannelData(0x4000, b"", 4)
    assert isinstance(dissect(channel(0x5000, b"voice")), NotStun)


def test_a_stream_of_both() -> None:
    parts = [craft(3), REQUEST, channel(0x4000, b"voice", padded=True), craft(4), RESPONSE6]
    stream = b"".join(parts)
    place = 0
    for index, part in enumerate(parts):
        rest = stream[place:]
        for size in range(len(part)):
            found = dissect(rest[:size], tcp=True, later=index > 0)
            assert isinstance(found, Incomplete)
            assert 1 <= found.need <= len(part) - size
        found = dissect(rest, tcp=True, later=index > 0)
        assert isinstance(found, (Message, ChannelData)), found
        assert found.length == len(part)
        place += found.length
    assert place == len(stream)


@pytest.mark.parametrize(
    "stream",
    [b"GET / HTTP/1.1\r\n", b"\x16\3\1\2\0\1\0\1\xfc\3\3", b"\0\1\0\3\x21\x12\xa4\x42" + b"x" * 15],
)
def test_streams_of_others(stream: bytes) -> None:
    assert isinstance(dissect(stream, tcp=True), NotStun)
    assert isinstance(dissect(stream), NotStun)


def test_streams_are_borne(torture: Callable[..., None]) -> None:
    def stream(data: bytes) -> object:
        return dissect(data, tcp=True)

    torture(stream, REQUEST + b"more", len(REQUEST))
    torture(stream, RESPONSE4 + RESPONSE6, len(RESPONSE4))


def test_only_so_many_attributes_are_read() -> None:
    found = message(craft(1, attribute(6, b"") * 5_000))
    assert len(found.attributes) == ATTRIBUTE_LIMIT
    assert isinstance(dissect(craft(1, attribute(6, b"") * 5_000, cookie=7)), NotStun)


def test_an_attribute_that_is_cut_ends_the_reading() -> None:
    found = message(craft(1, attribute(6, b"user") + b"\0\x14\0\x09xxxx"))
    assert found.attributes == ((6, b"user"),)


@given(st.binary(max_size=200), st.booleans(), st.booleans())
def test_arbitrary_bytes_are_answered(data: bytes, tcp: bool, later: bool) -> None:
    found = dissect(data, tcp=tcp, later=later)
    assert isinstance(found, (Message, ChannelData, Incomplete, NotStun))
    assert tcp or not isinstance(found, Incomplete)


@given(st.integers(0, 0x3FFF), st.binary(max_size=200).filter(lambda data: len(data) % 4 == 0))
def test_arbitrary_attributes_are_answered(kind: int, data: bytes) -> None:
    found = message(craft(kind, data))
    for each in (*Attribute, *(kind for kind, _ in found.attributes)):
        found.address(each)
        found.text(each)
    assert found.application in (None, "whatsapp", "teams")
    assert isinstance(found.kind, Kind)


def test_what_a_relay_carries() -> None:
    """Source: RFC 8656 sections 11 and 12."""
    head = b"\x21\x12\xa4\x42" + bytes(12)
    body = b"\0\x13\0\3abc\0"
    assert stun.relayed(b"\x40\1\0\3abc") == b"abc"
    assert stun.relayed(b"\0\x16\0\x08" + head + body) == b"abc"
    assert stun.relayed(b"\0\x17\0\x08" + head + body) == b"abc"
    assert stun.relayed(b"\0\x01\0\x08" + head + body) is None
    assert stun.relayed(b"\0\x16\0\0" + head) is None
    assert stun.relayed(b"") is None


def test_channels_of_old() -> None:
    """Source: RFC 5766 section 11 (0x4000 to 0x7FFF), RFC 7983 section 5 (to 0x4FFF)."""
    for first, narrow in ((0x40, True), (0x4F, True), (0x50, False), (0x7F, False)):
        datagram = bytes((first, 1)) + b"\0\3abc"
        assert isinstance(stun.dissect(datagram, wide=True), stun.ChannelData)
        assert isinstance(stun.dissect(datagram), stun.ChannelData) is narrow
        assert (stun.relayed(datagram, wide=True), bool(stun.relayed(datagram))) == (b"abc", narrow)
    assert isinstance(stun.dissect(b"\x80\1\0\3abc", wide=True), stun.NotStun)
