"""One end of a call's audio: a steady tone in G.711 goes out, and what comes in is noted.

Wire:    PCMU or PCMA in packets of 20 ms (RFC 3551), first number and timestamp by chance
         (RFC 3550 section 5.1); RTCP on the same port (RFC 5761): a report with the first packet,
         each REPORT seconds, and a last one with BYE.
Limits:  no SRTP, no silence suppression.

The timestamps are nominal, 160 ticks a packet: what a busy machine sends late counts as delay and
jitter, as it would in any telephone.
"""

from __future__ import annotations

import secrets
import socket
import time
from dataclasses import dataclass, field
from typing import Final

from filterbed.probe import rtcp, rtp
from filterbed.probe.datagram import Datagram, receive
from filterbed.probe.ear import Ear

PACKET: Final = 0.02
TICKS: Final = 160
REPORT: Final = 0.5
#: Payload type and a tone, by codec.
PAYLOADS: Final = {
    "PCMU": (0, bytes(0xFF - n % 16 for n in range(TICKS))),
    "PCMA": (8, bytes(0xD5 ^ n % 16 for n in range(TICKS))),
}
CNAME: Final = "filterbed"


@dataclass(slots=True, kw_only=True)
class Audio(Ear):
    """Our end. `peer` is where to send; `mux` says that RTCP may go there too."""

    sock: socket.socket
    peer: tuple[str, int] | None = None
    mux: bool = True
    origin: int = field(default_factory=lambda: secrets.randbits(32))
    started: float | None = None  # epoch seconds of timestamp `origin`
    refused: int = 0  # ICMP errors in a row
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
        found = Ear.take(self, got)
        if found:
            self.refused = 0
        return found
