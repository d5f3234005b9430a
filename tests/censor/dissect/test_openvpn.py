"""OpenVPN's packets: resets at the lengths their protection gives them, the rest by opcode."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censor.dissect.openvpn import KINDS, NotOpenvpn, Packet, dissect, unframe
from censor.dissect.outcome import Incomplete
from fuzz.seed import packets

SESSION = bytes(range(1, 9))
PLAIN = b"\x38" + SESSION + bytes(5)
SIGNED = b"\x38" + SESSION + b"s" * 20 + b"\0\0\0\1TIME" + bytes(5)
CRYPTED = b"\x38" + SESSION + b"\0\0\0\1TIME" + b"s" * 32 + b"12345"
WRAPPED = b"\x50" + CRYPTED[1:] + b"key" * 100


@pytest.mark.parametrize(
    ("port", "carried", "reset"),
    [(1194, False, 14), (1195, False, 42), (1196, False, 54), (1197, True, 16)],
)
def test_a_real_program_s_handshakes(port: int, carried: bool, reset: int) -> None:
    """Source: OpenVPN 2.6.14, in fuzz/seed.capture."""
    pieces = [bytes(one.payload) for _, one in packets() if port in (one.sport, one.dport)]
    said = [piece for piece in pieces if piece]
    found = [unframe(one) if carried else dissect(one) for one in said]
    kinds = [one.kind for one in found if isinstance(one, Packet)]
    assert len(kinds) == len(said) > 8
    assert kinds[:3] == ["client-reset", "server-reset", "control"]
    assert kinds[-1] == "data"
    assert len(said[0]) == reset


@pytest.mark.parametrize("reset", [PLAIN, SIGNED, CRYPTED, WRAPPED])
def test_resets_of_clients(reset: bytes, torture: Callable[..., None]) -> None:
    assert dissect(reset) == Packet("client-reset", len(reset))
    framed = len(reset).to_bytes(2, "big") + reset
    torture(unframe, framed, len(framed))


@pytest.mark.parametrize(
    ("packet", "kind"),
    [
        (b"\x40" + SESSION + b"\1\0\0\0\0" + SESSION + bytes(4), "server-reset"),
        (b"\x20" + SESSION + b"\0\0\0\0\1\x16\3\1", "control"),
        (b"\x28" + SESSION + b"\1\0\0\0\1" + SESSION, "ack"),
        (b"\x30" + b"e" * 60, "data"),
        (b"\x48\0\0\0" + b"e" * 60, "data"),
    ],
)
def test_what_follows(packet: bytes, kind: str) -> None:
    assert dissect(packet) == Packet(kind, len(packet))
    assert unframe(len(packet).to_bytes(2, "big") + packet + b"more") == Packet(
        kind, 2 + len(packet)
    )


@pytest.mark.parametrize(
    "packet",
    [
        b"", b"\x39" + PLAIN[1:], PLAIN + b"\0", PLAIN[:-1] + b"\1", b"\xf8" + PLAIN[1:],
        SIGNED[:-1] + b"\1", b"\x48\0\0\0", b"\0" * 14,
    ],
)  # fmt: skip
def test_others(packet: bytes) -> None:
    assert isinstance(dissect(packet), NotOpenvpn)


def test_no_frames() -> None:
    for stream in (b"\0\0\x38", b"\0\x0e\xff", b"\0\x0e\x39" + PLAIN[1:]):
        assert isinstance(unframe(stream), NotOpenvpn)
    assert unframe(b"\0") == Incomplete(2)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_answered(data: bytes) -> None:
    found = dissect(data)
    assert isinstance(found, NotOpenvpn) or found.kind in KINDS
    assert isinstance(unframe(data), (Packet, Incomplete, NotOpenvpn))
