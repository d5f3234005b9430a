"""Headers, against scapy's reading of the same bytes."""

from __future__ import annotations

from inspect import isdatadescriptor
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import (
    ICMP,
    IP,
    TCP,
    UDP,
    IPOption_NOP,
    IPOption_RR,
    fragment,
)
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    PadN,
    fragment6,
)
from scapy.layers.ipsec import AH
from scapy.packet import Packet as Layer
from scapy.packet import Raw

from censor.wire.key import split
from censor.wire.number import Protocol
from censor.wire.packet import EXTENSION_LIMIT, Malformed, Packet, parse

#: IPv6 destination options, followed by more of them or by UDP.
OPTIONS = b"\x3c\0\0\0\0\0\0\0"
LAST = b"\x11\0\0\0\0\0\0\0"

#: All that can be read of a packet; compiled classes have no `__slots__`.
FIELDS = [name for name, kind in vars(Packet).items() if isdatadescriptor(kind)]

PORTS = st.integers(0, 65_535)
WORDS = st.integers(0, 0xFFFFFFFF)
PAYLOADS = st.binary(max_size=60).map(Raw)
ADDRESSES4 = st.ip_addresses(v=4).map(str)
ADDRESSES6 = st.ip_addresses(v=6).map(str)

IPV4 = st.builds(
    IP,
    src=ADDRESSES4,
    dst=ADDRESSES4,
    ttl=st.integers(0, 255),
    id=PORTS,
    flags=st.sampled_from(["", "DF"]),
    options=st.sampled_from([[], [IPOption_NOP()], [IPOption_RR(length=11), IPOption_NOP()]]),
)
EXTENSIONS = st.lists(
    st.sampled_from(
        [
            IPv6ExtHdrHopByHop(options=[PadN(optdata=b"\0" * 4)]),
            IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * 12)]),
            IPv6ExtHdrRouting(addresses=["2001:db8::9"]),
            IPv6ExtHdrFragment(id=77),
        ]
    ),
    max_size=3,
)
IPV6 = st.builds(IPv6, src=ADDRESSES6, dst=ADDRESSES6, hlim=st.integers(0, 255))
TCPS = st.builds(
    TCP,
    sport=PORTS,
    dport=PORTS,
    seq=WORDS,
    ack=WORDS,
    flags=st.integers(0, 255),
    window=PORTS,
    options=st.sampled_from([[], [("MSS", 1460)], [("NOP", None), ("Timestamp", (1, 2))]]),
)
UDPS = st.builds(UDP, sport=PORTS, dport=PORTS)


@st.composite
def packets(draw: st.DrawFn) -> bytes:
    if draw(st.booleans()):
        layers: Layer = draw(IPV4)
        inner: Layer = draw(st.one_of(TCPS, UDPS, st.just(ICMP(type=8))))
    else:
        layers = draw(IPV6)
        for extension in draw(EXTENSIONS):
            layers = layers / extension.copy()
        inner = draw(st.one_of(TCPS, UDPS, st.just(ICMPv6EchoRequest())))
    return bytes(layers / inner / draw(PAYLOADS))


def parsed(data: bytes) -> Packet:
    packet = parse(data)
    assert isinstance(packet, Packet), packet
    return packet


def check(packet: Packet | Malformed, data: bytes) -> None:
    """What holds of every answer, whatever the bytes."""
    assert {"src", "truncated", "joined"} <= set(FIELDS)
    if isinstance(packet, Malformed):
        assert packet.reason
        assert 0 <= packet.offset <= len(data)
        return
    for name in FIELDS:
        assert getattr(packet, name) is not None
    assert packet.header_length <= packet.data_offset <= packet.end <= len(data)
    assert packet.end <= packet.total_length
    assert packet.truncated == (len(data) < packet.total_length)
    assert len(packet.payload) == packet.payload_length
    assert packet.intact() in (True, False, None)
    assert split(packet.key)[-1] == packet.protocol
    assert -1 <= packet.icmp_type <= 255
    assert -1 <= packet.icmp_code <= 255
    assert repr(packet)


@given(packets())
@settings(deadline=None)
def test_fields_are_scapys(data: bytes) -> None:
    packet = parsed(data)
    check(packet, data)
    outer = IPv6(data) if data[0] >> 4 == 6 else IP(data)
    assert packet.version == outer.version
    assert packet.src == ip_address(outer.src).packed
    assert packet.dst == ip_address(outer.dst).packed
    assert packet.total_length == len(data)
    assert not packet.fragment
    assert not packet.truncated
    if packet.version == 4:
        assert (packet.ttl, packet.ip_id, packet.df) == (outer.ttl, outer.id, outer.flags.DF)
    else:
        assert packet.ttl == outer.hlim
    if TCP in outer:
        tcp = outer[TCP]
        assert packet.protocol == Protocol.TCP
        assert (packet.sport, packet.dport) == (tcp.sport, tcp.dport)
        assert (packet.seq, packet.ack) == (tcp.seq, tcp.ack)
        assert (packet.flags, packet.window) == (int(tcp.flags), tcp.window)
        assert packet.data_offset == packet.header_length + tcp.dataofs * 4
        assert packet.payload == bytes(tcp.payload)
    elif UDP in outer:
        udp = outer[UDP]
        assert packet.protocol == Protocol.UDP
        assert (packet.sport, packet.dport) == (udp.sport, udp.dport)
        assert packet.payload == bytes(udp.payload)
        assert (packet.seq, packet.ack, packet.flags, packet.window) == (0, 0, 0, 0)
    else:
        assert (packet.sport, packet.dport) == (0, 0)
        assert packet.icmp_type == (8 if packet.version == 4 else 128)
        assert packet.icmp_code == 0


@given(packets())
@settings(deadline=None)
def test_checksums_that_scapy_wrote_are_right(data: bytes) -> None:
    packet = parsed(data)
    routed = packet.version == 6 and IPv6ExtHdrRouting in IPv6(data)
    assert packet.intact() is (None if routed else True)
    if not routed and packet.protocol == Protocol.TCP:
        wrong = bytearray(data)
        wrong[packet.header_length + 4] ^= 1
        assert parsed(bytes(wrong)).intact() is False


def test_a_wrong_ip_header_checksum_shows() -> None:
    data = bytearray(bytes(IP() / UDP() / Raw(b"x")))
    data[8] ^= 1
    assert parsed(bytes(data)).intact() is False


@pytest.mark.parametrize(("outer", "intact"), [(IP(), True), (IPv6(), False)])
def test_udp_may_leave_its_checksum_out_in_ipv4_alone(outer: Layer, intact: bool) -> None:
    assert parsed(bytes(outer / UDP(chksum=0) / Raw(b"x"))).intact() is intact


@given(st.binary(max_size=120))
def test_arbitrary_bytes_are_answered(data: bytes) -> None:
    check(parse(data), data)


@given(packets(), st.data())
@settings(deadline=None)
def test_changed_and_cut_packets_are_answered(data: bytes, more: st.DataObject) -> None:
    changed = bytearray(data)
    for _ in range(more.draw(st.integers(1, 4))):
        changed[more.draw(st.integers(0, len(data) - 1))] = more.draw(st.integers(0, 255))
    cut = bytes(changed)[: more.draw(st.integers(0, len(data)))]
    check(parse(cut), cut)


@given(packets())
@settings(deadline=None, max_examples=30)
def test_every_prefix_is_truncated_or_malformed(data: bytes) -> None:
    whole = parsed(data)
    for size in range(len(data)):
        packet = parse(data[:size])
        check(packet, data[:size])
        if isinstance(packet, Malformed):
            assert size < whole.header_length
        else:
            assert packet.truncated
            assert (packet.src, packet.dst) == (whole.src, whole.dst)
            assert packet.intact() in (None, False)
            if size >= whole.data_offset:
                assert packet.key == whole.key
                assert packet.seq == whole.seq


def test_what_an_icmp_error_quotes_is_read_as_far_as_it_goes() -> None:
    data = bytes(IP(src="192.0.2.1", dst="192.0.2.2") / TCP(sport=1025, dport=80, seq=99))
    packet = parsed(data[:28])
    assert (packet.sport, packet.dport, packet.seq, packet.flags) == (1025, 80, 99, 0)
    assert packet.key == parsed(data).key
    assert packet.payload == b""
    assert (parsed(data[:24]).sport, parsed(data[:24]).seq) == (1025, 0)
    assert parsed(data[:23]).sport == 0


def test_link_padding_is_no_payload() -> None:
    for outer in (IP(), IPv6()):
        data = bytes(outer / TCP() / Raw(b"abc"))
        assert parsed(data + b"\0" * 6).payload == b"abc"


def test_udp_ends_where_its_own_length_says() -> None:
    assert parsed(bytes(IP() / UDP(len=10) / Raw(b"abcdef"))).payload == b"ab"


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "empty"),
        (b"\x50" + b"\0" * 40, "version 5"),
        (b"\x45" + b"\0" * 18, "IPv4 header"),
        (b"\x60" + b"\0" * 38, "IPv6 header"),
        (b"\x44" + bytes(IP() / TCP())[1:], "16 bytes"),
        (bytes(IP(len=19) / TCP()), "packet of 19"),
        (bytes(IP(len=0) / TCP()), "packet of 0"),
        (bytes(IP(len=39) / TCP()), "transport header of 20"),
        (bytes(IP() / TCP(dataofs=4)), "TCP header of 16"),
        (bytes(IP() / TCP(dataofs=6)), "runs past"),
        (bytes(IP(len=27) / UDP()), "transport header of 8"),
        (bytes(IP() / UDP(len=7)), "UDP length 7"),
        (bytes(IP() / UDP(len=9)), "UDP length 9"),
        (bytes(IP(proto=1) / Raw(b"\x08\0\0\0\0\0\0")), "transport header of 8"),
        (bytes(IPv6(nh=0) / Raw(b"\x06")), "does not fit"),
        (bytes(IPv6(nh=0) / Raw(b"\x06\x09" + b"\0" * 6)), "does not fit"),
        (bytes(IPv6(nh=60) / Raw(OPTIONS * 8 + LAST + bytes(UDP()))), "extension headers"),
    ],
)
def test_what_no_host_would_accept_is_malformed(data: bytes, word: str) -> None:
    packet = parse(data)
    assert isinstance(packet, Malformed)
    assert word in packet.reason


def test_as_many_extension_headers_as_allowed_are_walked() -> None:
    chain = OPTIONS * (EXTENSION_LIMIT - 1) + LAST
    packet = parsed(bytes(IPv6(nh=60) / Raw(chain + bytes(UDP(sport=5, dport=6)))))
    assert (packet.protocol, packet.sport, packet.dport) == (Protocol.UDP, 5, 6)
    assert packet.header_length == 40 + 8 * EXTENSION_LIMIT


def test_an_authentication_header_counts_in_words_of_four() -> None:
    header = AH(nh=17, payloadlen=4, spi=1, seq=2, icv=b"\0" * 12)
    packet = parsed(bytes(IPv6(nh=51) / header / Raw(bytes(UDP(sport=5, dport=6)))))
    assert (packet.protocol, packet.sport, packet.header_length) == (Protocol.UDP, 5, 64)


@pytest.mark.parametrize("version", [4, 6])
def test_only_the_first_fragment_has_ports(version: int) -> None:
    inner = UDP(sport=1000, dport=53, chksum=1) / Raw(b"q" * 100)
    pieces = (
        fragment(IP(id=9) / inner, fragsize=48)  # type: ignore[no-untyped-call]
        if version == 4
        else fragment6(IPv6() / IPv6ExtHdrFragment(id=9) / inner, 96)  # type: ignore[no-untyped-call]
    )
    first, *others = [parsed(bytes(piece)) for piece in pieces]
    assert len(others) >= 2
    assert (first.fragment, first.more_fragments, first.fragment_offset) == (False, True, 0)
    assert (first.sport, first.dport, first.ip_id) == (1000, 53, 9)
    assert first.payload == b"q" * 40
    assert first.intact() is None
    offset = 48
    for other in others:
        assert other.fragment
        assert other.fragment_offset == offset
        assert (other.sport, other.dport) == (0, 0)
        assert other.protocol == Protocol.UDP
        assert other.payload == b"q" * other.payload_length
        offset += other.payload_length
    assert not others[-1].more_fragments


def test_a_first_fragment_too_small_for_its_transport_is_a_fragment() -> None:
    data = bytes(IP(flags="MF") / Raw(bytes(TCP(sport=1, dport=2))[:8]))
    data = data[:9] + b"\x06" + data[10:]
    packet = parsed(data)
    assert packet.fragment
    assert packet.fragment_offset == 0
    assert packet.sport == 0


def test_other_protocols_have_addresses_and_a_payload() -> None:
    packet = parsed(bytes(IP(proto=47) / Raw(b"gre")))
    assert (packet.protocol, packet.sport, packet.payload) == (47, 0, b"gre")
    assert packet.icmp_type == -1
    assert packet.intact() is True


@given(ADDRESSES4, ADDRESSES4, PORTS, PORTS)
@settings(deadline=None)
def test_both_directions_have_one_key(src: str, dst: str, sport: int, dport: int) -> None:
    there = parsed(bytes(IP(src=src, dst=dst) / UDP(sport=sport, dport=dport)))
    back = parsed(bytes(IP(src=dst, dst=src) / UDP(sport=dport, dport=sport)))
    other = parsed(bytes(IP(src=src, dst=dst) / TCP(sport=sport, dport=dport)))
    assert there.key == back.key
    assert there.key != other.key


def test_crossed_ports_are_another_flow() -> None:
    one = parsed(bytes(IP(src="192.0.2.1", dst="192.0.2.2") / UDP(sport=1, dport=2)))
    two = parsed(bytes(IP(src="192.0.2.1", dst="192.0.2.2") / UDP(sport=2, dport=1)))
    assert one.key != two.key
