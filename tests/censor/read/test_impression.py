"""Impressions: what a first payload looks like."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censor.read.impression import LIKENESSES, alike


@pytest.mark.parametrize(
    ("payload", "tcp", "words"),
    [
        (b"GET / HTTP/1.1\r\n", True, ("http",)),
        (b"GET / HTTP/1.1\r\n", False, ()),
        (b"SSH-2.0-OpenSSH_9.2\r\n", True, ("ssh",)),
        (b"\x16\x03\x01\x02\x00\x01", True, ("tls",)),
        (b"\x16\x03\x04\x02\x00\x01", True, ()),
        (b"\x16\x03\x01\x00\x00\x01", True, ()),
        (b"\x16\x03\x01\xff\xff\x01", True, ()),
        (b"\x17\x03\x03\x02\x00\x01", True, ()),
        (b"\xc0\0\0\0\1\x08aaaaaaaa\0\0\x04abcd", False, ("quic",)),
        (b"\xc0\1\2\3\4\x08aaaaaaaa\0\0\x04abcd", False, ()),
        (b"\0\1\0\0\x21\x12\xa4\x42tttttttttttt", False, ("stun",)),
        (b"\0\1\0\0\x21\x12\xa4\x42tttttttttttt", True, ("stun",)),
        (b"\x16\xfe\xff" + bytes(9) + b"\1a", False, ("dtls",)),
        (b"\x16\xfe\xff" + bytes(9) + b"\1a", True, ()),
        (b"\xde\xad\xbe\xef" * 20, True, ()),
        (b"", True, ()),
    ],
)
def test_likenesses(payload: bytes, tcp: bool, words: tuple[str, ...]) -> None:
    assert alike(payload, tcp) == words


def test_real_messages_look_like_themselves(query: Any, get: Any, hello: Any, invite: Any) -> None:
    asked = query("a.example")
    assert "dns" in alike(asked, False)
    assert "dns" in alike(len(asked).to_bytes(2, "big") + asked, True)
    assert alike(get("a.example"), True) == ("http",)
    assert alike(hello("a.example"), True) == ("tls",)
    assert "sip" in alike(invite("a.example"), False)


@given(st.binary(max_size=64), st.booleans())
def test_any_bytes(payload: bytes, tcp: bool) -> None:
    assert set(alike(payload, tcp)) <= set(LIKENESSES)
