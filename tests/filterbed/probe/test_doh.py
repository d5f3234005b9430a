"""One question over HTTP/2: what is said, and every way of answering it."""

from __future__ import annotations

import base64
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterbed.probe import doh
from filterbed.probe.doh import (
    ACK,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    Reply,
    frame,
    number,
    take,
)

ANSWER = (
    frame(SETTINGS, 0, 0, bytes(6))
    + frame(HEADERS, END_HEADERS, 1, b"\x88\x5f\x01x")
    + frame(DATA, 0, 1, b"one ")
    + frame(DATA, END_STREAM, 1, b"two")
)


@pytest.mark.parametrize(
    ("value", "bits", "wire"),
    [(10, 5, "0a"), (1337, 5, "1f9a0a"), (42, 8, "2a"), (15, 4, "0f00")],
)
def test_integers_as_rfc_7541_appendix_c_has_them(value: int, bits: int, wire: str) -> None:
    assert number(value, bits) == bytes.fromhex(wire)


def test_a_request_names_host_and_question() -> None:
    said = doh.request("dns.quad9.net", b"\0\0question")
    assert said.startswith(doh.PREFACE + frame(SETTINGS, 0, 0))
    head = said[len(doh.PREFACE) + 9 :]
    assert (head[3], head[4], head[5:9]) == (HEADERS, END_STREAM | END_HEADERS, b"\0\0\0\1")
    assert len(head) == 9 + int.from_bytes(head[:3], "big")
    assert head[9:11] == b"\x82\x87"
    assert b"\x01\x0ddns.quad9.net" in head
    asked = base64.urlsafe_b64encode(b"\0\0question").rstrip(b"=")
    assert b"/dns-query?dns=" + asked in head


@given(st.lists(st.integers(1, len(ANSWER)), max_size=6))
def test_an_answer_in_any_pieces(cuts: list[int]) -> None:
    reply, said = Reply(), b""
    edges = [0, *sorted(cuts), len(ANSWER)]
    for start, end in pairwise(edges):
        said += take(reply, ANSWER[start:end])
    assert (reply.status, reply.body, reply.closed) == (200, b"one two", "end")
    assert said == frame(SETTINGS, ACK, 0)


@given(st.binary(max_size=200))
def test_junk_never_raises(data: bytes) -> None:
    take(Reply(), data)
    take(Reply(), frame(HEADERS, PADDED | PRIORITY, 1, data))
    take(Reply(), frame(DATA, PADDED | END_STREAM, 1, data))


@pytest.mark.parametrize(
    ("data", "status", "closed"),
    [
        (frame(HEADERS, END_STREAM, 1, b"\x8c"), 400, "end"),
        (frame(HEADERS, END_STREAM, 1, b"\x20\x88"), 200, "end"),
        (frame(HEADERS, END_STREAM, 1, b"\x3f\xe1\x1f\x8e"), 500, "end"),
        (frame(HEADERS, END_STREAM | PRIORITY, 1, bytes(5) + b"\x88"), 200, "end"),
        (frame(HEADERS, END_STREAM | PADDED, 1, b"\x02\x88\0\0"), 200, "end"),
        (frame(HEADERS, 0, 1, b"\x48\x03503"), None, ""),
        (frame(HEADERS, END_STREAM, 3, b"\x88"), None, ""),
        (frame(RST_STREAM, 0, 1, bytes(4)), None, "reset"),
        (frame(RST_STREAM, 0, 3, bytes(4)), None, ""),
        (frame(GOAWAY, 0, 0, bytes(8)), None, "reset"),
    ],
)
def test_how_an_answer_may_begin_and_end(data: bytes, status: int | None, closed: str) -> None:
    reply = Reply()
    assert take(reply, data) == b""
    assert (reply.status, reply.closed) == (status, closed)


def test_a_ping_is_answered_once() -> None:
    assert take(Reply(), frame(PING, 0, 0, b"12345678")) == frame(PING, ACK, 0, b"12345678")
    assert take(Reply(), frame(PING, ACK, 0, b"12345678")) == b""
