"""Read the head of a SIP request or response, from a datagram or a stream."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NamedTuple

from censor.dissect.head import (
    LIMIT,
    TOKEN,
    Head,
    Headers,
    number,
    read_head,
    skip_blank,
    split_host,
    split_line,
)
from censor.dissect.outcome import Foreign, Incomplete

_METHOD = re.compile(TOKEN + rb"{1,32}(?:[ \t]|\Z)")
_STATUS_START = b"SIP/2.0 "
_STATUS = re.compile(r"SIP/2\.0[ \t]+([1-6][0-9][0-9])(?:[ \t]+(.*))?\Z", re.IGNORECASE)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
_BRACKETED = re.compile(r"(?:\"(?:[^\"\\]|\\.)*\"|[^\"<])*<([^>]*)>")
_CSEQ = re.compile(r"([0-9]+)[ \t]+(\S+)")

#: What Content-Length may sensibly say of one message ends here, in bytes.
_LENGTHS: Final = 1 << 30

#: Compact header names. Source: RFC 3261 section 7.3.3.
_COMPACT: Final = {
    "i": "call-id",
    "m": "contact",
    "e": "content-encoding",
    "l": "content-length",
    "c": "content-type",
    "f": "from",
    "s": "subject",
    "k": "supported",
    "t": "to",
    "v": "via",
}


@dataclass(frozen=True, slots=True)
class NotSip(Foreign):
    """Neither a request nor a response of SIP/2.0."""


class Uri(NamedTuple):
    """A SIP, SIPS or tel URI; `text` as it came. Of "tel:" the user is the number.

    user, host, port: None where there is none. Scheme and host are lower-case.
    Source: RFC 3261 section 19.1, RFC 3966.
    """

    text: str
    scheme: str
    user: str | None
    host: str | None
    port: int | None


class Status(NamedTuple):
    """The first line of a response."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Message:
    """What requests and responses share; header values are read when they are asked for.

    headers: in their order and spelling. body: its offset. complete: the whole head was there.
    """

    headers: Headers
    body: int
    complete: bool

    def header(self, name: str) -> str | None:
        """Return the first value of a header by its long, lower-case name; None without one."""
        for key, value in self.headers:
            lower = key.lower()
            if lower == name or (len(lower) == 1 and _COMPACT.get(lower) == name):
                return value
        return None

    def values(self, name: str) -> tuple[str, ...]:
        """Return every value of a header by its long, lower-case name, one for each line."""
        named = ((key.lower(), value) for key, value in self.headers)
        return tuple(value for lower, value in named if _COMPACT.get(lower, lower) == name)

    @property
    def call_id(self) -> str | None:
        """Return the dialogue's identifier."""
        return self.header("call-id")

    @property
    def cseq(self) -> tuple[int | None, str] | None:
        """Return the number of the request within its dialogue, and its method."""
        found = _CSEQ.match(self.header("cseq") or "")
        return (number(found[1], (1 << 32) - 1), found[2]) if found else None

    @property
    def sender(self) -> Uri | None:
        """Return the URI of From, None if there is none to read."""
        return _address(self.header("from"))

    @property
    def recipient(self) -> Uri | None:
        """Return the URI of To, None if there is none to read."""
        return _address(self.header("to"))

    @property
    def via(self) -> str | None:
        """Return the topmost Via."""
        value = self.header("via")
        return None if value is None else value.partition(",")[0].rstrip(" \t")

    @property
    def user_agent(self) -> str | None:
        """Return what program the sender says it is."""
        return self.header("user-agent")

    @property
    def content_length(self) -> int | None:
        """Return the body's length in bytes; None if it is not said, or no number."""
        return number(self.header("content-length"), _LENGTHS)


@dataclass(frozen=True, slots=True)
class Request(Message):
    """A request; `uri` is whom it is for."""

    method: str
    uri: Uri


@dataclass(frozen=True, slots=True)
class Response(Message):
    """A response, 100 to 699."""

    status: int
    reason: str


def dissect(
    payload: bytes, *, partial: bool = False, limit: int = LIMIT
) -> Request | Response | Incomplete | NotSip:
    """Read the first message of a datagram or a stream.

    `partial`: take a head that has not ended yet as far as its lines go.

    Limits: a method over 32 bytes is not SIP, nor is a head over `limit`. Header values are not
        unescaped; of a list in one header only Via's first element is told apart.
    Source: RFC 3261 sections 7, 7.3.1 (folding), 7.5 (empty lines first), 18.3 (Content-Length).
    """
    start = skip_blank(payload)
    if start > limit:
        return NotSip(f"{start} bytes of empty lines before any message")
    opening = payload[start : start + len(_STATUS_START)].upper()
    status = bool(opening) and _STATUS_START.startswith(opening)
    if not opening:
        return Incomplete()
    if not status and not _METHOD.match(payload, start):
        return NotSip("begins with neither a method nor SIP/2.0")
    stop = payload.find(b"\n", start, start + limit)
    if stop >= 0:
        line = _status(payload[start:stop]) if status else _request(payload[start:stop])
        if line is None:
            return NotSip("the first line is neither a request's nor a status")
        head = read_head(payload, start, limit, partial=partial)
        if head is not None:
            return _message(line, head)
    if len(payload) - start >= limit:
        return NotSip(f"head of more than {limit} bytes")
    return Incomplete()


def _request(line: bytes) -> tuple[str, Uri] | None:
    words = split_line(line)
    if words is None or words[2].upper() != "SIP/2.0":
        return None
    return words[0], read_uri(words[1])


def _status(line: bytes) -> Status | None:
    found = _STATUS.match(line.decode("latin-1").rstrip("\r"))
    return None if found is None else Status(int(found[1]), found[2] or "")


def _message(line: tuple[str, Uri] | Status, head: Head) -> Request | Response:
    if isinstance(line, Status):
        return Response(head.headers, head.end, head.complete, line.code, line.reason)
    method, uri = line
    return Request(head.headers, head.end, head.complete, method, uri)


def read_uri(text: str) -> Uri:
    """Read a URI as far as it can be read; one without a scheme has the scheme ""."""
    found = _SCHEME.match(text)
    if found is None:
        return Uri(text, "", None, None, None)
    scheme = found[1].lower()
    rest = text[found.end() :]
    if scheme == "tel":
        return Uri(text, scheme, rest.partition(";")[0] or None, None, None)
    user, at, place = rest.partition("@") if "@" in rest else ("", "", rest)
    host, port = split_host(place.partition(";")[0].partition("?")[0])
    return Uri(text, scheme, user.partition(":")[0] if at else None, host, port)


def _address(value: str | None) -> Uri | None:
    """Read the URI of a From or To: "Name" <uri>;tag=... or uri;tag=..."""
    if value is None:
        return None
    found = _BRACKETED.match(value)
    uri = read_uri(found[1] if found else value.partition(";")[0].strip())
    return uri if uri.scheme else None
