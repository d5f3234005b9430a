"""Split the head of a text protocol into its first line and its headers, in linear time.

HTTP/1 and SIP share this shape. Lines end in CRLF, or in LF alone, which servers accept too.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

#: A head longer than this is given up on, in bytes. Servers stop between 8 and 64 KiB.
LIMIT: Final = 65_536

#: An RFC 9110 token; a superset of RFC 3261's.
TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"

Headers = tuple[tuple[str, str], ...]

_END = re.compile(rb"\n\r?\n")
_FOLD = re.compile(rb"\r?\n[ \t]+")
_BLANK = re.compile(rb"[\r\n]*")
_HOST = re.compile(r"\[([^\]]*)\](?::([0-9]*))?\Z|([^:]*)(?::([0-9]*))?\Z")


class Head(NamedTuple):
    """The headers in their order and spelling, and where the body begins.

    complete: the empty line was there; else the headers are those whose lines had ended.
    """

    headers: Headers
    end: int
    complete: bool


def skip_blank(stream: bytes) -> int:
    """Return where the first line begins: both protocols allow empty lines before it."""
    found = _BLANK.match(stream)
    return found.end() if found else 0


def read_head(stream: bytes, start: int, limit: int, *, partial: bool) -> Head | None:
    """Read the head that begins at `start`; None if it has not ended within `limit` bytes.

    With `partial` an unfinished head gives the lines that have ended, if the first one has.
    A line that begins with white space continues the one before (RFC 9112 section 5.2); one
    without a colon becomes a header with an empty value.
    """
    found = _END.search(stream, start, start + limit)
    if found is not None:
        stop, end = found.start(), found.end()
    elif partial:
        stop = end = stream.rfind(b"\n", start, start + limit)
        if stop < 0:
            return None
    else:
        return None
    first = stream.find(b"\n", start, stop) + 1
    block = stream[first:stop] if first else b""
    return Head(_headers(block), end, found is not None)


def _headers(block: bytes) -> Headers:
    if not block:
        return ()
    if b"\n " in block or b"\n\t" in block:
        block = _FOLD.sub(b" ", block)
    lines = block.decode("latin-1").split("\n")
    if lines[0][:1] in (" ", "\t"):
        del lines[0]  # it continues the first line, which nobody continues
    headers = []
    for line in lines:
        name, _, value = line.partition(":")
        headers.append((name.strip(" \t\r"), value.strip(" \t\r")))
    return tuple(headers)


def split_line(line: bytes) -> tuple[str, str, str] | None:
    """Split "METHOD TARGET VERSION" at its first and last white space; None if it has fewer words.

    A target may hold spaces, as servers let it.
    """
    first = line.split(None, 1)
    rest = first[1].rsplit(None, 1) if len(first) == 2 else []
    if len(rest) < 2:
        return None
    return first[0].decode("latin-1"), rest[0].decode("latin-1"), rest[1].decode("latin-1")


def split_host(text: str) -> tuple[str | None, int | None]:
    """Split "host:port" into a lower-case host and a port; None for what is not there.

    An IPv6 address comes without its brackets. A port beyond 65535 is none.
    """
    found = _HOST.match(text.strip(" \t"))
    if found is None:
        return text.strip(" \t").lower() or None, None
    bracketed, port_after, plain, port_plain = found.groups()
    host = bracketed if bracketed is not None else plain
    digits = port_after if bracketed is not None else port_plain
    return host.lower() or None, number(digits, 65_535)


def number(text: str | None, most: int) -> int | None:
    """Read a decimal number; None if it is none or above `most`."""
    if text is None or not (0 < len(text) <= 10 and text.isascii() and text.isdigit()):
        return None
    value = int(text)
    return value if value <= most else None
