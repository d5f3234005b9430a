"""ClientHellos made by OpenSSL, against scapy's reading of the same bytes."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.tls.extensions import ServerName, TLS_Ext_ServerName
from scapy.layers.tls.handshake import TLSClientHello

from censor.dissect.outcome import Incomplete
from censor.dissect.tls import LIMIT, ClientHello, NotTls, dissect
from censor.follow.stream import Stream

RECORD = b"\x16\x03\x01"


def make(
    name: str | None = "www.example.com",
    alpn: tuple[str, ...] = ("h2", "http/1.1"),
    most: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED,
) -> bytes:
    """Return the first bytes an OpenSSL client sends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.maximum_version = most
    if alpn:
        context.set_alpn_protocols(list(alpn))
    out = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return out.read()


HELLO = make()
MESSAGE = HELLO[5:]


def hello(stream: bytes, *, partial: bool = False) -> ClientHello:
    found = dissect(stream, partial=partial)
    assert isinstance(found, ClientHello), found
    return found


def record(fragment: bytes) -> bytes:
    return RECORD + len(fragment).to_bytes(2, "big") + fragment


def vector(data: bytes, width: int = 2) -> bytes:
    return len(data).to_bytes(width, "big") + data


def extension(kind: int, data: bytes) -> bytes:
    return kind.to_bytes(2, "big") + vector(data)


def craft(extensions: bytes | None, *, session_id: bytes = b"") -> bytes:
    """Build a ClientHello by hand; None leaves the extensions out altogether."""
    body = b"\3\3" + b"r" * 32 + vector(session_id, 1) + vector(b"\x13\x01\x13\x02") + b"\1\0"
    if extensions is not None:
        body += vector(extensions)
    return record(b"\1" + vector(body, 3))


def server_name(name: bytes, kind: int = 0) -> bytes:
    return extension(0, vector(bytes((kind,)) + vector(name)))


@pytest.mark.parametrize(
    ("name", "alpn", "most", "versions"),
    [
        ("www.example.com", ("h2", "http/1.1"), ssl.TLSVersion.TLSv1_3, 0x0304),
        ("a.example", (), ssl.TLSVersion.TLSv1_2, 0x0303),
        (None, ("sip",), ssl.TLSVersion.TLSv1_3, 0x0304),
        ("WWW.Example.COM", (), ssl.TLSVersion.TLSv1_3, 0x0304),
    ],
)
def test_what_openssl_sends(
    name: str | None, alpn: tuple[str, ...], most: ssl.TLSVersion, versions: int
) -> None:
    stream = make(name, alpn, most)
    found = hello(stream)
    theirs = TLSClientHello(stream[5:])  # type: ignore[no-untyped-call]
    assert found.server_name == (name.lower() if name else None)
    assert found.alpn == alpn
    assert found.versions[0] == versions
    assert found.session_id == theirs.sid
    assert found.ciphers == tuple(theirs.ciphers)
    assert found.extensions == tuple(each.type for each in theirs.ext)
    assert (found.records, found.length, found.complete) == (1, len(stream), True)
    assert (found.ech, found.esni) == (False, False)


def test_what_scapy_sends() -> None:
    names = [ServerName(servername=b"scapy.example")]
    listed = TLS_Ext_ServerName(servernames=names)  # type: ignore[no-untyped-call]
    made = TLSClientHello(ciphers=[0x1301, 47], ext=[listed])  # type: ignore[no-untyped-call]
    found = hello(record(bytes(made)))
    assert (found.server_name, found.ciphers) == ("scapy.example", (0x1301, 47))


def test_streams_are_borne(torture: Callable[..., None]) -> None:
    torture(dissect, HELLO + b"more", len(HELLO))
    torture(dissect, HELLO + record(b"\x02\0\0\0"), len(HELLO))
    split = record(MESSAGE[:3]) + record(MESSAGE[3:100]) + record(MESSAGE[100:])
    torture(dissect, split, len(split))


@given(st.lists(st.integers(0, len(MESSAGE)), max_size=12), st.binary(max_size=20))
def test_any_spread_over_records_gives_the_same(cuts: list[int], after: bytes) -> None:
    places = sorted({0, len(MESSAGE), *cuts})
    pieces = [MESSAGE[a:b] for a, b in pairwise(places)]
    pieces[-1] += after  # the next message may begin in the same record
    stream = b"".join(map(record, pieces))
    found = hello(stream)
    assert found.records == len(pieces)
    assert found.length == len(stream) - len(after)
    assert replace(found, records=1, length=len(HELLO)) == hello(HELLO)


@given(st.lists(st.integers(1, len(HELLO) - 1), max_size=12), st.randoms(use_true_random=False))
def test_any_spread_over_segments_gives_the_same(cuts: list[int], luck: Random) -> None:
    places = sorted({0, len(HELLO), *cuts})
    segments = [(a, HELLO[a:b]) for a, b in pairwise(places)]
    luck.shuffle(segments)
    stream = Stream(base=0)
    for place, payload in segments[:-1]:
        stream.feed(place, payload)
        assert isinstance(dissect(bytes(stream.data)), Incomplete)
    stream.feed(*segments[-1])
    assert dissect(bytes(stream.data)) == dissect(HELLO)


def test_empty_records_are_passed_over() -> None:
    assert hello(record(b"") * 3 + HELLO).server_name == "www.example.com"


def test_it_asks_for_what_it_lacks() -> None:
    assert dissect(b"") == Incomplete(5)
    assert dissect(HELLO[:2]) == Incomplete(3)
    assert dissect(HELLO[:5]) == Incomplete(len(MESSAGE))
    assert dissect(record(MESSAGE[:2])) == Incomplete(5)
    assert dissect(record(MESSAGE[:50])) == Incomplete(5 + len(MESSAGE) - 50)
    assert dissect(record(MESSAGE[:50] + b"12345")[:-5]) == Incomplete(len(MESSAGE) - 50)


@pytest.mark.parametrize(
    "stream",
    [
        b"GET / HTTP/1.1",
        b"\x15",
        b"\x16\x02",
        b"\x80\x2e\x01\x03\x01",  # SSLv2
        RECORD + b"\xff\xff",
        record(b"\x02"),
        record(MESSAGE[:50]) + b"\x14",
        record(MESSAGE[:50]) + b"\x16\x04",
        record(b"\1" + (LIMIT + 1).to_bytes(3, "big")),
        record(b"\1\0\0\0"),
        record(b"\1\0\0\x22" + b"\3\3" + b"r" * 32),
        record(b"\1" + vector(craft(None)[9:] + b"\0", 3)),  # a byte where extensions would begin
        craft(extension(5, b"abc")[:-1]),
        craft(b"\0"),
    ],
    ids=[f"case {number}" for number in range(14)],  # a hello's random differs in every process
)
def test_what_is_no_client_hello(stream: bytes) -> None:
    assert isinstance(dissect(stream), NotTls)


def test_a_hello_without_extensions() -> None:
    found = hello(craft(None, session_id=b"s" * 32))
    assert (found.server_name, found.alpn, found.versions) == (None, (), (0x0303,))
    assert (found.session_id, found.ciphers) == (b"s" * 32, (0x1301, 0x1302))


@pytest.mark.parametrize(
    ("extensions", "expected"),
    [
        (server_name(b"A.example"), "a.example"),
        (server_name(b"a.example."), "a.example."),
        (server_name(b"b\xc3\xbc\0.example"), "b\\xc3\\xbc\0.example"),
        (server_name(b"a.example") + server_name(b"b.example"), "a.example"),
        (extension(0, vector(b"\1" + vector(b"x") + b"\0" + vector(b"b.example"))), "b.example"),
        (server_name(b"a.example", kind=1), None),
        (server_name(b""), None),
        (extension(0, b""), None),
        (extension(0, vector(b"\0\0\x20short")), None),
        (b"", None),
    ],
)
def test_server_names(extensions: bytes, expected: str | None) -> None:
    assert hello(craft(extensions)).server_name == expected


def test_versions_and_hidden_names() -> None:
    found = hello(craft(extension(43, vector(b"\x0a\x0a\3\4\3\3", 1)) + extension(0xFE0D, b"x")))
    assert found.versions == (0x0A0A, 0x0304, 0x0303)
    assert (found.ech, found.esni) == (True, False)
    found = hello(craft(extension(0xFFCE, b"x")))
    assert (found.ech, found.esni) == (False, True)


def test_a_part_shows_its_name_as_soon_as_it_is_there() -> None:
    stream = craft(server_name(b"a.example") + extension(21, b"\0" * 100))
    parts = (stream[:size] for size in range(len(stream)))
    first = next(
        len(part) for part in parts if not isinstance(dissect(part, partial=True), Incomplete)
    )
    assert stream[:first].endswith(b"a.example")
    found = hello(stream[:first], partial=True)
    assert (found.server_name, found.complete) == ("a.example", False)
    assert found.ciphers == (0x1301, 0x1302)
    for size in range(first, len(stream)):
        assert hello(stream[:size], partial=True).server_name == "a.example"
        assert isinstance(dissect(stream[:size]), Incomplete)
    assert hello(stream, partial=True) == hello(stream)


@given(st.binary(max_size=300), st.booleans())
def test_arbitrary_bytes_are_answered(data: bytes, partial: bool) -> None:
    assert isinstance(dissect(data, partial=partial), (ClientHello, Incomplete, NotTls))


@given(st.binary(max_size=300), st.booleans())
def test_arbitrary_messages_are_answered(data: bytes, partial: bool) -> None:
    stream = record(b"\1" + vector(data, 3))
    assert isinstance(dissect(stream), (ClientHello, NotTls))
    assert isinstance(dissect(stream[:-1], partial=partial), (ClientHello, Incomplete))


@given(st.binary(max_size=200))
def test_arbitrary_extensions_are_answered(data: bytes) -> None:
    assert isinstance(dissect(craft(data)), (ClientHello, NotTls))


@given(st.data())
@settings(deadline=None)
def test_changed_hellos_are_answered(data: st.DataObject) -> None:
    changed = bytearray(HELLO)
    for _ in range(data.draw(st.integers(1, 6))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    found = dissect(bytes(changed))
    assert isinstance(found, (ClientHello, Incomplete, NotTls))
