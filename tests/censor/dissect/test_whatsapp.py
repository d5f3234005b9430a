"""WhatsApp's beginnings, as fact dpi-whatsapp lists them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censor.dissect.outcome import Incomplete
from censor.dissect.whatsapp import Chat, NotWhatsapp, dissect

BEGINNINGS = ["WA\x01\x05", "ED\0\1\0\0\2\x08", "ED\0\1\0\0\4\x08"]


@pytest.mark.parametrize("beginning", [each.encode() for each in BEGINNINGS])
def test_the_documented_bytes(beginning: bytes, torture: Callable[..., None]) -> None:
    assert dissect(beginning + b"more") == Chat(beginning)
    torture(dissect, beginning + b"more", len(beginning))


@pytest.mark.parametrize(
    "stream", [b"WA\1\6", b"WX", b"ED\0\1\0\0\3", b"ED\0\1\0\0\2\x09", b"GET / HTTP/1.1"]
)
def test_others(stream: bytes) -> None:
    assert isinstance(dissect(stream), NotWhatsapp)


def test_what_is_lacking() -> None:
    assert dissect(b"") == Incomplete(4)
    assert dissect(b"ED\0\1\0\0") == Incomplete(2)


@given(st.binary(max_size=20))
def test_arbitrary_bytes_are_answered(data: bytes) -> None:
    assert isinstance(dissect(data), (Chat, Incomplete, NotWhatsapp))
