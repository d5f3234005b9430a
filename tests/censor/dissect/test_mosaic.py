"""Pieces that name their own offsets, against a model that keeps every byte by its place."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censor.dissect.mosaic import LIMIT, Mosaic

OVERLAPS: list[Literal["first", "last"]] = ["first", "last"]


@given(
    st.lists(st.tuples(st.integers(0, 20), st.binary(max_size=30)), max_size=40),
    st.sampled_from(OVERLAPS),
    st.integers(0, 40),
)
def test_pieces_that_disagree_are_settled_as_told(
    pieces: list[tuple[int, bytes]], overlap: Literal["first", "last"], limit: int
) -> None:
    mosaic = Mosaic(limit, overlap)
    model: dict[int, int] = {}
    overflowed = False
    for offset, piece in pieces:
        mosaic.place(offset, piece)
        overflowed |= offset + len(piece) > limit
        for place, byte in enumerate(piece, offset):
            if place < limit and (overlap == "last" or place not in model):
                model[place] = byte
        prefix = bytearray()
        while len(prefix) in model:
            prefix.append(model[len(prefix)])
        assert mosaic.prefix == prefix
        assert mosaic.length == len(prefix)
        assert mosaic.overflowed == overflowed


@pytest.mark.parametrize("overlap", OVERLAPS)
def test_single_bytes_in_reverse(overlap: Literal["first", "last"]) -> None:
    message = bytes(place % 251 for place in range(LIMIT))
    mosaic = Mosaic(LIMIT, overlap)
    for place in range(LIMIT - 1, 0, -1):
        mosaic.place(place, message[place : place + 1])
    assert mosaic.length == 0
    mosaic.place(0, message[:1])
    assert mosaic.prefix == message
    assert not mosaic.overflowed


def test_offsets_beyond_all_bounds_cost_nothing() -> None:
    mosaic = Mosaic()
    mosaic.place((1 << 62) - 1, b"x" * 1_000)
    assert mosaic.overflowed
    assert mosaic.prefix == b""
    mosaic.place(0, b"ab")
    assert mosaic.prefix == b"ab"
