"""Read the headers of an IP packet, once, fast, and without ever raising.

`parse` looks at the IP header, IPv6 extension headers and the TCP, UDP or ICMP header. What it
leaves alone: checksums (`Packet.intact` judges them, for policies that care), IP and TCP options,
and the order of fragments (nothing here reassembles them).
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Final

from censor.wire.key import Key, join
from censor.wire.number import (
    ICMP_HEADER,
    IPV4_HEADER,
    IPV6_HEADER,
    TCP_HEADER,
    UDP_HEADER,
    Extension,
    Protocol,
    checksum,
    transport_checksum,
)

#: IPv6 extension headers walked before giving up. RFC 8504 section 5.3 lets a host stop at 8.
EXTENSION_LIMIT: Final = 8

_ipv4 = Struct("!BxHHHBBxx4s4s").unpack_from
_ipv6 = Struct("!4xHBB16s16s").unpack_from
_tcp = Struct("!HHIIBBH").unpack_from
_udp = Struct("!HHH").unpack_from
_ports = Struct("!HH").unpack_from
_fragment = Struct("!2xHI").unpack_from

_TCP: Final = int(Protocol.TCP)
_UDP: Final = int(Protocol.UDP)
_ICMP: Final = frozenset((int(Protocol.ICMP), int(Protocol.ICMP6)))
_EXTENSIONS: Final = frozenset(int(number) for number in Extension)


@dataclass(frozen=True, slots=True)
class Malformed:
    """Bytes that are no packet a host would accept: why, and at which byte it shows."""

    reason: str
    offset: int


class Packet:
    """One IP packet and where its parts lie. Offsets and lengths are bytes from the IP header.

    version: 4 or 6. src, dst: 4 or 16 raw bytes. protocol: what follows the last extension header.
    ttl: the hop limit in IPv6. ip_id: the identification; in IPv6 of the fragment header, else 0.
    df: IPv4's "don't fragment"; False in IPv6, which has no such bit.
    total_length: what the IP header says, itself included. header_length: where the transport
        header begins. data_offset: where the payload begins. end: where it ends (link padding and
        what lies behind UDP's own length are no payload).
    sport, dport: 0 where there are none. flags, seq, ack, window: TCP's, else 0.
    fragment: the transport header is not here: a fragment but the first, or a first fragment too
        small to hold it. fragment_offset, more_fragments: as in the IP header, in bytes.
    truncated: fewer bytes were captured than the packet had; header fields not captured are 0.
    joined: put together from fragments (`censor.follow.fragment`), so it never was on the wire.
    """

    __slots__ = (
        "ack",
        "data",
        "data_offset",
        "df",
        "dport",
        "dst",
        "end",
        "flags",
        "fragment",
        "fragment_offset",
        "header_length",
        "ip_id",
        "joined",
        "more_fragments",
        "protocol",
        "seq",
        "sport",
        "src",
        "total_length",
        "truncated",
        "ttl",
        "version",
        "window",
    )

    version: int
    src: bytes
    dst: bytes
    protocol: int
    ttl: int
    ip_id: int
    df: bool
    header_length: int
    total_length: int
    sport: int
    dport: int
    flags: int
    seq: int
    ack: int
    window: int
    data_offset: int
    end: int
    fragment: bool
    fragment_offset: int
    more_fragments: bool
    data: bytes
    truncated: bool
    joined: bool

    @property
    def payload(self) -> bytes:
        """Return a copy of the transport's payload."""
        return self.data[self.data_offset : self.end]

    @property
    def payload_length(self) -> int:
        """Return how many bytes of payload there are, without copying them."""
        return self.end - self.data_offset

    @property
    def segment(self) -> bytes:
        """Return a copy of the transport's header and payload."""
        return self.data[self.header_length : self.end]

    @property
    def key(self) -> Key:
        """Return the flow's key, the same for both directions.

        Limits: all ICMP between two hosts is one flow, and so are all fragments but the first.
        """
        return join(self.src, self.sport, self.dst, self.dport, self.protocol)

    @property
    def icmp_type(self) -> int:
        """Return the type of an ICMP or ICMPv6 message; -1 if this is none."""
        return self._icmp(0)

    @property
    def icmp_code(self) -> int:
        """Return the code of an ICMP or ICMPv6 message; -1 if this is none."""
        return self._icmp(1)

    def _icmp(self, place: int) -> int:
        if self.protocol not in _ICMP or self.fragment or self.header_length + place >= self.end:
            return -1
        return self.data[self.header_length + place]

    def intact(self) -> bool | None:
        """Say whether the checksums are right; None where the bytes to tell are not all here.

        Limits: None also for a packet still on its way through an IPv6 routing header, whose
            checksum is over another destination (RFC 8200 section 8.1).
        """
        if self.version == 4:
            header = (self.data[0] & 15) * 4
            if checksum(self.data[:header]):
                return False
        if self.truncated or self.fragment or self.more_fragments or _routed(self):
            return None
        segment = self.segment
        if self.protocol == Protocol.ICMP:
            return not checksum(segment)
        if self.protocol == _UDP and segment[6:8] == b"\0\0":
            return self.version == 4  # RFC 768 lets a sender leave it out, RFC 8200 does not
        if self.protocol in (_TCP, _UDP, Protocol.ICMP6):
            return not transport_checksum(self.src, self.dst, self.protocol, segment)
        return True

    def __repr__(self) -> str:
        ends = f"{self.src.hex()}:{self.sport} > {self.dst.hex()}:{self.dport}"
        return f"<Packet {ends} protocol {self.protocol}, {self.total_length} bytes>"


def parse(data: bytes) -> Packet | Malformed:
    """Read a packet that begins with its IP header.

    Returns: a Packet, or Malformed where an end host would throw the bytes away unread: impossible
        lengths, headers that do not fit, too many extension headers.
    Limits: a jumbogram (RFC 2675) and an IPv4 total length of 0 are malformed.
    Source: RFC 791 section 3.1, RFC 8200 section 3, RFC 9293 section 3.1, RFC 768, RFC 792.
    """
    if not data:
        return Malformed("empty packet", 0)
    version = data[0] >> 4
    if version == 4:
        return _parse_ipv4(data)
    if version == 6:
        return _parse_ipv6(data)
    return Malformed(f"IP version {version}, expected 4 or 6", 0)


def _parse_ipv4(data: bytes) -> Packet | Malformed:
    captured = len(data)
    if captured < IPV4_HEADER:
        return Malformed(f"{captured} bytes, an IPv4 header has 20", captured)
    packet = Packet()
    packet.data = data
    packet.version = 4
    (
        first,
        total,
        packet.ip_id,
        fragment,
        packet.ttl,
        packet.protocol,
        packet.src,
        packet.dst,
    ) = _ipv4(data)
    header = (first & 15) << 2
    if not IPV4_HEADER <= header <= total:
        return Malformed(f"header of {header} bytes in a packet of {total}", 0)
    if header > captured:
        return Malformed(f"header of {header} bytes, {captured} captured", captured)
    packet.header_length = header
    packet.total_length = total
    packet.df = fragment & 0x4000 != 0
    packet.joined = False
    packet.more_fragments = fragment & 0x2000 != 0
    packet.fragment_offset = (fragment & 0x1FFF) << 3
    packet.truncated = truncated = captured < total
    packet.end = captured if truncated else total
    return _parse_transport(packet)


def _parse_ipv6(data: bytes) -> Packet | Malformed:
    captured = len(data)
    if captured < IPV6_HEADER:
        return Malformed(f"{captured} bytes, an IPv6 header has 40", captured)
    packet = Packet()
    packet.data = data
    packet.version = 6
    length, packet.protocol, packet.ttl, packet.src, packet.dst = _ipv6(data)
    packet.total_length = total = IPV6_HEADER + length
    packet.ip_id = packet.fragment_offset = 0
    packet.df = packet.more_fragments = packet.joined = False
    packet.truncated = truncated = captured < total
    packet.end = captured if truncated else total
    packet.header_length = IPV6_HEADER
    if packet.protocol in _EXTENSIONS:
        fault = _walk_extensions(packet)
        if fault is not None:
            return fault
    return _parse_transport(packet)


def _walk_extensions(packet: Packet) -> Malformed | None:
    """Move `header_length` and `protocol` behind the extension headers, or to a later fragment."""
    data = packet.data
    place = IPV6_HEADER
    kind = packet.protocol
    for _ in range(EXTENSION_LIMIT):
        if place + 8 > packet.end:
            return Malformed(f"extension header {kind} does not fit", place)
        following = data[place]
        length = _extension_length(kind, data[place + 1])
        if kind == Extension.FRAGMENT:
            offset, packet.ip_id = _fragment(data, place)
            packet.fragment_offset = offset & 0xFFF8
            packet.more_fragments = offset & 1 != 0
        if place + length > packet.end:
            return Malformed(f"extension header {kind} of {length} bytes does not fit", place)
        place += length
        kind = following
        if kind not in _EXTENSIONS or packet.fragment_offset:
            packet.protocol = kind
            packet.header_length = place
            return None
    return Malformed(f"more than {EXTENSION_LIMIT} extension headers", place)


def _extension_length(kind: int, field: int) -> int:
    """Return an extension header's length from its length field."""
    if kind == Extension.FRAGMENT:
        return 8  # its field is reserved
    if kind == Extension.AUTHENTICATION:
        return (field + 2) << 2
    return (field + 1) << 3


def _routed(packet: Packet) -> bool:
    """Say whether a routing header with segments left stands before the transport."""
    data = packet.data
    kind = data[6] if packet.version == 6 else packet.protocol
    place = IPV6_HEADER
    while place < packet.header_length and kind in _EXTENSIONS:
        if kind == Extension.ROUTING and data[place + 3]:
            return True
        place, kind = place + _extension_length(kind, data[place + 1]), data[place]
    return False


def _parse_transport(packet: Packet) -> Packet | Malformed:
    start = packet.header_length
    end = packet.end
    protocol = packet.protocol
    if packet.fragment_offset:
        return _blank(packet, True)
    packet.fragment = False
    if protocol == _TCP:
        if start + TCP_HEADER > end:
            return _cut(packet, TCP_HEADER)
        (
            packet.sport,
            packet.dport,
            packet.seq,
            packet.ack,
            offset,
            packet.flags,
            packet.window,
        ) = _tcp(packet.data, start)
        length = offset >> 4 << 2
        if length < TCP_HEADER:
            return Malformed(f"TCP header of {length} bytes, it has at least 20", start + 12)
        packet.data_offset = start + length
        if start + length > end:
            return _overrun(packet, length)
        return packet
    packet.seq = packet.ack = packet.flags = packet.window = 0
    if protocol == _UDP:
        if start + UDP_HEADER > end:
            return _cut(packet, UDP_HEADER)
        packet.sport, packet.dport, length = _udp(packet.data, start)
        packet.data_offset = start + UDP_HEADER
        if start + length != end:
            return _bound(packet, length)
        return packet
    if protocol in _ICMP and start + ICMP_HEADER > end:
        return _cut(packet, ICMP_HEADER)
    packet.sport = packet.dport = 0
    packet.data_offset = start + ICMP_HEADER if protocol in _ICMP else start
    return packet


def _blank(packet: Packet, fragment: bool) -> Packet:
    """Fill in a packet whose transport header is not here."""
    packet.fragment = fragment
    packet.sport = packet.dport = 0
    packet.seq = packet.ack = packet.flags = packet.window = 0
    packet.data_offset = packet.header_length if fragment else packet.end
    return packet


def _cut(packet: Packet, needed: int) -> Packet | Malformed:
    """Judge a transport header that is not all here: not captured, in a later fragment, or wrong.

    What a capture cut off is read as far as it goes: ICMP errors quote 8 bytes of TCP.
    """
    start = packet.header_length
    if packet.more_fragments:
        return _blank(packet, True)
    if start + needed > packet.total_length:
        left = packet.total_length - start
        return Malformed(f"transport header of {needed} bytes, {left} left for it", start)
    _blank(packet, False)
    if packet.protocol not in _ICMP:
        if start + 4 <= packet.end:
            packet.sport, packet.dport = _ports(packet.data, start)
        if packet.protocol == _TCP and start + 8 <= packet.end:
            packet.seq = int.from_bytes(packet.data[start + 4 : start + 8], "big")
    return packet


def _overrun(packet: Packet, length: int) -> Packet | Malformed:
    """Judge TCP options that run past the end of what is here."""
    start = packet.header_length
    if packet.more_fragments or start + length <= packet.total_length:
        packet.data_offset = packet.end
        return packet
    return Malformed(f"TCP header of {length} bytes runs past the packet", start + 12)


def _bound(packet: Packet, length: int) -> Packet | Malformed:
    """Apply UDP's own length where it differs from IP's."""
    start = packet.header_length
    if length < UDP_HEADER:
        return Malformed(f"UDP length {length}, it is at least 8", start + 4)
    if start + length < packet.end:
        packet.end = start + length
    elif start + length > packet.total_length and not packet.more_fragments:
        left = packet.total_length - start
        return Malformed(f"UDP length {length}, {left} left for it", start + 4)
    return packet
