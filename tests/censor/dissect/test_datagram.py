"""First bytes, by RFC 7983 and RFC 9443."""

from __future__ import annotations

import pytest

from censor.dissect.datagram import Family, classify


@pytest.mark.parametrize(
    ("first", "last", "family"),
    [
        (0, 3, Family.STUN),
        (4, 15, Family.OTHER),
        (16, 19, Family.ZRTP),
        (20, 63, Family.DTLS),
        (64, 79, Family.TURN),
        (80, 127, Family.QUIC),
        (128, 191, Family.RTP),
        (192, 255, Family.QUIC),
    ],
)
def test_every_first_byte(first: int, last: int, family: Family) -> None:
    for byte in range(first, last + 1):
        assert classify(bytes((byte,))) is family
        assert classify(bytes((byte,)) + b"more") is family


def test_nothing_begins_with_nothing() -> None:
    assert classify(b"") is Family.OTHER
