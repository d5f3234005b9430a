"""What each part of Skype's legacy network answers, and what it leaves unanswered."""

from __future__ import annotations

import pytest

from filterbed.probe import supernode
from filterbed.probe.skype import LOGIN, WELCOME


def test_a_datagram_that_begins_something_is_answered_under_its_number() -> None:
    said = supernode.datagram(b"\x12\x34\x02" + b"x" * 15)
    assert said is not None
    assert said[:3] == b"\x12\x34\x03"


@pytest.mark.parametrize("data", [b"", b"\x12\x34\x02", b"\x12\x34\x03" + b"x" * 15])
def test_another_datagram_is_not(data: bytes) -> None:
    assert supernode.datagram(data) is None


def test_a_greeting_is_answered_once_it_is_whole() -> None:
    assert supernode.greeting(b"1234567") is None
    assert supernode.greeting(b"12345678") == b"12" + bytes(6)


def test_the_login_is_five_bytes_each_way() -> None:
    assert supernode.login(LOGIN) == WELCOME == bytes.fromhex("1703010000")
    assert supernode.login(b"\x16\x03\x01\x02\x00\x01\x00") is None  # a ClientHello of TLS


def test_an_echo_says_what_it_was_told() -> None:
    assert supernode.echo(b"\x01\x2a\x02\x08") == b"\x01\x2a\x02\x08"
    assert supernode.echo(b"") is None


def test_a_peer_reads_messages() -> None:
    from filterbed.probe import chat

    sealed = chat.seal(b"12345678", "x" * chat.LONGEST)
    assert len(sealed) == supernode.HELD
    server = supernode.Server("peer", [])
    assert server._answer(sealed) == chat.receipt(b"12345678", b"x" * chat.LONGEST)
    server.close()
