"""Read where a session description (SDP) wants media to be sent."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Final

#: Media of one description that are read; calls have one or two.
MEDIA_LIMIT: Final = 16

_LINE: Final = re.compile(rb"^([cm])=([^\r\n]*)", re.MULTILINE)
_CONNECTION: Final = re.compile(rb"IN IP[46] ([0-9A-Fa-f.:]{2,45})(?:/|\Z)")
_MEDIA: Final = re.compile(rb"(?:audio|video|image|text) ([0-9]{1,5})(?:/[0-9]+)? ")

#: An address, raw, and a port.
Endpoint = tuple[bytes, int]


def dissect(body: bytes) -> tuple[Endpoint, ...]:
    """Return the ends that media is announced for, in order; none if it is no description.

    Limits: names instead of addresses, a=rtcp and ICE candidates are not read; neither is what
        port 0 refuses, or the second and later ports of one line.
    Source: RFC 8866 sections 5.7 (c=, for all media or for one) and 5.14 (m=).
    """
    if not body.startswith(b"v=0"):
        return ()
    common: bytes | None = None
    media: list[tuple[int, bytes | None]] = []
    for found in _LINE.finditer(body):
        if found[1] == b"m":
            port = _MEDIA.match(found[2])
            if len(media) >= MEDIA_LIMIT:
                break
            media.append((int(port[1]) if port else 0, None))
        elif media:
            media[-1] = (media[-1][0], _address(found[2]))
        else:
            common = _address(found[2])
    return tuple(
        (address, port)
        for port, own in media
        if 0 < port <= 0xFFFF and (address := own or common) is not None
    )


def _address(connection: bytes) -> bytes | None:
    found = _CONNECTION.match(connection)
    try:
        return ip_address(found[1].decode()).packed if found else None
    except ValueError:
        return None
