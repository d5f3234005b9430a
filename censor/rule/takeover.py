"""Say how a connection is taken over in its server's place, as frozen data.

Whoever does it needs what the two ends agreed on in their handshake, and where their streams are.
Source: RFC 9293 section 3.1; RFC 7323 sections 2.2 and 3.2; RFC 2018 section 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from censor.wire.packet import Packet

_END, _NOP, _MSS, _SCALE, _SACK, _TIMESTAMPS = 0, 1, 2, 3, 4, 8

#: What a host assumes of a peer that does not say, in bytes. Source: RFC 9293 section 3.7.1.
_LEAST: Final = {4: 536, 6: 1220}
_FIXED: Final = 20


@dataclass(frozen=True, slots=True)
class Greeting:
    """The options of one end's SYN; None for a scale or a size that it does not state."""

    size: int | None = None
    scale: int | None = None
    sack: bool = False
    timestamps: bool = False


@dataclass(frozen=True, slots=True)
class Forgery:
    """How the leaf looks that the client is shown: the issuer's name, and who signs it: an
    authority of the censor's, or (`own`) the leaf's own key."""

    issuer: str
    own: bool = False


@dataclass(frozen=True, slots=True)
class Takeover:
    """A connection at the moment at which somebody else goes on with it.

    received: all the client has said, the first byte of which has the number `first`.
    next: the number that the client expects of its server's next byte. size: the most it takes in
        a segment. scales: by how many bits the client's and the server's windows are shifted; None
        if they are not. echoed: the server's latest timestamp that the client has seen; None
        without timestamps.
    name, protocols: the server name and the ALPN offered.
    """

    client: bytes
    client_port: int
    server: bytes
    server_port: int
    received: bytes
    first: int
    next: int
    size: int
    scales: tuple[int, int] | None
    sack: bool
    echoed: int | None
    name: str | None
    protocols: tuple[str, ...]
    forgery: Forgery


def greeting(packet: Packet) -> Greeting:
    """Read the options of a SYN; what is broken counts as not said."""
    said = options(packet)
    size, scale = said.get(_MSS, b""), said.get(_SCALE, b"")
    return Greeting(
        size=int.from_bytes(size, "big") if len(size) == 2 else None,
        scale=min(scale[0], 14) if len(scale) == 1 else None,
        sack=_SACK in said,
        timestamps=len(said.get(_TIMESTAMPS, b"")) == 8,
    )


def options(packet: Packet) -> Mapping[int, bytes]:
    """Return a segment's TCP options by their kind; of doubled ones the last."""
    block = packet.data[packet.header_length + _FIXED : packet.data_offset]
    found: dict[int, bytes] = {}
    place = 0
    while place < len(block) and block[place] != _END:
        if block[place] == _NOP:
            place += 1
            continue
        length = block[place + 1] if place + 1 < len(block) else 0
        if length < 2 or place + length > len(block):
            break
        found[block[place]] = block[place + 2 : place + length]
        place += length
    return found


def take_over(
    packet: Packet,
    greetings: Mapping[bool, Greeting],
    said: tuple[int, bytes],
    hello: Any,
    forgery: Forgery,
) -> Takeover | str:
    """Describe the connection of the client's segment `packet`; a text says why that cannot be.

    greetings: by whether they are the client's. said: what the client has said, by number.
    hello: its ClientHello.
    """
    if not hello.complete:
        return "the ClientHello is not whole in one segment, and the box joins none"
    if True not in greetings or False not in greetings:
        return "the handshake was not seen in both directions"
    mine, theirs = greetings[True], greetings[False]
    scaled = mine.scale is not None and theirs.scale is not None
    stamps = options(packet).get(_TIMESTAMPS, b"")
    timed = mine.timestamps and theirs.timestamps and len(stamps) == 8
    return Takeover(
        client=packet.src,
        client_port=packet.sport,
        server=packet.dst,
        server_port=packet.dport,
        received=said[1],
        first=said[0],
        next=packet.ack,
        size=mine.size or _LEAST[packet.version],
        scales=(mine.scale or 0, theirs.scale or 0) if scaled else None,
        sack=mine.sack and theirs.sack,
        echoed=int.from_bytes(stamps[4:], "big") if timed else None,
        name=hello.server_name,
        protocols=hello.alpn,
        forgery=forgery,
    )
