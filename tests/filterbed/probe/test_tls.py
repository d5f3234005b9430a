"""TLS handshakes and how each ends."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from filterbed.probe import tls
from filterbed.probe.stream import Stream, connect_all

NAME = "www.site.net"


def shake(port: int, *, name: str | None = NAME, verify: bool = True) -> dict[str, Any]:
    sock = connect_all(["127.0.0.1"], port, timeout=1.0, flows=[])[0][0]
    assert sock is not None
    stream = Stream(sock, time.monotonic() + 0.5)
    channel, row = tls.handshake(stream, name, verify=verify, address="127.0.0.1", port=port)
    assert (channel is not None) == (row["outcome"] == "ok")
    stream.close()
    return row


def test_good(servers: Any, trusted: Any, tmp_path: Path) -> None:
    pair = trusted.issue([NAME], [], "valid")
    row = shake(servers.tls(pair, servers.hang, tmp_path))
    assert (row["outcome"], row["error"], row["after"]) == ("ok", None, "answer")
    assert len(row["certificate"]) == 64


@pytest.mark.parametrize("kind", ["expired", "self-signed", "wrong-name"])
def test_bad_certificate(servers: Any, trusted: Any, tmp_path: Path, kind: Any) -> None:
    port = servers.tls(trusted.issue([NAME], [], kind), servers.hang, tmp_path)
    row = shake(port)
    assert (row["outcome"], row["error"]) == ("invalid", kind)
    assert shake(port, verify=False)["outcome"] == "ok"
    assert shake(port, name=None)["outcome"] == "ok"


def test_unknown_authority(servers: Any, trusted: Any, tmp_path: Path) -> None:
    other = type(trusted)()
    row = shake(servers.tls(other.issue([NAME], [], "valid"), servers.hang, tmp_path))
    assert (row["outcome"], row["error"]) == ("invalid", "unknown-ca")


@pytest.mark.parametrize(
    ("answer", "then", "expected"),
    [
        (b"", "reset", ("reset", "hello")),
        (b"", "finish", ("fin", "hello")),
        (b"", "hang", ("timeout", "hello")),
        (b"\x16\x03\x03", "finish", ("fin", "answer")),
        (b"\x15\x03\x03\x00\x02\x02\x28", "hang", ("alert", "answer")),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "hang", ("invalid", "answer")),
    ],
    ids=["reset", "fin", "timeout", "half", "alert", "noise"],
)
def test_broken(servers: Any, answer: bytes, then: str, expected: tuple[str, str]) -> None:
    def handle(sock: socket.socket) -> None:
        sock.recv(65536)
        sock.sendall(answer)
        getattr(servers, then)(sock)

    row = shake(servers.tcp(handle))
    assert (row["outcome"], row["after"]) == expected
    assert row["error"] is None


def test_reset_before_the_hello_is_told_apart(servers: Any) -> None:
    connected = threading.Event()

    def handle(sock: socket.socket) -> None:
        connected.wait(5)
        servers.reset(sock)

    sock = connect_all(["127.0.0.1"], servers.tcp(handle), timeout=1.0, flows=[])[0][0]
    assert sock is not None
    connected.set()
    sock.settimeout(5.0)
    with pytest.raises(ConnectionResetError):
        sock.recv(1)  # the RST has come, and its error is taken: a send now fails by itself
    _, row = tls.handshake(
        Stream(sock, time.monotonic() + 0.5), NAME, verify=False, address="127.0.0.1", port=1
    )
    sock.close()
    assert (row["outcome"], row["after"]) == ("reset", "connect")
