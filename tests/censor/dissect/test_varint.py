"""QUIC's integers, by the samples of RFC 9000 appendix A.1."""

from __future__ import annotations

import pytest
from aioquic.buffer import encode_uint_var
from hypothesis import given
from hypothesis import strategies as st

from censor.dissect.varint import read_varint


@pytest.mark.parametrize(
    ("wire", "value"),
    [
        ("c2197c5eff14e88c", 151_288_809_941_952_652),
        ("9d7f3e7d", 494_878_333),
        ("7bbd", 15_293),
        ("25", 37),
        ("4025", 37),
    ],
)
def test_the_samples_of_the_standard(wire: str, value: int) -> None:
    data = bytes.fromhex(wire)
    assert read_varint(data, 0) == (value, len(data))
    assert read_varint(b"x" + data + b"y", 1) == (value, len(data) + 1)
    for size in range(len(data)):
        assert read_varint(data[:size], 0) is None


@given(st.integers(0, (1 << 62) - 1), st.binary(max_size=9))
def test_every_value_as_aioquic_writes_it(value: int, after: bytes) -> None:
    wire = encode_uint_var(value)
    assert read_varint(wire + after, 0) == (value, len(wire))
