"""Keys of flows: one for both directions, another for every other flow, and nothing is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censor.wire.key import join, split

PORTS = st.integers(0, 0xFFFF)
ADDRESSES = st.integers(0, 3).map(lambda number: bytes(3) + bytes([number]))


@given(ADDRESSES, PORTS, ADDRESSES, PORTS, st.integers(0, 255))
def test_whoever_comes_first_the_ends_are_the_same(
    src: bytes, sport: int, dst: bytes, dport: int, protocol: int
) -> None:
    key = join(src, sport, dst, dport, protocol)
    assert key == join(dst, dport, src, sport, protocol)
    low, high, low_port, high_port, carried = split(key)
    assert sorted([(src, sport), (dst, dport)]) == [(low, low_port), (high, high_port)]
    assert carried == protocol


@pytest.mark.parametrize(("size", "length"), [(4, 13), (16, 37)])
def test_both_families_have_keys(size: int, length: int) -> None:
    key = join(b"\2" * size, 1, b"\1" * size, 65_535, 6)
    assert len(key) == length
    assert split(key) == (b"\1" * size, b"\2" * size, 65_535, 1, 6)


@given(st.tuples(ADDRESSES, PORTS, ADDRESSES, PORTS, st.integers(0, 255)))
def test_other_ports_are_another_flow(ends: tuple[bytes, int, bytes, int, int]) -> None:
    src, sport, dst, dport, protocol = ends
    crossed = join(src, dport, dst, sport, protocol)
    assert (crossed == join(*ends)) is (sport == dport or src == dst)
