"""Follow a TCP connection as a censor does: what it takes for real, and what throws it off.

A box's idea of a connection is its transmission control block (TCB). Every way in which that
differs from the ends' idea of it is an evasion; each is a field of `Tcp`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from censor.follow.flow import Flow
from censor.follow.stream import Overlap
from censor.wire.number import TcpFlag
from censor.wire.packet import Packet

_SYN: Final = int(TcpFlag.SYN)
_ACK: Final = int(TcpFlag.ACK)
_FIN: Final = int(TcpFlag.FIN)
_RST: Final = int(TcpFlag.RST)
_BITS: Final = 0x3F
_SPACE: Final = 1 << 32
_HALF: Final = 1 << 31

Adopted = Literal["syn", "syn-ack", "ack", "data"]
Confusing = Literal["syn", "syn-ack", "rst", "fin"]
Ending = Literal["rst", "fin"]
Skip = Literal["no-ack", "md5"]


@dataclass(frozen=True, slots=True)
class Tcp:
    """How the box follows TCP; each imperfection with its source is in docs/censor.md.

    require: what must have been seen to read a connection ("none", "syn", "either", "full").
    limit, window: bytes; window None takes whatever fits the limit. packets: the client's payloads
        that are looked at, None for all. both: read the server's payloads like the client's.
    adopt: packets whose numbers the box takes for right.
    resync: packets that make it unsure, so that it takes the number of the next payload ("data")
        or of the next packet, or a SYN+ACK's acknowledgement. teardown: what makes it stop.
    ends_at: which numbers a RST or FIN must have for either.
    min_ttl, ignore: packets that are not seen at all.
    """

    reassemble: bool
    overlap: Overlap
    require: str
    verify_checksum: bool
    limit: int
    window: int | None = None
    packets: int | None = None
    both: bool = False
    adopt: frozenset[Adopted] = frozenset(("syn",))
    resync: frozenset[Confusing] = frozenset()
    resync_at: Literal["data", "packet"] = "data"
    teardown: frozenset[Ending] = frozenset()
    ends_at: Literal["any", "window", "next"] = "any"
    min_ttl: int = 0
    ignore: frozenset[Skip] = frozenset()

    @property
    def tracks(self) -> bool:
        """Whether connections must be followed packet by packet, beyond their streams."""
        return bool(
            self.window is not None
            or self.packets is not None
            or self.teardown
            or self.resync
            or self.adopt - {"syn"}
        )


class Tcb:
    """What a box believes of one connection. `follow` every packet of it, in their order.

    reads: whether the last packet's payload is to be read. over: nothing more is read until a SYN
    begins the connection anew: it was torn down, or enough was looked at.

    Limits: a box that takes other numbers forgets the bytes it had put together in that direction.
    Source: Ptacek and Newsham, 1998; Wang et al., "Your State is Not Mine", IMC 2017.
    """

    __slots__ = ("_closed", "_flow", "_left", "_lost", "_next", "_read", "_tcp", "over", "reads")

    def __init__(self, tcp: Tcp, flow: Flow, read: list[int]) -> None:
        """`read`: how far each direction's stream was judged, to begin anew with the stream."""
        self._tcp = tcp
        self._flow = flow
        self._read = read
        self._next: dict[bool, int | None] = {True: None, False: None}
        self._lost = {True: False, False: False}
        self._left = tcp.packets
        self._closed = False
        self.over = False
        self.reads = False

    def expected(self, from_client: bool) -> int | None:
        """Return the sequence number the box waits for from an end; None before it knows one."""
        stream = self._flow.heard(from_client)
        if stream is None or stream.base is None or not stream.reassemble:
            return self._next[from_client]
        return (stream.base + len(stream.data)) % _SPACE

    def follow(self, packet: Packet, from_client: bool) -> None:
        """Take note of one packet."""
        self.reads = False
        if self.over:
            return
        flags = packet.flags
        seq, length = packet.seq, packet.end - packet.data_offset
        if flags & _SYN:
            seq = (seq + 1) % _SPACE
            self._synchronise(packet, seq, from_client)
        elif not flags & _RST:
            self._resynchronise(flags, seq, length, from_client)
        gap = self._gap(seq, from_client)
        if length:
            self.reads = self._takes(gap, length)
            if self.reads:
                self._advance(seq, length, from_client)
            if from_client and self._left is not None:
                self._left -= 1
                self.over = self._left <= 0
        if flags & (_RST | _FIN):
            self._end(flags, gap)
        self._closed = self._flow.closed

    def _synchronise(self, packet: Packet, after: int, from_client: bool) -> None:
        """Learn numbers from a SYN or SYN+ACK; a SYN to adopt begins another flow altogether."""
        tcp, again = self._tcp, self._next[from_client] is not None
        if not packet.flags & _ACK:
            if not again:
                self._next[from_client] = after
            elif "syn" in tcp.resync:
                self._lost = {True: True, False: True}
            return
        other = self.expected(not from_client)
        if "syn-ack" in tcp.adopt or self._lost[not from_client]:
            self._move(not from_client, packet.ack)
            self._move(from_client, after)
        elif "syn-ack" in tcp.resync and (again or other not in (None, packet.ack)):
            self._lost = {True: True, False: True}
        if not again:
            self._next[from_client] = after

    def _resynchronise(self, flags: int, seq: int, length: int, from_client: bool) -> None:
        """Take a packet's number for the next one, where such a packet makes the box do so."""
        tcp = self._tcp
        if self._lost[from_client]:
            wanted = length or tcp.resync_at == "packet"
        elif length:
            gap = self._gap(seq, from_client)
            wanted = "data" in tcp.adopt and gap is not None and gap > self._reach
        else:
            wanted = "ack" in tcp.adopt and flags & _BITS == _ACK
        if wanted:
            self._move(from_client, seq)

    def _move(self, from_client: bool, number: int) -> None:
        """Wait for another number; what was put together before is of no use then."""
        self._lost[from_client] = False
        if self.expected(from_client) == number:
            return
        self._next[from_client] = number
        self._flow.restart(from_client, number)
        self._read[from_client] = 0

    @property
    def _reach(self) -> int:
        """How far ahead of the next number a segment may begin."""
        return self._tcp.limit if self._tcp.window is None else self._tcp.window

    def _gap(self, seq: int, from_client: bool) -> int | None:
        """Return how far ahead of what is expected a number is; None where nothing is."""
        expected = self.expected(from_client)
        if expected is None:
            return None
        gap = (seq - expected) % _SPACE
        return gap - _SPACE if gap >= _HALF else gap

    def _takes(self, gap: int | None, length: int) -> bool:
        """Say whether a segment with so many bytes is within the window."""
        window = self._tcp.window
        if window is None or gap is None:
            return True
        return -length < gap <= window if window else gap == 0

    def _advance(self, seq: int, length: int, from_client: bool) -> None:
        """Wait for what follows a segment, if it goes further than what was seen."""
        after, former = (seq + length) % _SPACE, self._next[from_client]
        if former is None or (after - former) % _SPACE < _HALF:
            self._next[from_client] = after

    def _end(self, flags: int, gap: int | None) -> None:
        """Do what a RST or FIN does to this box; one that does not count closes nothing."""
        tcp = self._tcp
        event: Ending = "rst" if flags & _RST else "fin"
        if gap is not None and tcp.ends_at != "any":
            reach = self._reach if tcp.ends_at == "window" else 0
            if not 0 <= gap <= reach:
                self._flow.closed = self._closed
                return
        if event in tcp.teardown:
            self._flow.closed = self.over = True
        elif event in tcp.resync:
            self._lost = {True: True, False: True}
