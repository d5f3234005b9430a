"""What is written can be read again, and what is cut short ends it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from censor.drivers.netlink import NESTED, attribute, attributes, message, messages

KINDS = st.integers(0, 0x3FFF)


@given(st.lists(st.tuples(KINDS, st.binary(max_size=9))), st.integers(0, 200))
def test_attributes_survive_and_any_prefix_ends(pairs: list[tuple[int, bytes]], cut: int) -> None:
    data = b"".join(attribute(kind | NESTED, value) for kind, value in pairs)
    assert len(data) % 4 == 0
    assert list(attributes(data)) == pairs
    whole = list(attributes(data[:cut]))
    assert [kind for kind, _ in whole] == [kind for kind, _ in pairs[: len(whole)]]


@given(st.lists(st.tuples(KINDS, st.binary(max_size=9))))
def test_messages_survive(sent: list[tuple[int, bytes]]) -> None:
    data = b""
    for number, (kind, body) in enumerate(sent):
        one = message(kind, 0, body, number)
        data += one + bytes(-len(one) & 3)
    found = list(messages(data))
    assert found == [(kind, number, body) for number, (kind, body) in enumerate(sent)]


@given(st.binary(max_size=80))
def test_any_bytes_end(data: bytes) -> None:
    list(messages(data))
    list(attributes(data))
