"""Find in a session description where its audio goes, or change it.

Wire:    RFC 4566, the `c=` line (the session's or the audio's own) and the `m=audio` line.
Limits:  literal addresses, one audio stream.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from filterbed.probe import account
from filterbed.probe.address import literal

_MEDIA: Final = re.compile(r"^m=audio ([0-9]{1,5}) RTP/AVP([0-9 ]*)", re.MULTILINE)
_AT: Final = re.compile(r"^c=IN IP[46] (\S+)", re.MULTILINE)
_MUX: Final = re.compile(r"^a=rtcp-mux\s*$", re.MULTILINE)

_PORT: Final = re.compile(rb"(?m)^(m=audio )[0-9]{1,5} ")
_LENGTH: Final = re.compile(rb"(?im)^(content-length[ \t]*:[ \t]*)[0-9]+")


@dataclass(frozen=True, slots=True)
class Offer:
    """Where to send audio, and in which payload types.

    `mux` says that RTCP may go to the same port (RFC 5761).
    """

    address: str
    port: int
    mux: bool
    kinds: tuple[int, ...] = ()


def read(body: str) -> Offer | None:
    """Read a description; None if it names no address and port for audio."""
    at, media = _AT.search(body), _MEDIA.search(body)
    if at is None or media is None or literal(at[1]) is None:
        return None
    port = int(media[1])
    if not 0 < port < 65536:
        return None
    kinds = tuple(int(word) for word in media[2].split() if len(word) <= 3)
    return Offer(at[1], port, bool(_MUX.search(body)), kinds)


def fill(data: bytes, *, port: int | None = None, header: str | None = None) -> bytes:
    """Put the audio's port and our account into a message of sipp's."""
    head, blank, body = data.partition(b"\r\n\r\n")
    if port is not None:
        body = _PORT.sub(rb"\g<1>%d " % port, body)
    head = _LENGTH.sub(rb"\g<1>%d" % len(body), head)
    if header is not None:
        head += f"\r\n{account.HEADER}: {header}".encode()
    return head + blank + body
