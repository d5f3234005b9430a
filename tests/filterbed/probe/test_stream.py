"""Connections, and the ways they fail."""

from __future__ import annotations

import errno
import socket
import time
from typing import Any

import pytest

from filterbed.probe.stream import BrokenError, Stream, connect_all, outcome


def test_every_address_is_tried_in_order(servers: Any) -> None:
    port, flows = servers.tcp(servers.hang), list[Any]()
    found = connect_all(["127.0.0.1", "127.0.0.9"], port, timeout=1.0, flows=flows)
    assert [row["outcome"] for _, row in found] == ["ok", "refused"]
    assert [row["address"] for _, row in found] == ["127.0.0.1", "127.0.0.9"]
    sock = found[0][0]
    assert sock is not None
    with sock:
        assert flows[0] == ["tcp", *sock.getsockname(), "127.0.0.1", port]
    assert found[1][0] is None


def test_unreachable_at_once() -> None:
    flows: list[Any] = []
    [(sock, row)] = connect_all(["255.255.255.255"], 80, timeout=1.0, flows=flows)
    assert sock is None
    assert row["outcome"] == "unreachable"


@pytest.mark.parametrize(
    ("code", "word"),
    [
        (errno.ECONNREFUSED, "refused"),
        (errno.ECONNRESET, "reset"),
        (errno.EPIPE, "reset"),
        (errno.ETIMEDOUT, "timeout"),
        (errno.EHOSTUNREACH, "unreachable"),
        (errno.ENOTCONN, "unreachable"),
    ],
)
def test_outcome(code: int, word: str) -> None:
    assert outcome(OSError(code, "x")) == word


@pytest.mark.parametrize(
    ("handle", "word"),
    [("reset", "reset"), ("hang", "timeout"), ("finish", "fin")],
)
def test_how_a_stream_ends(servers: Any, handle: str, word: str) -> None:
    def then(sock: socket.socket) -> None:
        sock.recv(1)
        getattr(servers, handle)(sock)

    sock = connect_all(["127.0.0.1"], servers.tcp(then), timeout=1.0, flows=[])[0][0]
    assert sock is not None
    stream = Stream(sock, time.monotonic() + 0.3)
    stream.send(b"x")
    with pytest.raises(BrokenError) as caught:
        stream.receive()
    stream.close()
    assert caught.value.outcome == word
