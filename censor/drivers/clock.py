"""Tell the time of a live censor: wall-clock time that never runs backwards while it lives."""

from __future__ import annotations

import time
from typing import Final

SECOND: Final = 1_000_000_000


class Clock:
    """Nanoseconds since 1970, by the monotonic clock.

    epoch: when the censor started. skew: what makes of a monotonic time one of this clock.
    """

    __slots__ = ("epoch", "skew")

    def __init__(self) -> None:
        self.epoch = time.clock_gettime_ns(time.CLOCK_REALTIME)
        self.skew = self.epoch - time.monotonic_ns()

    def now(self) -> int:
        """Return the time in nanoseconds since 1970."""
        return time.monotonic_ns() + self.skew

    def t(self, ns: int) -> float:
        """Return a time as the engine's: seconds since the start."""
        return (ns - self.epoch) / SECOND

    def at(self, t: float) -> int:
        """Return one of the engine's times in nanoseconds since 1970."""
        return self.epoch + int(t * SECOND)

    def arrival(self, stamp: float, read: int) -> int:
        """Return when a packet came into this machine, by the kernel's `stamp` on it.

        `stamp`: by the wall clock, in seconds; 0.0 where there is none. `read`: when the packet was
        read, which is the answer where no stamp can be believed.
        """
        came = self.now() - time.time_ns() + int(stamp * SECOND)
        return came if read - SECOND < came < read else read
