"""Signatures of applications: what their facts say shows them, and what does not."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censor.dissect.signature import SIGNATURES, shown
from censor.policy import clause


def lengths(body: bytes) -> bytes:
    return (len(body) + 2).to_bytes(2, "little") + body


@pytest.mark.parametrize(
    ("name", "tcp", "data", "from_client", "before"),
    [
        ("skype-login", True, bytes.fromhex("1603010000"), True, 0),
        ("skype-login", True, bytes.fromhex("1703010000"), False, 0),
        ("skype-tcp", True, bytes(8), True, 0),
        ("skype-tcp", True, bytes(3), True, 0),
        ("skype-udp", False, b"\x01\x02\x4d", False, 3),
        ("skype-udp", False, b"\x12\x34\x02" + bytes(13), True, 1),
        ("whatsapp-chat", True, bytes.fromhex("5741010500"), True, 0),
        ("whatsapp-chat", True, bytes.fromhex("4544000100000208"), True, 0),
        ("viber-udp", False, b"ab\x03\0cd", True, 0),
        ("viber-udp", False, b"ab\x09\0" + bytes(16), True, 0),
        ("viber-udp", False, b"ab\x01\0\x05\0", False, 2),
        ("viber-udp", False, b"ab\x19\0" + bytes(30), True, 0),
        ("viber-udp", False, b"ab\x1b\0" + bytes(30), True, 0),
        ("viber-tcp", True, lengths(b"abcd\xfc\xff\0\x80xy"), True, 0),
        ("viber-tcp", True, lengths(b"ab\x03\x80abcd\x0a"), False, 1),
    ],
)
def test_what_shows_an_application(
    name: str, tcp: bool, data: bytes, from_client: bool, before: int
) -> None:
    assert name in shown(data, from_client, before, tcp=tcp)
    assert name not in shown(data, from_client, before, tcp=not tcp)


@pytest.mark.parametrize(
    ("tcp", "data", "from_client", "before"),
    [
        (True, bytes.fromhex("160301000001"), True, 0),  # a record with something in it
        (True, bytes.fromhex("1703010000"), True, 0),
        (True, bytes.fromhex("1703010020") + bytes(32), False, 1),  # TLS 1.0, once it is set up
        (True, bytes(8), True, 1),
        (True, bytes(8), False, 0),
        (False, b"\x30\x34\x02" + bytes(13), True, 0),
        (False, b"\x12\x34\x02" + bytes(12), True, 0),
        (True, bytes.fromhex("57410104") + bytes(9), True, 0),
        (False, b"ab\x09\0" + bytes(17), True, 0),
        (False, b"ab\x19\0" + bytes(31), True, 0),
        (True, lengths(b"abcd\xfc\xff\0\x80xy") + b"z", True, 0),
    ],
)
def test_what_shows_none(tcp: bool, data: bytes, from_client: bool, before: int) -> None:
    assert shown(data, from_client, before, tcp=tcp) == ()


def test_naive_rules_hit_others_too() -> None:
    """Source: fact dpi-skype-udp-som (false positives by design)."""
    radius = b"\x01\x07\x02" + bytes(17)
    assert shown(radius, True, 0, tcp=False) == ("skype-udp",)


def test_policies_know_the_same_names() -> None:
    assert get_args(clause.SignatureName) == tuple(SIGNATURES)


@given(data=st.binary(max_size=64), client=st.booleans(), tcp=st.booleans())
def test_any_bytes(data: bytes, client: bool, tcp: bool) -> None:
    assert set(shown(data, client, 0, tcp=tcp)) <= set(SIGNATURES)
