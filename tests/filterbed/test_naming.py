"""Names in a client's first bytes, written by other programs."""

from __future__ import annotations

import ssl
from itertools import pairwise

import dns.message
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.packet import Raw

from filterbed.header import TCP as TCP_
from filterbed.header import UDP as UDP_
from filterbed.header import Header, dissect
from filterbed.naming import name_of, plain, server_name, stream


def hello(name: str | None) -> bytes:
    """Return the first bytes OpenSSL sends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    outgoing = ssl.MemoryBIO()
    session = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        session.do_handshake()
    return outgoing.read()


def test_server_name_of_a_real_client() -> None:
    assert name_of(hello("www.Example.com"), protocol=TCP_, port=443) == "www.example.com"
    assert name_of(hello(None), protocol=TCP_, port=443) is None


def test_server_name_over_several_records() -> None:
    whole = hello("www.example.com")
    body, pieces = whole[5:], b""
    for start, end in pairwise([0, 40, 90, len(body)]):
        pieces += whole[:3] + (end - start).to_bytes(2, "big") + body[start:end]
    assert server_name(pieces) == "www.example.com"


def test_a_cut_hello_gives_no_name_or_the_right_one() -> None:
    whole = hello("www.example.com")
    found = {server_name(whole[:size]) for size in range(len(whole))}
    assert found == {None, "www.example.com"}


def test_dns_over_both_transports() -> None:
    message = dns.message.make_query("WWW.facebook.com", "AAAA").to_wire()
    assert name_of(message, protocol=UDP_, port=53) == "www.facebook.com"
    tcp = len(message).to_bytes(2, "big") + message
    assert name_of(tcp, protocol=TCP_, port=53) == "www.facebook.com"
    assert name_of(dns.message.make_query(".", "NS").to_wire(), protocol=UDP_, port=53) == ""


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        (b"GET / HTTP/1.1\r\nA: b\r\nHOST:  www.X.com:8080 \r\n\r\n", "www.x.com"),
        (b"GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n", "2001:db8::1"),
        (b"GET / HTTP/1.0\r\n\r\n", None),
        (b"REGISTER sip:sip.skype.com SIP/2.0\r\nVia: x\r\n", "sip.skype.com"),
        (b"INVITE sip:echo@sip.skype.com:5060;transport=udp SIP/2.0\r\n", "sip.skype.com"),
        (b"\x80\x00 rtp", None),
        (b"", None),
    ],
)
def test_http_and_sip(payload: bytes, name: str | None) -> None:
    assert name_of(payload, protocol=TCP_, port=80) == name


def test_plain_names() -> None:
    assert plain(" WWW.Example.COM. ") == "www.example.com"
    assert plain("example.com:443") == "example.com"
    assert plain("2001:db8::1") == "2001:db8::1"


def segment(flags: str, seq: int, data: bytes = b"") -> tuple[Header, bytes]:
    packet = bytes(IP() / TCP(flags=flags, seq=seq & 0xFFFFFFFF) / Raw(data))
    header = dissect(packet)
    assert header is not None
    return header, packet


def test_streams_are_put_together_across_the_wrap_up_to_the_first_gap() -> None:
    start = 0xFFFFFFFE
    packets = [
        segment("S", start),
        segment("A", start + 1),
        segment("PA", start + 4, b"def"),
        segment("PA", start + 1, b"abc"),
        segment("PA", start + 3, b"cde"),
        segment("PA", start + 20, b"late"),
    ]
    assert stream(packets) == b"abcdef"


def test_of_datagrams_the_first_counts() -> None:
    packet = bytes(IP() / UDP() / Raw(b"one"))
    header = dissect(packet)
    assert header is not None
    assert stream([(header, packet), segment("PA", 0, b"two")]) == b"one"
    assert stream([]) == b""


@given(st.binary(max_size=200), st.sampled_from([53, 80, 443]), st.booleans())
def test_any_bytes_have_a_name_or_none(data: bytes, port: int, tls: bool) -> None:
    payload = b"\x16\x03\x01\x00\xff\x01" + data if tls else data
    for protocol in (TCP_, UDP_):
        name = name_of(payload, protocol=protocol, port=port)
        assert name is None or isinstance(name, str)
