"""Decide what becomes of each packet in one direction of a link: lost, late, overtaken, doubled.

Pure: time is an argument, luck comes from a seed. Each kind of luck is drawn from a source of its
own, so that a link that also loses packets delays the others by what it would have.
Source:  loss in bursts: Gilbert, Capacity of a burst-noise channel, 1960.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from topologies.plan import Way

#: Seconds by which an overtaken packet comes after its time.
OVERTAKEN = 0.015


@dataclass(slots=True)
class Counts:
    """What a direction did: packets."""

    passed: int = 0
    lost: int = 0
    overflowed: int = 0
    overtaken: int = 0
    doubled: int = 0


class Course:
    """One direction of a link; `take` every packet once, in the order they come."""

    def __init__(self, way: Way, delay: float, seed: str) -> None:
        self._way, self._delay = way, delay
        self._luck = {
            kind: Random(f"{seed} {kind}") for kind in ("loss", "jitter", "reorder", "duplicate")
        }
        self._losing = False
        self._free = 0.0
        self.counts = Counts()

    def take(self, now: float, size: int) -> tuple[float, ...]:
        """Return when a packet of `size` bytes leaves: never (empty), once, or twice."""
        way = self._way
        if self._is_lost():
            self.counts.lost += 1
            return ()
        served = self._served(now, size)
        if served is None:
            self.counts.overflowed += 1
            return ()
        leaves = served + self._delay + way.jitter * self._luck["jitter"].random()
        if self._drawn("reorder", way.reorder):
            self.counts.overtaken += 1
            leaves += OVERTAKEN
        self.counts.passed += 1
        if self._drawn("duplicate", way.duplicate):
            self.counts.doubled += 1
            return leaves, leaves
        return (leaves,)

    def _drawn(self, kind: str, share: float) -> bool:
        return share > 0 and self._luck[kind].random() < share

    def _is_lost(self) -> bool:
        """Step between a state that loses nothing and one that loses all, whose mean runs fit."""
        loss = self._way.loss
        if not loss:
            return False
        if loss == 1:
            return True
        ends = 1 - loss if self._way.burst is None else 1 / self._way.burst
        begins = min(1.0, ends * loss / (1 - loss))
        drawn = self._luck["loss"].random()
        self._losing = drawn >= ends if self._losing else drawn < begins
        return self._losing

    def _served(self, now: float, size: int) -> float | None:
        """Return when the packet has been sent at the link's rate; None: no room to wait."""
        if self._way.rate is None:
            return now
        begins = max(now, self._free)
        if begins - now > self._way.queue:
            return None
        self._free = begins + size * 8 / self._way.rate
        return self._free
