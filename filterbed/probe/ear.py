"""Note what one end of a call hears, and what the other end tells of what was sent to it.

Wire:    RTP, and RTCP on the same port (RFC 5761).
Limits:  at most LIMIT packets of a call are kept.
"""

from __future__ import annotations

import secrets
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from filterbed.probe import rtcp, rtp
from filterbed.probe.datagram import Datagram

LIMIT: Final = 200_000


@dataclass(slots=True, kw_only=True)
class Ear:
    """What is known at one end. `source`, `first` and `sent` are of the stream that goes out."""

    codec: str = "PCMU"
    source: int = field(default_factory=lambda: secrets.randbits(32))
    first: int = field(default_factory=lambda: secrets.randbits(16))
    sent: int = 0
    heard: dict[int, list[rtp.Arrival]] = field(default_factory=dict)
    sender: dict[int, rtcp.Sender] = field(default_factory=dict)
    block: rtcp.Block | None = None  # the last the other end said of our stream, all of it sent
    bye: str | None = None
    bye_at: float | None = None  # epoch seconds of the first

    def take(self, got: Datagram) -> bool:
        """Note one datagram; whether it was RTP."""
        if packet := rtp.read(got.data):
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

    def passage(self, transit: float | None) -> float | None:
        """Return the delay of what we sent, from the transit the other end saw; None if unknown.

        Where the sender's own reports give it, as `delay` has it, this has nothing to add.
        """
        return None

    @property
    def announced(self) -> int | None:
        """How many packets the other end has said it sent; None while it has said nothing."""
        theirs = self.stream()
        said = [s.packets for s in self.sender.values()]
        if theirs in self.sender:
            return self.sender[theirs].packets
        return max(said, default=None)
