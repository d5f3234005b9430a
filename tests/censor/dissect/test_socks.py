"""What SOCKS clients say, as curl says it and as the specifications have it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censor.dissect.outcome import Incomplete
from censor.dissect.socks import LIMIT, NotSocks, Request, dissect
from fuzz.seed import payloads

FOUR = bytes.fromhex("04010050 5db8d822 00")
FOUR_A = bytes.fromhex("04010050 00000001 00") + b"www.Blocked.example\0"
FIVE = bytes.fromhex("0501000313") + b"www.blocked.example\0\x50"
SIX = bytes.fromhex("05010004") + bytes(15) + b"\1\0\x50"
LOGIN = b"\1\1a\1b"


@pytest.mark.parametrize(
    ("stream", "later", "found"),
    [
        (FOUR, False, Request(4, 1, "93.184.216.34", 80, 9)),
        (FOUR_A, False, Request(4, 1, "www.blocked.example", 80, 29)),
        (b"\5\2\0\2", False, Request(5, 0, None, 0, 4)),
        (LOGIN, True, Request(5, 0, None, 0, 5)),
        (FIVE, True, Request(5, 1, "www.blocked.example", 80, 26)),
        (SIX, True, Request(5, 1, "::1", 80, 22)),
    ],
)
def test_each_thing_said(
    stream: bytes, later: bool, found: Request, torture: Callable[..., None]
) -> None:
    assert dissect(stream + b"\x16\3\1", later=later) == found
    torture(lambda data: dissect(data, later=later), stream, len(stream))


def test_what_curl_says() -> None:
    """Source: fuzz/seed.capture."""
    said = payloads(1080)
    first = [dissect(one) for one in said if one[:1] in (b"\4", b"\5") and len(one) != 2]
    versions = {one.version for one in first if isinstance(one, Request)}
    assert versions == {4, 5}
    hosts = {
        one.host
        for stream in said
        for one in (dissect(stream), dissect(stream, later=True))
        if isinstance(one, Request)
    }
    assert {"www.blocked.example", "93.184.216.34"} <= hosts


@pytest.mark.parametrize(
    ("stream", "later"),
    [
        (b"\5\0", False), (b"\6\1", False), (b"\4\3", False), (b"\5\1\0\2", True),
        (b"\5\4", True), (b"\5\1\1", True), (b"\4\1\0\x50\1\2\3\4" + b"u" * LIMIT, False),
    ],
)  # fmt: skip
def test_others(stream: bytes, later: bool) -> None:
    assert isinstance(dissect(stream, later=later), NotSocks)


@given(st.binary(max_size=600), st.booleans())
def test_arbitrary_bytes_are_answered(data: bytes, later: bool) -> None:
    assert isinstance(dissect(data, later=later), (Request, Incomplete, NotSocks))
