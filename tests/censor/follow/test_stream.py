"""Reassembly, against a model that keeps every byte by its place."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censor.follow.stream import ISLANDS, LIMIT, Overlap, Stream

SPACE = 1 << 32
SEQUENCE = st.one_of(st.integers(0, SPACE - 1), st.integers(SPACE - 300, SPACE - 1), st.just(0))
OVERLAPS: list[Overlap] = ["first", "last"]


class Model:
    """Every byte by its offset; who comes first, or last, owns it."""

    def __init__(self, limit: int, overlap: Overlap) -> None:
        self.limit = limit
        self.overlap = overlap
        self.bytes: dict[int, int] = {}

    def feed(self, offset: int, payload: bytes) -> None:
        for place, byte in enumerate(payload, offset):
            if 0 <= place < self.limit and (self.overlap == "last" or place not in self.bytes):
                self.bytes[place] = byte

    @property
    def data(self) -> bytes:
        prefix = bytearray()
        while len(prefix) in self.bytes:
            prefix.append(self.bytes[len(prefix)])
        return bytes(prefix)


@st.composite
def cut(draw: st.DrawFn) -> tuple[bytes, list[tuple[int, bytes]]]:
    """A message and segments that cover it: cut anywhere, repeated, overlapping, in any order."""
    message = draw(st.binary(min_size=1, max_size=200))
    cuts = sorted({0, len(message), *draw(st.lists(st.integers(0, len(message)), max_size=20))})
    spans = list(pairwise(cuts))
    for _ in range(draw(st.integers(0, 10))):
        start = draw(st.integers(0, len(message) - 1))
        spans.append((start, draw(st.integers(start, len(message)))))
    spans = draw(st.permutations(spans))
    return message, [(start, message[start:stop]) for start, stop in spans]


@given(cut(), SEQUENCE, st.sampled_from(OVERLAPS))
def test_any_segmentation_gives_the_same_bytes(
    case: tuple[bytes, list[tuple[int, bytes]]], isn: int, overlap: Overlap
) -> None:
    message, segments = case
    stream = Stream(overlap=overlap)
    stream.feed(isn, b"", syn=True)
    told = b"".join(
        stream.feed((isn + 1 + offset) % SPACE, payload) or b"" for offset, payload in segments
    )
    assert stream.data == message
    assert told == message
    assert not stream.overflowed
    assert stream.pending == 0


@given(
    st.lists(st.tuples(st.integers(-20, 90), st.binary(min_size=1, max_size=30)), max_size=40),
    SEQUENCE,
    st.sampled_from(OVERLAPS),
    st.integers(1, 100),
)
def test_segments_that_disagree_are_settled_as_the_policy_says(
    segments: list[tuple[int, bytes]], isn: int, overlap: Overlap, limit: int
) -> None:
    stream = Stream(limit, overlap)
    model = Model(limit, overlap)
    stream.feed(isn, b"", syn=True)
    for offset, payload in segments:
        before = bytes(stream.data)
        added = stream.feed((isn + 1 + offset) % SPACE, payload)
        model.feed(offset, payload)
        assert stream.data == model.data
        assert stream.overflowed == (len(model.data) == limit)
        if not stream.overflowed:
            assert stream.pending == len(model.bytes) - len(model.data)
        if added is None:
            assert stream.data == before
        else:
            assert stream.data.endswith(added)
            assert len(stream.data) == len(before) + len(added)
            assert added or stream.data != before


@given(st.lists(st.tuples(st.integers(0, SPACE - 1), st.binary(max_size=50), st.booleans())))
def test_arbitrary_segments_stay_within_bounds(segments: list[tuple[int, bytes, bool]]) -> None:
    stream = Stream(64)
    for seq, payload, flag in segments:
        stream.feed(seq, payload, syn=flag, fin=not flag)
        assert len(stream.data) <= 64
        assert stream.pending <= 64


def test_the_next_segment_is_handed_back_uncopied() -> None:
    stream = Stream()
    payload = b"GET / HTTP/1.1\r\n"
    assert stream.feed(7, payload) is payload
    assert stream.base == 7


def test_a_stream_without_its_syn_begins_with_the_first_payload() -> None:
    stream = Stream()
    assert stream.feed(500, b"") is None
    assert stream.feed(100, b"abc") == b"abc"
    assert stream.feed(90, b"before") is None
    assert stream.feed(98, b"..abcd") == b"d"
    assert stream.data == b"abcd"


def test_data_on_the_syn_comes_first() -> None:
    stream = Stream()
    assert stream.feed(SPACE - 1, b"ab", syn=True) == b"ab"
    assert stream.feed(2, b"cd") == b"cd"
    assert stream.data == b"abcd"


def test_a_stream_may_be_told_where_it_begins() -> None:
    stream = Stream(base=10)
    assert stream.feed(12, b"cd") is None
    assert stream.feed(10, b"ab") == b"abcd"


def test_a_repeated_segment_adds_nothing() -> None:
    stream = Stream()
    stream.feed(1, b"abc")
    assert stream.feed(1, b"abc") is None
    assert stream.feed(1, b"xyz") is None
    assert stream.data == b"abc"


def test_the_last_copy_may_rewrite_what_was_read() -> None:
    stream = Stream(overlap="last")
    stream.feed(1, b"abc")
    assert stream.feed(2, b"X") == b""
    assert stream.feed(2, b"X") is None
    assert stream.feed(3, b"YZ") == b"Z"
    assert stream.data == b"aXYZ"


def test_beyond_the_limit_nothing_is_kept() -> None:
    stream = Stream(5)
    assert stream.feed(0, b"abc") == b"abc"
    assert not stream.overflowed
    assert stream.feed(3, b"defgh") == b"de"
    assert stream.overflowed
    assert stream.feed(8, b"i") is None
    assert stream.data == b"abcde"


def test_a_segment_beyond_the_limit_is_ignored() -> None:
    stream = Stream(5, base=0)
    assert stream.feed(5, b"x") is None
    assert stream.pending == 0
    assert not stream.overflowed


def test_too_many_islands_are_given_up_on() -> None:
    stream = Stream(base=0)
    for index in range(ISLANDS):
        stream.feed(2 + 2 * index, b"x")
    assert not stream.overflowed
    assert stream.pending == ISLANDS
    stream.feed(2 + 2 * ISLANDS, b"x")
    assert stream.overflowed
    assert stream.pending == 0
    assert stream.feed(0, b"ab") is None
    assert stream.data == b""


@pytest.mark.parametrize("overlap", OVERLAPS)
def test_single_bytes_in_reverse_are_one_island(overlap: Overlap) -> None:
    message = random.Random(1).randbytes(LIMIT - 1)
    stream = Stream(overlap=overlap, base=0)
    for place in range(len(message) - 1, 0, -1):
        assert stream.feed(place, message[place : place + 1]) is None
    assert stream.feed(0, message[:1]) == message
    assert not stream.overflowed


@given(st.lists(st.binary(min_size=1, max_size=10), min_size=1))
def test_without_reassembly_each_segment_stands_alone(payloads: list[bytes]) -> None:
    stream = Stream(8, reassemble=False)
    for payload in payloads:
        assert stream.feed(77, payload) == payload[:8]
        assert stream.data == payload[:8]
        assert stream.feed(77, b"") is None
        assert stream.data == payload[:8]


def test_it_is_finished_when_all_before_the_fin_is_here() -> None:
    stream = Stream(base=SPACE - 2)
    stream.feed(2, b"ef", fin=True)
    assert not stream.finished
    stream.feed(SPACE - 2, b"abcd")
    assert stream.finished
    assert stream.data == b"abcdef"


def test_a_fin_may_come_alone() -> None:
    stream = Stream()
    stream.feed(5, b"", syn=True)
    assert not stream.finished
    stream.feed(6, b"", fin=True)
    assert stream.finished
