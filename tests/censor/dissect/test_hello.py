"""A ClientHello without TLS records is read as the same one with them."""

from __future__ import annotations

import ssl
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censor.dissect import tls
from censor.dissect.hello import read_message
from censor.dissect.mosaic import LIMIT
from censor.dissect.outcome import Incomplete
from censor.dissect.tls import ClientHello, NotTls


def make() -> bytes:
    context = ssl.create_default_context()
    out = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname="www.example.com")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return out.read()


STREAM = make()
MESSAGE = STREAM[5:]


def test_it_is_the_same_but_for_the_records() -> None:
    found = read_message(MESSAGE)
    assert isinstance(found, ClientHello)
    assert (found.records, found.length) == (0, len(MESSAGE))
    assert replace(found, records=1, length=len(STREAM)) == tls.dissect(STREAM)
    assert read_message(MESSAGE + b"\2junk") == found


def test_it_says_exactly_what_it_lacks() -> None:
    for size in range(4, len(MESSAGE)):
        assert read_message(MESSAGE[:size]) == Incomplete(len(MESSAGE) - size)
    for size in range(4):
        assert read_message(MESSAGE[:size]) == Incomplete(4 - size)


def test_a_part_shows_its_name() -> None:
    end = MESSAGE.index(b"www.example.com") + len("www.example.com")
    found = read_message(MESSAGE[:end], partial=True)
    assert isinstance(found, ClientHello)
    assert (found.server_name, found.complete, found.length) == ("www.example.com", False, end)
    assert isinstance(read_message(MESSAGE[: end - 1], partial=True), Incomplete)


@pytest.mark.parametrize(
    "message",
    [
        b"\2",
        b"\2\0\0\0",
        b"\1" + (LIMIT - 3).to_bytes(3, "big"),
        b"\1\0\0\0",
        b"\1\0\0\x22" + b"\3\3" + b"r" * 32,
    ],
)
def test_what_is_no_client_hello(message: bytes) -> None:
    assert isinstance(read_message(message), NotTls)


def test_the_longest() -> None:
    assert read_message(b"\1" + (LIMIT - 4).to_bytes(3, "big")) == Incomplete(LIMIT - 4)


@given(st.binary(max_size=300), st.booleans())
def test_arbitrary_bytes_are_answered(data: bytes, partial: bool) -> None:
    for message in (data, b"\1\0" + len(data).to_bytes(2, "big") + data):
        found = read_message(message, partial=partial)
        assert isinstance(found, (ClientHello, Incomplete, NotTls))
