"""Read the head of an HTTP/1 request.

Lenient as servers are: LF for CRLF, folded and repeated headers, white space around names. What
was on the wire stays visible in `headers`, for censors that are pickier than servers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from censor.dissect.head import (
    LIMIT,
    TOKEN,
    Head,
    Headers,
    read_head,
    skip_blank,
    split_host,
    split_line,
)
from censor.dissect.outcome import Foreign, Incomplete

_METHOD = re.compile(TOKEN + rb"{1,32}(?:[ \t]|\Z)")
_VERSION = re.compile(r"HTTP/1\.[0-9]\Z")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://([^/?#]*)")


@dataclass(frozen=True, slots=True)
class NotHttp(Foreign):
    """Not a request of HTTP/1."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    host: whom it is for, lower-case, without port, brackets or user: of an absolute target, else
        of the first Host header; None if neither names anyone.
    hosts: the values of all Host headers as they came. headers: in their order and spelling.
    header_end: where the body begins. complete: the whole head was there.
    """

    method: str
    target: str
    version: str
    host: str | None
    hosts: tuple[str, ...]
    headers: Headers
    header_end: int
    complete: bool = True

    def header(self, name: str) -> str | None:
        """Return the first value of a header, by its lower-case name."""
        return next((value for key, value in self.headers if key.lower() == name), None)


def dissect(
    stream: bytes, *, partial: bool = False, limit: int = LIMIT
) -> Request | Incomplete | NotHttp:
    """Read the first request of a stream.

    `partial`: take a head that has not ended yet as far as its lines go, as a censor does that
    looks at each segment by itself; such a request may lack its host.

    Limits: HTTP/0.9, and a method over 32 bytes, are not HTTP; neither is a head over `limit`.
    Source: RFC 9112 sections 2.2, 3, 3.2.2 (an absolute target outranks Host), 5.1 and 5.2.
    """
    start = skip_blank(stream)
    if start > limit:
        return NotHttp(f"{start} bytes of empty lines before any request")
    if start == len(stream):
        return Incomplete(14)  # "G / HTTP/1.1" and an empty line
    if not _METHOD.match(stream, start):
        return NotHttp("does not begin with a method")
    stop = stream.find(b"\n", start, start + limit)
    if stop >= 0:
        line = split_line(stream[start:stop])
        if line is None or not _VERSION.match(line[2]):
            return NotHttp("the first line is not METHOD TARGET HTTP/1.x")
        head = read_head(stream, start, limit, partial=partial)
        if head is not None:
            return _request(*line, head)
    if len(stream) - start >= limit:
        return NotHttp(f"head of more than {limit} bytes")
    return Incomplete()


def _request(method: str, target: str, version: str, head: Head) -> Request:
    headers = head.headers
    hosts = tuple(value for name, value in headers if name.lower() == "host")
    absolute = _ABSOLUTE.match(target)
    if method == "CONNECT":
        authority = target
    elif absolute is not None:
        authority = absolute[1].rpartition("@")[2]
    else:
        authority = hosts[0] if hosts else ""
    host, _ = split_host(authority)
    return Request(method, target, version, host, hosts, headers, head.end, head.complete)
