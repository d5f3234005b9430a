"""Read the line an SSH client begins with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from censor.dissect.outcome import Foreign, Incomplete

#: The longest identification line, its end included. Source: RFC 4253 section 4.2.
LIMIT: Final = 255

_BEGIN: Final = b"SSH-"
_LINE: Final = re.compile(r"SSH-([0-9.]{1,16})-([!-~]*)(?: (.*))?\Z")


@dataclass(frozen=True, slots=True)
class NotSsh(Foreign):
    """Not a stream that begins as an SSH client's."""


@dataclass(frozen=True, slots=True)
class Identification:
    """Who speaks: "SSH-2.0-OpenSSH_9.2p1 Debian-2" is version, software and comments."""

    version: str
    software: str
    comments: str
    length: int


def dissect(stream: bytes, *, partial: bool = False) -> Identification | Incomplete | NotSsh:
    """Read what a client sends first. `partial`: a line that has not ended counts.

    Limits: a server may send other lines before its own; a client may not, and here none may.
    Source: RFC 4253 section 4.2; lines end in CRLF, and in LF alone where clients are old.
    """
    if not stream.startswith(_BEGIN[: len(stream)]):
        return NotSsh(f"begins with {stream[:4].hex()}")
    stop = stream.find(b"\n", 0, LIMIT)
    if stop < 0 and len(stream) >= LIMIT:
        return NotSsh(f"no end of the line within {LIMIT} bytes")
    if stop < 0 and not (partial and len(stream) > len(_BEGIN)):
        return Incomplete()
    line = stream if stop < 0 else stream[:stop]
    found = _LINE.match(line.decode("latin-1").rstrip("\r"))
    if found is None:
        return NotSsh("no version and software behind SSH-")
    length = len(stream) if stop < 0 else stop + 1
    return Identification(found[1], found[2], found[3] or "", length)
