"""DTLS ClientHellos recorded from OpenSSL 3.0.19, whole and in fragments, and made by hand."""

from __future__ import annotations

import ssl
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from censor.dissect import tls
from censor.dissect.dtls import (
    DATAGRAM_LIMIT,
    HANDSHAKE,
    RECORD_LIMIT,
    Gatherer,
    NotDtls,
    Record,
    dissect,
)
from censor.dissect.mosaic import LIMIT
from censor.dissect.outcome import Incomplete
from censor.dissect.tls import ClientHello

#: openssl s_client -dtls1_2 -servername calls.example.org -alpn webrtc
PLAIN = bytes.fromhex(
    "16feff000000000000000000e7010000db00000000000000dbfefda56933c5dbebb53eb9c0c920348c476da9735a"
    "23c6cba237d9f0acb1a9f8bf6100000038c02cc030009fcca9cca8ccaac02bc02f009ec024c028006bc023c02700"
    "67c00ac0140039c009c0130033009d009c003d003c0035002f00ff0100007900000016001400001163616c6c732e"
    "6578616d706c652e6f7267000b000403000102000a000c000a001d0017001e001900180023000000100009000706"
    "7765627274630016000000170000000d002a0028040305030603080708080809080a080b08040805080604010501"
    "0601030303010302040205020602"
)
#: The same with -mtu 256 and no -alpn: one ClientHello in two datagrams.
FRAGMENTS = (
    bytes.fromhex(
        "16feff000000000000000000d7010000ce00000000000000cbfefd30e6cc7d8ba0fe3d64cee16fb1723f507f"
        "4e6a16696150a11f20a18407327eb100000038c02cc030009fcca9cca8ccaac02bc02f009ec024c028006bc0"
        "23c0270067c00ac0140039c009c0130033009d009c003d003c0035002f00ff0100006c000000160014000011"
        "63616c6c732e6578616d706c652e6f7267000b000403000102000a000c000a001d0017001e00190018002300"
        "000016000000170000000d002a0028040305030603080708080809080a080b08040805080604010501060103"
        "0303010302040205"
    ),
    bytes.fromhex("16feff0000000000000001000f010000ce00000000cb000003020602"),
)
#: Its second ClientHello, after a HelloVerifyRequest with the cookie 00 01 .. 13.
AGAIN = bytes.fromhex(
    "16feff000000000000000100ee010000e200010000000000e2fefd36296a52e7d48f12912dfe6303ac87bfe0d5e2"
    "f5c270674b2ea73834fcbcfbb50014000102030405060708090a0b0c0d0e0f101112130038c02cc030009fcca9cc"
    "a8ccaac02bc02f009ec024c028006bc023c0270067c00ac0140039c009c0130033009d009c003d003c0035002f00"
    "ff0100006c00000016001400001163616c6c732e6578616d706c652e6f7267000b000403000102000a000c000a00"
    "1d0017001e00190018002300000016000000170000000d002a0028040305030603080708080809080a080b080408"
    "050806040105010601030303010302040205020602"
)
NAME = "calls.example.org"


def record(
    fragment: bytes,
    *,
    kind: int = HANDSHAKE,
    version: int = 0xFEFD,
    epoch: int = 0,
    number: int = 0,
) -> bytes:
    header = bytes((kind,)) + version.to_bytes(2, "big") + epoch.to_bytes(2, "big")
    return header + number.to_bytes(6, "big") + len(fragment).to_bytes(2, "big") + fragment


def fragment(
    body: bytes, start: int = 0, stop: int | None = None, *, sequence: int = 0, kind: int = 1
) -> bytes:
    piece = body[start:stop]
    header = bytes((kind,)) + len(body).to_bytes(3, "big") + sequence.to_bytes(2, "big")
    return header + start.to_bytes(3, "big") + len(piece).to_bytes(3, "big") + piece


def make_body(name: str = NAME, cookie: bytes = b"") -> tuple[bytes, ClientHello]:
    """Return a DTLS body made from OpenSSL's TLS ClientHello, and what TLS says of the latter."""
    context = ssl.create_default_context()
    out = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    stream = out.read()
    found = tls.dissect(stream)
    assert isinstance(found, ClientHello)
    body = stream[9:]
    place = 35 + body[34]
    return body[:place] + bytes((len(cookie),)) + cookie + body[place:], found


BODY, TLS = make_body(cookie=b"c" * 20)


def hello(*datagrams: bytes) -> ClientHello:
    gatherer = Gatherer()
    for datagram in datagrams[:-1]:
        assert not isinstance(gatherer.feed(datagram), ClientHello)
    found = gatherer.feed(datagrams[-1])
    assert isinstance(found, ClientHello), found
    assert gatherer.finished
    return found


def test_what_openssl_sends() -> None:
    gatherer = Gatherer()
    found = gatherer.feed(PLAIN)
    assert isinstance(found, ClientHello)
    assert (found.server_name, found.alpn, found.versions) == (NAME, ("webrtc",), (0xFEFD,))
    assert (found.ciphers[0], len(found.ciphers), found.session_id) == (0xC02C, 28, b"")
    assert found.extensions == (0, 11, 10, 35, 16, 22, 23, 13)
    assert (found.records, found.length) == (0, 0xDB + 4)
    assert (gatherer.cookie, gatherer.version, gatherer.finished) == (b"", 0xFEFF, True)
    assert dissect(PLAIN) == (Record(HANDSHAKE, 0xFEFF, 0, 0, 13, len(PLAIN)),)


def test_what_openssl_sends_in_fragments() -> None:
    assert Gatherer().feed(FRAGMENTS[0]) == Incomplete(3)
    assert hello(*FRAGMENTS).server_name == NAME
    assert hello(*FRAGMENTS[::-1]) == hello(*FRAGMENTS) == hello(b"".join(FRAGMENTS))


def test_what_openssl_sends_again_with_a_cookie() -> None:
    gatherer = Gatherer()
    found = gatherer.feed(AGAIN)
    assert isinstance(found, ClientHello)
    assert (found.server_name, found.length) == (NAME, 0xE2 + 4)
    assert gatherer.cookie == bytes(range(20))


def test_the_first_length_is_believed() -> None:
    lie = record(fragment(BODY + b"x", 0, 5))
    gatherer = Gatherer()
    assert isinstance(gatherer.feed(record(fragment(BODY, 0, 5))), Incomplete)
    assert isinstance(gatherer.feed(lie), NotDtls)
    assert isinstance(gatherer.feed(record(fragment(BODY, 5))), ClientHello)
    assert isinstance(Gatherer().feed(lie + record(fragment(BODY))), Incomplete)


def test_hellos_are_told_apart_by_their_number() -> None:
    assert hello(FRAGMENTS[0], AGAIN).server_name == NAME
    assert hello(FRAGMENTS[0], AGAIN[:13] + b"\2" + AGAIN[14:], FRAGMENTS[1]).server_name == NAME


def test_a_message_is_not_mixed_with_another_of_its_length() -> None:
    other, _ = make_body("other" + NAME[5:], cookie=b"c" * 20)
    assert len(other) == len(BODY)
    first = record(fragment(BODY, 0, 150))
    rest = record(fragment(other, 150, sequence=1))
    again = record(fragment(other, 0, 150, sequence=1))
    assert hello(first, rest, again).server_name == "other" + NAME[5:]


@given(
    st.sets(st.integers(1, len(BODY) - 1), max_size=10),
    st.randoms(use_true_random=False),
    st.integers(1, 5),
)
@settings(deadline=None)
def test_any_spread_gives_the_same(cuts: set[int], luck: Random, count: int) -> None:
    spans = list(pairwise(sorted({0, len(BODY), *cuts})))
    for _ in range(3):
        start = luck.randrange(len(BODY))
        spans.append((start, luck.randint(start, len(BODY))))
    luck.shuffle(spans)
    datagrams = [record(b"\1", kind=20) for _ in range(count)]
    for start, stop in spans:
        piece = fragment(BODY, start, stop)
        at = luck.randrange(count)
        if luck.random() < 0.5 and datagrams[at][0] == HANDSHAKE:
            whole = datagrams[at]
            last = dissect(whole)
            assert isinstance(last, tuple)
            cut = last[-1].start - 13
            datagrams[at] = whole[:cut] + record(whole[last[-1].start :] + piece)
        else:
            datagrams[at] += record(piece)
    gatherer = Gatherer()
    answers = [gatherer.feed(datagram) for datagram in datagrams]
    found = answers[-1]
    assert isinstance(found, ClientHello), answers
    assert (found.server_name, found.ciphers) == (TLS.server_name, TLS.ciphers)
    assert (found.session_id, found.versions) == (TLS.session_id, TLS.versions)
    assert found.extensions == TLS.extensions
    assert gatherer.cookie == b"c" * 20


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        PLAIN[:12],
        PLAIN[:-1],
        b"\x16\3\3" + PLAIN[3:],
        b"\x13" + PLAIN[1:],
        b"\x16\xfe\xff" + b"\0" * 8 + b"\xff\xff" + b"x" * 65_535,
        record(b"\2\x28", kind=21),
        record(fragment(BODY), epoch=1),
        record(fragment(BODY, kind=2)),
        record(fragment(BODY, sequence=2)),
        record(fragment(BODY)[:-1]),
        record(fragment(BODY, 0, 5)[:11]),
        record(b"\1" + (LIMIT + 1).to_bytes(3, "big") + b"\0" * 8),
        record(b"\1\0\0\4\0\0\0\0\1\0\0\4abcd"),
        record(b"\1\0\0\4\0\0\0\0\0\1\0\4abcd"),
        record(b"\1\0\0\4\0\0\1\0\0\0\0\4abcd"),
        record(b"\1\1\0\4\0\0\0\0\0\0\0\4abcd"),
    ],
)
def test_what_brings_nothing_and_does_no_harm(datagram: bytes) -> None:
    gatherer = Gatherer()
    assert isinstance(gatherer.feed(datagram), NotDtls)
    assert isinstance(gatherer.feed(FRAGMENTS[0]), Incomplete)
    assert isinstance(gatherer.feed(datagram), NotDtls)
    assert not gatherer.finished
    assert isinstance(gatherer.feed(FRAGMENTS[1]), ClientHello)
    assert isinstance(gatherer.feed(datagram), ClientHello)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xfe\xfd" + b"r" * 32,
        b"\xfe\xfd" + b"r" * 32 + b"\x20",
        b"\xfe\xfd" + b"r" * 32 + b"\0",
        b"\xfe\xfd" + b"r" * 32 + b"\0\5abc",
        BODY[:-1],
    ],
)
def test_bodies_that_are_no_client_hello(body: bytes) -> None:
    assert isinstance(Gatherer().feed(record(fragment(body))), NotDtls)


def test_it_gives_up_after_so_many_datagrams() -> None:
    gatherer = Gatherer()
    for _ in range(DATAGRAM_LIMIT - 1):
        gatherer.feed(FRAGMENTS[0])
    assert not gatherer.finished
    assert isinstance(gatherer.feed(FRAGMENTS[0]), NotDtls)
    assert isinstance(gatherer.feed(FRAGMENTS[1]), NotDtls)
    assert gatherer.datagrams == DATAGRAM_LIMIT


def test_only_so_many_records_are_looked_at() -> None:
    found = dissect(record(b"") * 500)
    assert isinstance(found, tuple)
    assert len(found) == RECORD_LIMIT
    found = dissect(record(b"abc", number=1 << 40, epoch=7) + b"\x2f" + b"x" * 40)
    assert found == (Record(HANDSHAKE, 0xFEFD, 7, 1 << 40, 13, 16),)


@given(st.lists(st.binary(max_size=100), max_size=20), st.booleans())
def test_arbitrary_datagrams_are_answered(datagrams: list[bytes], likely: bool) -> None:
    gatherer = Gatherer()
    for datagram in datagrams:
        found = gatherer.feed(record(datagram) if likely else datagram)
        assert isinstance(found, (ClientHello, Incomplete, NotDtls))


@given(st.binary(max_size=120))
def test_arbitrary_bodies_are_answered(body: bytes) -> None:
    found = Gatherer().feed(record(fragment(body)))
    assert isinstance(found, (ClientHello, NotDtls))


def test_prefixes_and_changes_are_answered() -> None:
    for size in range(len(PLAIN)):
        assert isinstance(Gatherer().feed(PLAIN[:size]), NotDtls)
        for byte in (0, 1, 0x55, 0xFF):
            changed = PLAIN[:size] + bytes((byte,)) + PLAIN[size + 1 :]
            assert isinstance(Gatherer().feed(changed), (ClientHello, Incomplete, NotDtls))
    assert hello(PLAIN + b"\xff" * 40).server_name == NAME
