"""Make packets that somebody else seems to have sent: whole, with right checksums.

Nothing here decides: TTLs, identifications and sequence numbers are arguments.
Source: RFC 791, RFC 8200, RFC 9293, RFC 768, RFC 1035.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from struct import pack
from typing import Final

from censor.wire.number import Protocol, TcpFlag, checksum, transport_checksum

#: Payload of one forged segment, in bytes: fits any link of 1,280 bytes (RFC 8200 section 5).
SEGMENT: Final = 1200

_TCP: Final = int(Protocol.TCP)
_UDP: Final = int(Protocol.UDP)
_ICMP: Final = int(Protocol.ICMP)
_ICMP6: Final = int(Protocol.ICMP6)
_SPACE: Final = 1 << 32
_DF: Final = 0x4000


@dataclass(frozen=True, slots=True)
class Ip:
    """An IP header to put before a segment: raw addresses (both of one family), TTL or hop
    limit, and, in IPv4, identification and the don't-fragment bit."""

    src: bytes
    dst: bytes
    ttl: int = 64
    ip_id: int = 0
    df: bool = True

    def wrap(self, protocol: int, segment: bytes) -> bytes:
        """Return the packet: header and segment."""
        if len(self.src) == 16:
            return (
                pack("!IHBB", 6 << 28, len(segment), protocol, self.ttl)
                + self.src
                + self.dst
                + segment
            )
        flags = _DF if self.df else 0
        start = pack("!BBHHHBB", 0x45, 0, 20 + len(segment), self.ip_id, flags, self.ttl, protocol)
        ends = self.src + self.dst
        return start + checksum(start + ends).to_bytes(2, "big") + ends + segment


@dataclass(frozen=True, slots=True)
class Tcp:
    """A TCP header without options; `seq` and `ack` are taken modulo 2^32.

    `flags` has nine bits: the highest is the nonce sum of RFC 3540.
    """

    sport: int
    dport: int
    seq: int
    ack: int
    flags: int
    window: int = 0


def tcp(ip: Ip, header: Tcp, payload: bytes = b"") -> bytes:
    """Return a TCP segment as a whole packet; without the ACK bit `ack` is sent as it is."""
    segment = (
        pack(
            "!HHIIBBHHH",
            header.sport,
            header.dport,
            header.seq % _SPACE,
            header.ack % _SPACE,
            5 << 4 | header.flags >> 8,
            header.flags & 0xFF,
            header.window,
            0,
            0,
        )
        + payload
    )
    return ip.wrap(_TCP, _with_checksum(ip, _TCP, segment, 16))


def udp(ip: Ip, sport: int, dport: int, payload: bytes) -> bytes:
    """Return a UDP datagram as a whole packet."""
    segment = pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload
    return ip.wrap(_UDP, _with_checksum(ip, _UDP, segment, 6))


def unreachable(ip: Ip, code: int, packet: bytes) -> bytes:
    """Return an ICMP "destination unreachable" about a packet, quoting as much as may be.

    Source: RFC 792, RFC 1812 section 4.3.2.3 (576 bytes), RFC 4443 sections 3.1 and 2.4 (1,280).
    """
    if len(ip.src) == 16:
        message = pack("!BBHI", 1, code, 0, 0) + packet[: 1280 - 48]
        value = transport_checksum(ip.src, ip.dst, _ICMP6, message)
        return ip.wrap(_ICMP6, message[:2] + value.to_bytes(2, "big") + message[4:])
    message = pack("!BBHI", 3, code, 0, 0) + packet[: 576 - 28]
    return ip.wrap(_ICMP, message[:2] + checksum(message).to_bytes(2, "big") + message[4:])


def _with_checksum(ip: Ip, protocol: int, segment: bytes, place: int) -> bytes:
    value = transport_checksum(ip.src, ip.dst, protocol, segment)
    if protocol == _UDP and value == 0:
        value = 0xFFFF  # RFC 768: zero would say that there is none
    return segment[:place] + value.to_bytes(2, "big") + segment[place + 2 :]


def pages(stream: bytes, header: Tcp, *, fin: bool) -> Iterator[tuple[Tcp, bytes]]:
    """Cut bytes into segments that continue `header.seq`; the last one pushes, and may end.

    Yields: (header, payload), at most `SEGMENT` bytes each.
    """
    for start in range(0, len(stream), SEGMENT):
        piece = stream[start : start + SEGMENT]
        flags = int(TcpFlag.ACK)
        if start + SEGMENT >= len(stream):
            flags |= int(TcpFlag.PSH) | (int(TcpFlag.FIN) if fin else 0)
        yield (
            Tcp(header.sport, header.dport, header.seq + start, header.ack, flags, header.window),
            piece,
        )


@dataclass(frozen=True, slots=True)
class DnsReply:
    """How a DNS answer looks. `records` are raw addresses of 4 or 16 bytes: A and AAAA; `cname`
    is the name, in wire format, that stands before them and has them."""

    rcode: int = 0
    records: Sequence[bytes] = ()
    ttl: int = 300
    authoritative: bool = False
    recursion: bool = True
    cname: bytes | None = None


def dns_answer(query: bytes, question_end: int, reply: DnsReply) -> bytes:
    """Return a DNS message that answers `query`, whose questions end at `question_end`.

    The query's id, opcode, RD bit and its questions are echoed byte for byte, mixed case included
    (draft-vixie-dnsext-dns0x20); EDNS is not answered.
    """
    asked = int.from_bytes(query[2:4], "big")
    flags = 0x8000 | (asked & 0x7900) | reply.rcode
    flags |= 0x0400 if reply.authoritative else 0
    flags |= 0x0080 if reply.recursion else 0
    alias, owner = b"", 0xC00C
    if reply.cname is not None:
        alias = pack("!HHHIH", owner, 5, 1, reply.ttl, len(reply.cname)) + reply.cname
        owner = 0xC000 | (question_end + 12)
    count = len(reply.records) + bool(alias)
    head = query[:2] + pack("!H", flags) + query[4:6] + pack("!HHH", count, 0, 0)
    answers = alias + b"".join(
        pack("!HHHIH", owner, 1 if len(raw) == 4 else 28, 1, reply.ttl, len(raw)) + raw
        for raw in reply.records
    )
    return head + query[12:question_end] + answers
