"""One page over HTTP."""

from __future__ import annotations

import hashlib

import pytest

from filterbed.probe import web
from filterbed.probe.stream import BrokenError, Row


class Script:
    """A channel that says these chunks, then ends in this way."""

    def __init__(self, *chunks: bytes, end: str = "timeout") -> None:
        self.chunks, self.end, self.sent = [*chunks], end, b""

    def send(self, data: bytes) -> None:
        self.sent += data

    def receive(self) -> bytes:
        if self.chunks:
            return self.chunks.pop(0)
        raise BrokenError(self.end)


def fetch(*chunks: bytes, end: str = "timeout") -> tuple[web.Reply, Row]:
    return web.get(Script(*chunks, end=end), "a.net", "/x", address="192.0.2.1")


BODY = b"<html><TITLE>\n Two  words </title>"
COUNTED = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nServer: s\r\n\r\n" % len(BODY) + BODY
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5;x=y\r\n" + BODY[:5] + b"\r\n%x\r\n" % len(BODY[5:]) + BODY[5:] + b"\r\n0\r\n\r\n"
)
CLOSED = b"HTTP/1.0 200 OK\r\n\r\n" + BODY


def test_request_is_plain() -> None:
    script = Script(COUNTED)
    web.get(script, "a.net", "/x?y", address="192.0.2.1")
    lines = script.sent.decode().split("\r\n")
    assert lines[:2] == ["GET /x?y HTTP/1.1", "Host: a.net"]
    assert lines[2].startswith("User-Agent: curl/")
    assert lines[-2:] == ["", ""]


@pytest.mark.parametrize(
    ("data", "end"),
    [(COUNTED, "timeout"), (CHUNKED, "timeout"), (CLOSED, "fin")],
    ids=["counted", "chunked", "closed"],
)
@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_page_in_any_pieces(data: bytes, end: str, step: int) -> None:
    pieces = [data[n : n + step] for n in range(0, len(data), step)]
    reply, row = fetch(*pieces, end=end)
    assert (row["outcome"], row["status"], row["title"]) == ("ok", 200, "Two words")
    assert (row["length"], row["sha256"]) == (len(BODY), hashlib.sha256(BODY).hexdigest())
    assert reply.first is not None


def test_redirect_and_headers() -> None:
    _, row = fetch(b"HTTP/1.1 302 Found\r\nLOCATION: http://b.net/\r\nContent-Length: 0\r\n\r\n")
    assert (row["status"], row["location"], row["title"]) == (302, "http://b.net/", None)


@pytest.mark.parametrize(
    ("body", "results"),
    [
        (b'{"resultCount": 0, "results": []}', 0),
        (b' {"resultCount":12,"results":[{}]}', 12),
        (b'{"results": []}', None),
        (b'<html>"resultCount": 1</html>', None),
    ],
)
def test_a_stores_answer_says_how_much_it_found(body: bytes, results: int | None) -> None:
    _, row = fetch(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    assert row["results"] == results


@pytest.mark.parametrize("end", ["reset", "timeout", "fin"])
def test_no_answer(end: str) -> None:
    _, row = fetch(end=end)
    assert (row["outcome"], row["status"], row["sha256"]) == (end, None, None)
    assert row["after"] == "request"


def test_request_that_is_not_taken() -> None:
    class Dead(Script):
        def send(self, data: bytes) -> None:
            raise BrokenError("reset")

    _, row = web.get(Dead(), "a.net", "/", address="192.0.2.1")
    assert (row["outcome"], row["after"]) == ("reset", "connect")


@pytest.mark.parametrize("end", ["reset", "timeout", "fin"])
def test_what_came_before_the_end_is_kept(end: str) -> None:
    _, row = fetch(COUNTED[:-3], end=end)
    assert (row["outcome"], row["status"], row["length"]) == (end, 200, len(BODY) - 3)
    assert row["after"] == "answer"


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 20000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffff\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000,
    ],
)
def test_not_http(data: bytes) -> None:
    assert fetch(data, data)[1]["outcome"] == "invalid"


def test_body_is_bounded() -> None:
    big = b"x" * web.BODY_LIMIT
    _, row = fetch(b"HTTP/1.1 200 OK\r\n\r\n", big, big, end="fin")
    assert row["length"] == web.BODY_LIMIT


def test_what_follows_the_page_is_kept_apart() -> None:
    reply, row = fetch(COUNTED + b"stray")
    assert (reply.rest, row["length"]) == (b"stray", len(BODY))


@pytest.mark.parametrize(("value", "closing"), [("close", True), ("Close", True), ("x", False)])
def test_announced_close(value: str, closing: bool) -> None:
    head = f"HTTP/1.1 204 None\r\nConnection: {value}\r\n\r\n"
    assert fetch(head.encode())[0].closing is closing
