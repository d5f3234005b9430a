"""Two chat clients on loopback: one sends what is typed, one asks for lists of words first."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from filterbed.probe import chat, measure, stream
from filterbed.probe.chat import Client

HERE = "127.0.0.1"
GREETING = bytes(range(1, 9))


def test_a_message_is_confirmed_once_all_of_it_is_there() -> None:
    sealed = chat.seal(GREETING, "supper at seven")
    assert b"supper" not in sealed
    assert all(chat.answer(sealed[:size]) is None for size in range(len(sealed)))
    assert chat.answer(sealed) == chat.receipt(GREETING, b"supper at seven")
    other = chat.answer(chat.seal(GREETING, "supper at eight"))
    assert other != chat.answer(sealed)


@pytest.mark.parametrize(
    ("text", "found"), [("about FALUN again", True), ("这是敏感词吗", True), ("fa lun", False)]
)
def test_words_are_found_however_they_are_written(text: str, found: bool) -> None:
    assert chat.contains(text, ["falun", "敏感词"]) is found


@pytest.fixture
def client() -> Client:
    return Client(timeout=0.4, chance=random.Random(1))


def peer(sock: socket.socket) -> None:
    heard = b""
    while (said := chat.answer(heard)) is None:
        heard += sock.recv(3)
    sock.sendall(said)


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A server with lists, in the place of the one on port 80; what it was asked, as it came."""
    asked: list[str] = []
    listener = socket.create_server((HERE, 0))
    listener.settimeout(0.05)
    over = threading.Event()
    bodies = {"/agent/skypever.php": "falun\nother", "/agent/keyfile_u": "quarantine"}

    def serve() -> None:
        while not over.is_set():
            try:
                sock, _ = listener.accept()
            except TimeoutError:
                continue
            with sock:
                head = sock.recv(4096).decode()
                asked.append(head)
                body = bodies.get(head.split()[1].partition("?")[0], "")
                length = f"Content-Length: {len(body)}"
                sock.sendall(f"HTTP/1.1 200 OK\r\n{length}\r\n\r\n{body}".encode())

    thread = threading.Thread(target=serve)
    thread.start()
    real, port = stream.connect_all, listener.getsockname()[1]

    def connect(addresses: Any, wanted: int, **rest: Any) -> Any:
        return real(addresses, port if wanted == 80 else wanted, **rest)

    monkeypatch.setattr(chat, "connect_all", connect)
    yield asked
    over.set()
    thread.join()
    listener.close()


def test_a_message_arrives(client: Client, servers: Any) -> None:
    row = client.send(f"{HERE}:{servers.tcp(peer)}", "falun")
    assert (row["outcome"], row["after"]) == ("ok", "message")


@pytest.mark.parametrize(
    ("kind", "outcome"), [("reset", "reset"), ("hang", "timeout"), ("other", "foreign")]
)
def test_a_message_that_does_not(client: Client, servers: Any, kind: str, outcome: str) -> None:
    def reset(sock: socket.socket) -> None:
        sock.recv(64)  # not before: a RST at once is one of the connection's
        servers.reset(sock)

    def other(sock: socket.socket) -> None:
        sock.recv(64)
        sock.sendall(bytes(chat.SEEN))

    handles: dict[str, Callable[[socket.socket], None]]
    handles = {"reset": reset, "hang": servers.hang, "other": other}
    row = client.send(f"{HERE}:{servers.tcp(handles[kind])}", "falun")
    assert (row["outcome"], row["after"]) == (outcome, "message")


def test_nobody_there(client: Client) -> None:
    with socket.socket() as bound:
        bound.bind((HERE, 0))
        row = client.send(f"{HERE}:{bound.getsockname()[1]}", "falun")
    assert (row["outcome"], row["after"]) == ("refused", "connect")


@pytest.mark.parametrize(
    ("text", "outcome", "uploads"),
    [
        ("they wrote about Falun", "withheld", True),
        ("still in quarantine", "ok", True),
        ("supper at seven", "ok", False),
    ],
)
def test_a_client_that_filters(
    client: Client, servers: Any, tools: list[str], text: str, outcome: str, uploads: bool
) -> None:
    row = client.send_filtered(f"{HERE}:{servers.tcp(peer)}", text, "tools.net", [HERE])
    assert row["outcome"] == outcome
    paths = [chat.KEPT_BACK, chat.WATCHED, *[chat.UPLOAD + text.encode().hex()] * uploads]
    assert [(r["path"], r["outcome"], r["status"]) for r in row["requests"]] == [
        (path, "ok", 200) for path in paths
    ]
    assert [head.split()[1] for head in tools] == paths
    assert all("\r\nHost: tools.net\r\n" in head for head in tools)
    assert all(f"\r\nUser-Agent: {chat.AGENT}\r\n" in head for head in tools)
    talked = [flow for flow in client.flows if flow[4] not in (80,)]
    assert len(talked) == len(paths) + (outcome == "ok")


def test_without_lists_nothing_is_filtered(client: Client, servers: Any) -> None:
    row = client.send_filtered(f"{HERE}:{servers.tcp(peer)}", "falun", "tools.net", [])
    assert (row["outcome"], row["requests"]) == ("ok", [])


@pytest.mark.parametrize(("text", "plain"), [("falun", "ok"), ("supper", None)])
def test_what_was_kept_back_is_sent_by_an_ordinary_client_too(
    servers: Any, tools: list[str], text: str, plain: str | None
) -> None:
    target: dict[str, Any]
    target = {"kind": "chat", "peer": f"{HERE}:{servers.tcp(peer)}", "message": text}
    target |= {"client": "tom", "filter": "tools.net", "addresses": [HERE]}
    found = measure.measure(target, timeout=0.4)["chat"]
    assert (found["plain"] or {}).get("outcome") == plain


def test_an_ordinary_client_asks_nobody(servers: Any) -> None:
    target = {"kind": "chat", "peer": f"{HERE}:{servers.tcp(peer)}", "message": "falun"}
    found = measure.measure(target | {"client": "skype"}, timeout=0.4)
    assert found["chat"]["client"]["outcome"] == "ok"
    assert found["chat"]["client"]["requests"] == []
    assert (found["chat"]["plain"], found["dns"]) == (None, None)
