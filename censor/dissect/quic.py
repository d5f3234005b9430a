"""Read QUIC's long headers, which need no key, of every version."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from struct import unpack
from typing import Final

from censor.dissect.outcome import Foreign
from censor.dissect.quic_key import TAG, V1, V2
from censor.dissect.varint import read_varint

#: Packets of one datagram that are looked at. A first flight holds three kinds at most.
PACKET_LIMIT: Final = 8

#: Connection ids are at most this long in versions 1 and 2, in bytes (RFC 9000 section 17.2).
ID_LIMIT: Final = 20

#: Supported versions of a Version Negotiation packet that are kept.
VERSION_LIMIT: Final = 64


class Kind(Enum):
    """What a long header announces. OTHER: of a version whose types are not known."""

    INITIAL = "initial"
    ZERO_RTT = "0-rtt"
    HANDSHAKE = "handshake"
    RETRY = "retry"
    NEGOTIATION = "version-negotiation"
    OTHER = "other"


#: By version, what bits 4 and 5 of the first byte mean.
#: Source: RFC 9000 section 17.2, RFC 9369 section 3.2.
_KINDS: Final = {
    V1: (Kind.INITIAL, Kind.ZERO_RTT, Kind.HANDSHAKE, Kind.RETRY),
    V2: (Kind.RETRY, Kind.INITIAL, Kind.ZERO_RTT, Kind.HANDSHAKE),
}


@dataclass(frozen=True, slots=True)
class NotQuic(Foreign):
    """Nothing here that shows a QUIC client's ClientHello, or no QUIC at all."""


@dataclass(frozen=True, slots=True)
class Header:
    """One packet's long header. Offsets are from the datagram's first byte.

    fixed: the bit that is 1 unless "greased" (RFC 9287). dcid, scid: connection ids. token: an
    Initial's or a Retry's, else empty. versions: those a Version Negotiation offers.
    start: where the header begins. number: where the (hidden) packet number begins, or what else
    follows the header. end: where the packet ends; beyond the datagram if it was cut.
    """

    kind: Kind
    version: int
    dcid: bytes
    scid: bytes
    token: bytes
    versions: tuple[int, ...]
    fixed: bool
    start: int
    number: int
    end: int


def read_header(datagram: bytes, start: int = 0) -> Header | NotQuic:
    """Read the long header at `start`.

    Limits: short headers say nothing that is always true and are not read. Any datagram of an
        unknown version passes whose first bit is set and whose connection ids fit.
    Source: RFC 8999 section 5.1, RFC 9000 section 17.2, RFC 9369 section 3.2.
    """
    size = len(datagram)
    if size < start + 7:
        return NotQuic(f"{max(size - start, 0)} bytes, a long header has at least 7")
    first = datagram[start]
    if not first & 0x80:
        return NotQuic("a short header")
    version = int.from_bytes(datagram[start + 1 : start + 5], "big")
    middle = start + 6 + datagram[start + 5]
    if middle >= size:
        return NotQuic("the destination connection id runs past the datagram")
    place = middle + 1 + datagram[middle]
    if place > size:
        return NotQuic("the source connection id runs past the datagram")
    dcid = datagram[start + 6 : middle]
    scid = datagram[middle + 1 : place]
    kinds = _KINDS.get(version)
    kind = kinds[first >> 4 & 3] if kinds else Kind.OTHER if version else Kind.NEGOTIATION
    if kinds and (len(dcid) > ID_LIMIT or len(scid) > ID_LIMIT):
        longest = max(len(dcid), len(scid))
        return NotQuic(f"connection id of {longest} bytes, expected at most {ID_LIMIT}")
    token = b""
    versions: tuple[int, ...] = ()
    end = size
    if kind is Kind.NEGOTIATION:
        count = min((size - place) >> 2, VERSION_LIMIT)
        if not count:
            return NotQuic("a Version Negotiation packet that offers no version")
        versions = unpack(f"!{count}I", datagram[place : place + count * 4])
    elif kind is Kind.RETRY:
        if place + TAG > size:
            return NotQuic(f"{size - place} bytes of a Retry, its tag has {TAG}")
        token = datagram[place : size - TAG]
    elif kind is not Kind.OTHER:
        if kind is Kind.INITIAL:
            found = read_varint(datagram, place)
            if found is None or sum(found) > size:
                return NotQuic("the token runs past the datagram")
            token = datagram[found[1] : sum(found)]
            place = sum(found)
        found = read_varint(datagram, place)
        if found is None:
            return NotQuic("the length runs past the datagram")
        place = found[1]
        end = sum(found)
    fixed = first & 0x40 != 0
    return Header(kind, version, dcid, scid, token, versions, fixed, start, place, end)


def dissect(datagram: bytes) -> tuple[Header, ...] | NotQuic:
    """Read the long headers of all packets in a datagram; NotQuic if it begins with none."""
    first = read_header(datagram)
    if isinstance(first, NotQuic):
        return first
    return tuple(follow(datagram, first))


def follow(datagram: bytes, first: Header) -> Iterator[Header]:
    """Yield a header and those of the packets coalesced behind it.

    Limits: at most `PACKET_LIMIT`; packets to another connection are passed over, as RFC 9000
        section 12.2 wants; behind a packet that cannot be measured nothing is found.
    """
    header: Header | NotQuic = first
    for _ in range(PACKET_LIMIT):
        if isinstance(header, NotQuic):
            return
        if header.dcid == first.dcid:
            yield header
        if header.end >= len(datagram):
            return
        header = read_header(datagram, header.end)
