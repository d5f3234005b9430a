"""Fetch one page over HTTP/1.1, once, following nothing, and say what came.

Wire:    RFC 9112; a body ends by its length, by chunks, or with the connection.
Limits:  256 KiB of a body are read; content codings are not asked for.
"""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass, field
from typing import Protocol

from filterbed.probe.stream import BrokenError, Row, elapsed

BODY_LIMIT = 256 * 1024
HEAD_LIMIT = 64 * 1024
#: Plain and honest: what curl sends, so that servers treat the probe as they treat curl.
AGENT = "curl/7.88.1"
_TITLE = re.compile(rb"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)
#: Apple's Search API; other stores' answers are not read.
_RESULTS = re.compile(rb'\s*\{\s*"resultCount"\s*:\s*([0-9]{1,6})\b')
_LENGTH = re.compile(r"[0-9]{1,18}")
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: |\r?\n|\Z)")


class Channel(Protocol):
    """What a page is fetched through: a TCP stream, or TLS over one."""

    def send(self, data: bytes) -> None: ...
    def receive(self) -> bytes: ...


class NotHttpError(Exception):
    """What came back is not HTTP."""


@dataclass(slots=True)
class Reply:
    """One response as read so far. Header names are lower case; the first of equals wins."""

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    first: float | None = None  # seconds from the request to the first byte
    rest: bytes = b""

    @property
    def closing(self) -> bool:
        """Whether the server said that it will close the connection."""
        return self.headers.get("connection", "").lower() == "close"


def request(host: str, path: str, agent: str = AGENT) -> bytes:
    """Return the request's bytes."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\nAccept: */*\r\n\r\n"
    ).encode("latin-1", "replace")


def get(
    channel: Channel, host: str, path: str, *, address: str, agent: str = AGENT
) -> tuple[Reply, Row]:
    """Send one GET and read its answer; return it and the `http` row.

    What came before a reset is kept: a status with outcome `reset` is an answer cut short. `after`
    in the row says how far it got: `connect` (the request was not taken), `request`, `answer`.
    """
    reply = Reply()
    began = time.monotonic()
    word, after = "ok", "connect"
    try:
        channel.send(request(host, path, agent))
        after = "request"
        read(channel, reply, began)
    except BrokenError as error:
        word = error.outcome
    except NotHttpError:
        word = "invalid"
    if reply.first is not None:
        after = "answer"
    return reply, row(reply, word, address, elapsed(began)) | {"after": after}


def read(channel: Channel, reply: Reply, began: float) -> None:
    """Read one response into `reply`; BrokenError or NotHttpError when there is none."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += channel.receive()
        if reply.first is None:
            reply.first = elapsed(began)
        if not (b"HTTP/1.".startswith(data[:7]) or data.startswith(b"HTTP/1.")):
            raise NotHttpError
        if len(data) > HEAD_LIMIT:
            raise NotHttpError
    head, _, body = data.partition(b"\r\n\r\n")
    _head(head, reply)
    if reply.status in (204, 304):
        reply.rest = body
    elif "chunked" in reply.headers.get("transfer-encoding", "").lower():
        _chunks(channel, body, reply)
    elif _LENGTH.fullmatch(reply.headers.get("content-length", "")):
        _counted(channel, body, reply)
    else:
        _until_close(channel, body, reply)


def _head(head: bytes, reply: Reply) -> None:
    lines = head.split(b"\r\n")
    match = _STATUS.match(lines[0])
    if match is None:
        raise NotHttpError
    reply.status = int(match[1])
    for line in lines[1:]:
        name, _, value = line.decode("latin-1").partition(":")
        reply.headers.setdefault(name.strip().lower(), value.strip())


def _counted(channel: Channel, body: bytes, reply: Reply) -> None:
    size = min(int(reply.headers["content-length"]), BODY_LIMIT)
    reply.body = body[:size]
    while len(body) < size:
        body += channel.receive()
        reply.body = body[:size]
    reply.rest = body[size:]


def _chunks(channel: Channel, data: bytes, reply: Reply) -> None:
    while len(reply.body) < BODY_LIMIT:
        while b"\r\n" not in data:
            data += channel.receive()
        line, _, data = data.partition(b"\r\n")
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError as error:
            raise NotHttpError from error
        if not 0 <= size <= BODY_LIMIT:
            raise NotHttpError
        while len(data) < size + 2:
            data += channel.receive()
        reply.body += data[:size]
        data = data[size + 2 :]
        if size == 0:
            reply.rest = data
            return


def _until_close(channel: Channel, body: bytes, reply: Reply) -> None:
    reply.body = body[:BODY_LIMIT]
    reply.headers.setdefault("connection", "close")
    while len(reply.body) < BODY_LIMIT:
        try:
            reply.body = (reply.body + channel.receive())[:BODY_LIMIT]
        except BrokenError as error:
            if error.outcome == "fin":
                return
            raise


def _results(body: bytes) -> int | None:
    """Return how many results a search found, where the page is a store's answer to one."""
    match = _RESULTS.match(body)
    return int(match[1]) if match else None


def row(reply: Reply, word: str, address: str, seconds: float) -> Row:
    """Write a response as the `http` row; `word` is how reading it ended."""
    title = _TITLE.search(reply.body)
    return {
        "address": address,
        "outcome": word,
        "status": reply.status,
        "location": reply.headers.get("location"),
        "title": " ".join(title[1].decode("utf-8", "replace").split()) if title else None,
        "length": len(reply.body),
        "sha256": hashlib.sha256(reply.body).hexdigest() if reply.status else None,
        "results": _results(reply.body),
        "server": reply.headers.get("server"),
        "via": reply.headers.get("via"),
        "first": reply.first,
        "seconds": seconds,
    }
