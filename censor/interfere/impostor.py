"""Play the server of a TCP connection where nobody is: what it says to each packet of its client.

Wire:    RFC 9293 sections 3.5 to 3.10, as far as a server needs it that keeps no clock.
Limits:  it repeats nothing by itself, but answers what the client repeats; no options; data is
         taken in order only; one page a connection, whole, whatever window the client has left.
Source:  fact cn-dns-forged-ip-handshake: never retransmits, never times out, one RST for the first
         data.
"""

from __future__ import annotations

from typing import Final

from censor.dissect import http
from censor.dissect.outcome import Incomplete
from censor.rule.act import Impostor
from censor.wire import forge
from censor.wire.number import Protocol, TcpFlag
from censor.wire.packet import Packet

_TCP: Final = int(Protocol.TCP)
_ACK: Final = int(TcpFlag.ACK)
_RST: Final = int(TcpFlag.RST)
_SYN: Final = int(TcpFlag.SYN)
_FIN: Final = int(TcpFlag.FIN)
_SPACE: Final = 1 << 32

#: A header, and what stands behind it.
Segment = tuple[forge.Tcp, bytes]


def opens(packet: Packet) -> bool:
    """Say whether a packet asks for a connection: a SYN that acknowledges nothing."""
    return packet.protocol == _TCP and packet.flags & (_SYN | _ACK | _RST) == _SYN


class Peer:
    """One end of one connection. `meet` every packet of the other end, in their order."""

    __slots__ = ("_asked", "_closed", "_ended", "_first", "_isn", "_next", "_said", "_served")

    def __init__(self, packet: Packet, isn: int) -> None:
        """Begin with the first packet that is seen of the client; `isn` is what to answer a SYN.

        A packet in the midst of a connection is believed: who keeps no clock outlives its memory.
        """
        greets = opens(packet)
        self._first = (packet.seq if greets else packet.seq - 1) % _SPACE
        self._isn = isn if greets else (packet.ack - 1) % _SPACE
        self._next = (self._first + 1) % _SPACE
        self._said = (self._isn + 1) % _SPACE
        self._asked: bytes | None = b""
        self._served = self._ended = self._closed = False

    def knows(self, packet: Packet) -> bool:
        """Say whether a packet is of this connection, and does not begin another."""
        return not opens(packet) or packet.seq == self._first

    def meet(self, act: Impostor, packet: Packet) -> list[Segment]:
        """Return what to say to a packet: headers without windows, and their payloads."""
        if opens(packet):
            return [self._segment(packet, _SYN | _ACK, seq=self._isn)]
        if packet.flags & (_SYN | _RST | _ACK) != _ACK:
            return []
        if packet.payload_length and act.data == "reset":
            return self._reset(act, packet)
        fresh, spoken = self._take(packet)
        page = []
        if act.data == "page" and fresh and self._asks(fresh):
            self._served = True
            page = self._page(act, packet)
            self._close(len(act.response) + (act.ending != "reset"))
        elif self._served and spoken and not fresh and packet.ack == (self._isn + 1) % _SPACE:
            page = self._page(act, packet)  # it was lost
        return page or self._acknowledge(packet, spoken)

    def _reset(self, act: Impostor, packet: Packet) -> list[Segment]:
        """Break off at the first data; what was sent behind it is of no connection any more."""
        if packet.seq != self._next:
            return []
        after = packet.seq + packet.payload_length
        ack = after if act.reset_flags & _ACK else 0
        return [self._segment(packet, act.reset_flags, seq=packet.ack, ack=ack)]

    def _take(self, packet: Packet) -> tuple[bytes, bool]:
        """Take what follows in order: return new bytes, and whether anything wants an answer."""
        payload, fin = packet.payload, packet.flags & _FIN
        expected = self._next
        known = (expected - packet.seq) % _SPACE
        fresh = payload[known:]
        self._next = (expected + len(fresh)) % _SPACE
        if fin and not self._ended and (packet.seq + len(payload)) % _SPACE == self._next:
            self._ended = True
            self._next = (self._next + 1) % _SPACE
        return fresh, bool(payload or fin or packet.seq != expected)

    def _asks(self, fresh: bytes) -> bool:
        """Say whether a whole request has come, once."""
        if self._asked is None:
            return False
        self._asked += fresh
        found = http.dissect(self._asked)
        if isinstance(found, Incomplete):
            return False
        self._asked = None
        return isinstance(found, http.Request)

    def _page(self, act: Impostor, packet: Packet) -> list[Segment]:
        """Serve the page, and end as the act says."""
        fin = act.ending != "reset"
        first = self._segment(packet, _ACK, seq=self._isn + 1)[0]
        made = list(forge.pages(act.response, first, fin=fin))
        if act.ending != "fin":
            seq = first.seq + len(act.response) + fin
            made.append(self._segment(packet, act.reset_flags, seq=seq))
        return made

    def _close(self, size: int) -> None:
        """Remember that the box has said its last, `size` numbers of it."""
        self._closed = True
        self._said = (self._said + size) % _SPACE

    def _acknowledge(self, packet: Packet, spoken: bool) -> list[Segment]:
        """Acknowledge what came; close with a client that closes."""
        if not spoken:
            return []
        if self._closed or not self._ended:
            return [self._segment(packet, _ACK)]
        made = self._segment(packet, _FIN | _ACK)
        self._close(1)
        return [made]

    def _segment(
        self, packet: Packet, flags: int, *, seq: int | None = None, ack: int | None = None
    ) -> Segment:
        seq, ack = self._said if seq is None else seq, self._next if ack is None else ack
        return forge.Tcp(packet.dport, packet.sport, seq, ack, flags), b""
