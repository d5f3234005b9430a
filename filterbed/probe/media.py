"""One end of a call's audio: a steady tone in G.711 goes out, and what comes in is noted.

Wire:    PCMU or PCMA in packets of 20 ms (RFC 3551), first number and timestamp by chance
         (RFC 3550 section 5.1); RTCP on the same port (RFC 5761): a report with the first packet,
         each REPORT seconds, and a last one with BYE.
Limits:  no SRTP, no silence suppression; at most LIMIT packets of a call are kept.

The timestamps are nominal, 160 ticks a packet: what a busy machine sends late counts as delay and
jitter, as it would in any telephone.
"""

from __future__ import annotations

import secrets
import socket
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from filterbed.probe import rtcp, rtp
from filterbed.probe.datagram import Datagram, receive

PACKET: Final = 0.02
TICKS: Final = 160
REPORT: Final = 0.5
LIMIT: Final = 200_000
#: Payload type and a tone, by codec.
PAYLOADS: Final = {
    "PCMU": (0, bytes(0xFF - n % 16 for n in range(TICKS))),
    "PCMA": (8, bytes(0xD5 ^ n % 16 for n in range(TICKS))),
}
CNAME: Final = "filterbed"


@dataclass(slots=True)
class Audio:
    """Our end. `peer` is where to send; `mux` says that RTCP may go there too."""

    sock: socket.socket
    codec: str = "PCMU"
    peer: tuple[str, int] | None = None
    mux: bool = True
    source: int = field(default_factory=lambda: secrets.randbits(32))
    first: int = field(default_factory=lambda: secrets.randbits(16))
    origin: int = field(default_factory=lambda: secrets.randbits(32))
    sent: int = 0
    started: float | None = None  # epoch seconds of timestamp `origin`
    refused: int = 0  # ICMP errors in a row
    heard: dict[int, list[rtp.Arrival]] = field(default_factory=dict)
    sender: dict[int, rtcp.Sender] = field(default_factory=dict)
    block: rtcp.Block | None = None  # the last the other end said of our stream, all of it sent
    bye: str | None = None
    bye_at: float | None = None  # epoch seconds of the first
    _reported: float = 0.0

    def send(self) -> None:
        """Send the next packet, and a report where one is due."""
        assert self.peer is not None
        if self.started is None:
            self.started = time.time()
        kind, tone = PAYLOADS[self.codec]
        number, ticks = self.first + self.sent, self.origin + TICKS * self.sent
        packet = rtp.Packet(kind, number, ticks, self.source, tone)
        self.block = None  # what was said does not know of this one
        if self._out(rtp.write(packet, marker=not self.sent)):
            self.sent += 1
        if time.time() >= self._reported + REPORT:
            self.report()

    def report(self, bye: str | None = None) -> None:
        """Send what we know by RTCP; with `bye`, that we leave and why."""
        if self.peer is None or not self.mux:
            return
        self._reported = now = time.time()
        sender = None
        if self.started is not None:
            ticks = self.origin + int((now - self.started) * rtp.CLOCK)
            octets = self.sent * TICKS
            sender = rtcp.Sender(self.source, now, ticks & 0xFFFFFFFF, self.sent, octets)
        blocks: tuple[rtcp.Block, ...] = ()
        if theirs := self.stream():
            found = self.reception()
            jitter = int(found.jitter * rtp.CLOCK)
            blocks = (rtcp.Block(theirs, found.lost, found.highest or 0, jitter),)
        self._out(rtcp.write(rtcp.Report(self.source, sender, blocks, bye), CNAME))

    def _out(self, data: bytes) -> bool:
        """Send; an ICMP error about an earlier packet does not lose this one."""
        assert self.peer is not None
        for _ in range(2):
            try:
                self.sock.sendto(data, self.peer)
            except OSError:
                self.refused += 1
                continue
            return True
        return False

    def receive(self) -> list[Datagram]:
        """Note all that waits; return the RTP among it."""
        found: list[Datagram] = []
        while True:
            try:
                got = receive(self.sock)
            except OSError:
                self.refused += 1
                continue
            if got is None:
                return found
            if self.take(got):
                found.append(got)

    def take(self, got: Datagram) -> bool:
        """Note one datagram; whether it was RTP."""
        if packet := rtp.read(got.data):
            self.refused = 0
            arrivals = self.heard.setdefault(packet.source, [])
            if sum(map(len, self.heard.values())) < LIMIT:
                arrivals.append(rtp.Arrival(packet.number, packet.timestamp, got.at))
            return True
        if report := rtcp.read(got.data):
            if report.sender:
                self.sender[report.source] = report.sender
            self.block = next((b for b in report.blocks if b.source == self.source), None)
            if report.bye is not None and self.bye is None:
                self.bye, self.bye_at = report.bye, got.at
        return False

    def stream(self) -> int | None:
        """Return the source heard most; None while nothing was."""
        count = Counter({source: len(arrivals) for source, arrivals in self.heard.items()})
        return count.most_common(1)[0][0] if count else None

    def reception(self) -> rtp.Reception:
        """Sum up the stream heard most."""
        theirs = self.stream()
        return rtp.reception(self.heard[theirs] if theirs is not None else ())

    def count(self) -> int:
        """Return how many packets of the stream heard most have come, each counted once."""
        theirs = self.stream()
        return len({a.number for a in self.heard[theirs]}) if theirs is not None else 0

    def delay(self, found: rtp.Reception) -> float | None:
        """Return the median one-way delay in seconds; None unless the sender told its clock.

        Both clocks are taken to be one: on one machine they are.
        """
        theirs = self.stream()
        sender = self.sender.get(theirs) if theirs is not None else None
        if sender is None or found.transit is None or theirs is None:
            return None
        origin = self.heard[theirs][0].timestamp
        ticks = origin + rtp.nearest(sender.rtp - origin, 32)
        return max(0.0, found.transit - (sender.at - ticks / rtp.CLOCK))

    @property
    def announced(self) -> int | None:
        """How many packets the other end has said it sent; None while it has said nothing."""
        theirs = self.stream()
        said = [s.packets for s in self.sender.values()]
        if theirs in self.sender:
            return self.sender[theirs].packets
        return max(said, default=None)
