"""Forged packets, read back field by field by scapy."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dns import DNS
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6

from censor.wire import forge
from censor.wire.packet import Packet, parse

ENDS = {4: (bytes([24, 48, 0, 2]), bytes([93, 184, 216, 34])), 6: (b"\x26" * 16, b"\x20" * 16)}
BYTE, SHORT, LONG = st.integers(0, 255), st.integers(0, 0xFFFF), st.integers(0, 2**32 - 1)
VERSION = st.sampled_from([4, 6])


def reread(data: bytes) -> Any:
    """Parse with scapy, and check that building it anew gives the same bytes: right checksums."""
    layer = IP if data[0] >> 4 == 4 else IPv6
    seen = layer(data)
    anew = seen.copy()
    for part in (anew, *([anew.payload] if anew.payload else [])):
        for field in ("chksum", "cksum", "len", "plen"):
            if field in part.fields:
                del part.fields[field]
    assert bytes(anew) == data
    own = parse(data)
    assert isinstance(own, Packet)
    assert own.intact()
    return seen


@given(
    version=VERSION, ttl=BYTE, ip_id=SHORT, df=st.booleans(), flags=st.integers(0, 255),
    ports=st.tuples(SHORT, SHORT), numbers=st.tuples(LONG, LONG), window=SHORT,
    payload=st.binary(max_size=60),
)  # fmt: skip
def test_tcp(
    version: int, ttl: int, ip_id: int, df: bool, flags: int, ports: tuple[int, int],
    numbers: tuple[int, int], window: int, payload: bytes,
) -> None:  # fmt: skip
    ip = forge.Ip(*ENDS[version], ttl, ip_id, df)
    seen = reread(forge.tcp(ip, forge.Tcp(*ports, *numbers, flags, window), payload))
    tcp = seen[TCP]
    assert (tcp.sport, tcp.dport, tcp.seq, tcp.ack) == (*ports, *numbers)
    assert (int(tcp.flags), tcp.window, bytes(tcp.payload), tcp.dataofs) == (
        flags, window, payload, 5,
    )  # fmt: skip
    if version == 4:
        assert (seen.ttl, seen.id, bool(seen.flags.DF), seen.frag) == (ttl, ip_id, df, 0)
    else:
        assert (seen.hlim, seen.plen, seen.tc, seen.fl) == (ttl, 20 + len(payload), 0, 0)


@given(version=VERSION, ports=st.tuples(SHORT, SHORT), payload=st.binary(max_size=60))
def test_udp(version: int, ports: tuple[int, int], payload: bytes) -> None:
    data = forge.udp(forge.Ip(*ENDS[version]), *ports, payload)
    own = parse(data)
    assert isinstance(own, Packet)
    assert (own.sport, own.dport, own.payload) == (*ports, payload)
    assert own.intact()
    assert (IP if version == 4 else IPv6)(data)[UDP].len == 8 + len(payload)


def test_a_udp_checksum_that_would_be_zero_is_sent_as_ones() -> None:
    for low in range(0x10000):
        data = forge.udp(forge.Ip(*ENDS[4]), 1, 2, low.to_bytes(2, "big"))
        if data[26:28] == b"\xff\xff":
            break
    else:
        raise AssertionError("no payload whose checksum is zero")
    own = parse(data)
    assert isinstance(own, Packet)
    assert own.intact()


def test_sequence_numbers_wrap() -> None:
    data = forge.tcp(forge.Ip(*ENDS[4]), forge.Tcp(1, 2, 2**32 + 5, -1, 0))
    assert (reread(data)[TCP].seq, reread(data)[TCP].ack) == (5, 2**32 - 1)


@pytest.mark.parametrize("size", [0, 1, forge.SEGMENT, forge.SEGMENT + 1, 3 * forge.SEGMENT])
@pytest.mark.parametrize("fin", [True, False])
def test_pages_are_cut_without_a_gap_and_end_once(size: int, fin: bool) -> None:
    stream = bytes(n % 251 for n in range(size))
    pieces = list(forge.pages(stream, forge.Tcp(80, 4000, 100, 7, 0x10), fin=fin))
    assert b"".join(payload for _, payload in pieces) == stream
    at = 100
    for header, payload in pieces:
        assert (header.seq, header.ack, header.flags & 0x10) == (at, 7, 0x10)
        assert 0 < len(payload) <= forge.SEGMENT
        at += len(payload)
    assert [bool(header.flags & 1) for header, _ in pieces[:-1]] == [False] * len(pieces[:-1])
    if pieces:
        assert bool(pieces[-1][0].flags & 1) is fin


@pytest.mark.parametrize(
    ("rcode", "records", "aa", "ra"),
    [
        (0, (bytes([8, 7, 198, 45]),), True, False),
        (0, (bytes([1, 2, 3, 4]), bytes([5, 6, 7, 8]), b"\x20" * 16), False, True),
        (3, (), False, True),
        (5, (), True, True),
        (0, (), False, False),
    ],
)
def test_dns_answers(
    query: Any, rcode: int, records: tuple[bytes, ...], aa: bool, ra: bool
) -> None:
    for flags, name in product((0x0100, 0x0000), ("wWw.FaceBook.com", "x.example")):
        asked = query(name, number=0xBEEF, flags=flags)
        edns = b"\0\0\x29\x10\0\0\0\0\0\0\0"
        longer = asked[:11] + b"\1" + asked[12:] + edns
        reply = forge.DnsReply(rcode, records, 77, aa, ra)
        for whole in (asked, longer):
            data = forge.dns_answer(whole, len(asked), reply)
            seen = DNS(data)
            assert (seen.id, seen.qr, seen.rd, seen.tc) == (0xBEEF, 1, flags >> 8, 0)
            assert (seen.rcode, bool(seen.aa), bool(seen.ra)) == (rcode, aa, ra)
            assert (seen.qdcount, seen.ancount, seen.arcount) == (1, len(records), 0)
            assert data[12 : len(asked)] == asked[12:]  # mixed case and all
            for at, raw in enumerate(records):
                one = seen.an[at]
                assert one.rrname.decode().lower() == name.lower() + "."
                assert (one.type, one.ttl) == (1 if len(raw) == 4 else 28, 77)
                from ipaddress import ip_address

                assert one.rdata == str(ip_address(raw))
