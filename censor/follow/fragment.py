"""Put the fragments of IP packets together, within bounds, or look away from them, as told.

Wire:   RFC 791 section 3.2, RFC 8200 section 4.5; offsets in bytes.
Limits: fragments that were not captured whole are not put together, and a first one whose own
    transport header is impossible is malformed, whatever overlaps it. A datagram that was refused
    is remembered until its time is over: no repeated fragment completes it behind the box.
Source: which copy of a byte counts differs by host and censor: Ptacek and Newsham, 1998.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, Literal

from censor.follow.stream import Overlap, Stream
from censor.wire.number import IPV6_HEADER, Extension, checksum
from censor.wire.packet import Malformed, Packet, parse

_EXTENSIONS: Final = frozenset(int(number) for number in Extension)
_ALL: Final = 1 << 16

Mode = Literal["as-they-come", "first", "ignore", "reassemble", "drop"]
#: A datagram: addresses, protocol (0 in IPv6, where fragments of one may say different ones), id.
Key = tuple[bytes, bytes, int, int]


@dataclass(frozen=True, slots=True)
class Ip:
    """How the box reads IP: its fragments, and whether it walks IPv6 extension headers.

    most: fragments of one datagram, beyond which it is given up. wait: seconds until it is
    forgotten. limit: datagrams put together at once.
    """

    fragments: Mode = "as-they-come"
    overlap: Overlap = "first"
    most: int = 64
    wait: float = 30.0
    walks: bool = True
    limit: int = 256

    @property
    def explicit(self) -> bool:
        """Whether fragments must reach the box as they are on the wire."""
        return self.fragments != "as-they-come"


class Datagram:
    """Fragments of one packet. refused: the rule that wants no more of it to pass."""

    __slots__ = ("begun", "count", "head", "refused", "stream")

    def __init__(self, begun: float, overlap: Overlap) -> None:
        self.begun = begun
        self.count = 0
        self.head: bytes | None = None
        self.stream = Stream(_ALL, overlap, base=0)
        self.refused: str | None = None


class Fragments:
    """Datagrams of which not everything has come. `feed` every fragment.

    evicted: how many the caller has not yet been told of that had to go: too many at once, or too
    many fragments of one.
    """

    __slots__ = ("_datagrams", "_ip", "evicted")

    def __init__(self, ip: Ip) -> None:
        self._ip = ip
        self._datagrams: OrderedDict[Key, Datagram] = OrderedDict()
        self.evicted: list[tuple[str, int]] = []

    def __len__(self) -> int:
        return len(self._datagrams)

    def refusal(self, packet: Packet, now: float) -> str | None:
        """Return the rule that refused the datagram of this fragment, if any did."""
        self._expire(now)
        datagram = self._datagrams.get(_key(packet))
        return None if datagram is None else datagram.refused

    def refuse(self, packet: Packet, rule: str, now: float) -> None:
        """Let no further fragment of this one's datagram pass."""
        datagram = Datagram(now, self._ip.overlap)
        datagram.refused = rule
        self._add(_key(packet), datagram)

    def feed(self, packet: Packet, now: float) -> Packet | None:
        """Take a fragment; return the whole packet if that was the last one missing."""
        if packet.truncated:
            return None
        self._expire(now)
        key = _key(packet)
        datagram = self._datagrams.get(key)
        if datagram is None:
            datagram = Datagram(now, self._ip.overlap)
            self._add(key, datagram)
        datagram.count += 1
        if datagram.count > self._ip.most:
            del self._datagrams[key]
            self.evicted.append(("fragments of a datagram", self._ip.most))
            return None
        head, place = _split(packet)
        payload = packet.data[place : packet.total_length]
        if packet.more_fragments:
            payload = payload[: len(payload) & ~7]  # RFC 791: but for the last, eight at a time
        if packet.fragment_offset == 0 and datagram.head is None:
            datagram.head = head
        datagram.stream.feed(packet.fragment_offset, payload, fin=not packet.more_fragments)
        if datagram.head is None or not datagram.stream.finished:
            return None
        del self._datagrams[key]
        return _join(datagram.head, bytes(datagram.stream.data[: datagram.stream.length]))

    def _add(self, key: Key, datagram: Datagram) -> None:
        self._datagrams.pop(key, None)
        if len(self._datagrams) >= self._ip.limit:
            self._datagrams.popitem(last=False)
            self.evicted.append(("datagram", self._ip.limit))
        self._datagrams[key] = datagram

    def _expire(self, now: float) -> None:
        datagrams = self._datagrams
        while datagrams:
            key, oldest = next(iter(datagrams.items()))
            if now - oldest.begun <= self._ip.wait:
                return
            del datagrams[key]


def extended(packet: Packet) -> int | None:
    """Return the IPv6 extension header a packet begins with; None if it has none."""
    kind = packet.data[6] if packet.version == 6 else -1
    return kind if kind in _EXTENSIONS else None


def veil(packet: Packet, protocol: int | None = None) -> Packet:
    """Take everything behind IP's own header away from a packet's reader."""
    if protocol is not None:
        packet.protocol = protocol
        packet.header_length = IPV6_HEADER
    packet.fragment = True
    packet.sport = packet.dport = 0
    packet.seq = packet.ack = packet.flags = packet.window = 0
    packet.data_offset = packet.end
    return packet


def _key(packet: Packet) -> Key:
    return packet.src, packet.dst, packet.protocol if packet.version == 4 else 0, packet.ip_id


def _split(packet: Packet) -> tuple[bytes, int]:
    """Return what stands before a fragment's part of the payload, and where that part begins.

    In IPv6 the fragment header is left out; the header before it already says what follows it.
    """
    data = packet.data
    if packet.version == 4:
        place = (data[0] & 15) * 4
        return data[:place], place
    before, place, kind = 6, IPV6_HEADER, data[6]
    while kind != Extension.FRAGMENT:  # it is there: `parse` has read it
        length = (data[place + 1] + 2) * 4 if kind == Extension.AUTHENTICATION else (
            data[place + 1] + 1) * 8  # fmt: skip
        before, place, kind = place, place + length, data[place]
    head = bytearray(data[:place])
    head[before] = data[place]
    return bytes(head), place + 8


def _join(head: bytes, payload: bytes) -> Packet | None:
    """Make the whole packet; None where nobody would take it for one."""
    size = len(head) + len(payload)
    if size >= _ALL:
        return None
    header = bytearray(head)
    if head[0] >> 4 == 4:
        header[2:4] = size.to_bytes(2, "big")
        header[6:8] = b"\0\0"
        header[10:12] = b"\0\0"
        header[10:12] = checksum(bytes(header)).to_bytes(2, "big")
    else:
        header[4:6] = (size - IPV6_HEADER).to_bytes(2, "big")
    packet = parse(bytes(header) + payload)
    if isinstance(packet, Malformed):
        return None
    packet.joined = True
    return packet
