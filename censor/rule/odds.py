"""Decide by chance, where that is drawn once a flow, pair or path, or depends on the hour.

What is decided once is not remembered: it follows from the seed and from what it is about, so that
it is the same whenever and however often it is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from censor.follow.flow import Flow

_HOURS: Final = 24

#: Of a client's address, only these bits choose a path (fact cn-dns-lb-all-or-nothing).
_PATH_BITS: Final = 7


@dataclass(frozen=True, slots=True)
class Clock:
    """What time of day it is: the hour at second 0, and how many seconds an hour has."""

    start: float = 0.0
    hour: float = 3600.0

    def at(self, now: float) -> int:
        """Return the hour, from 0 to 23."""
        return int(self.start + now / self.hour) % _HOURS


@dataclass(frozen=True, slots=True)
class Odds:
    """A chance for each hour, or one for all; decided once a "flow", "pair" or path ("ecmp").

    A pair is two addresses. A path is chosen by the server's address, the client's port and the
    last three bits of its address. `rule` keeps rules apart.
    """

    rule: str
    by_hour: tuple[float, ...]
    per: str
    clock: Clock

    def chance(self, now: float) -> float:
        """Return the chance at a time in seconds."""
        by_hour = self.by_hour
        return by_hour[self.clock.at(now)] if len(by_hour) > 1 else by_hour[0]

    def comes_true(self, seed: int, flow: Flow, begun: float, now: float) -> bool:
        """Say whether it comes true for a flow that began then; not for `per` "match", which is
        drawn."""
        mark = "|".join((self.rule, self.per)).encode()
        digest = blake2b(mark + b"\0" + self._subject(flow, begun), digest_size=8, key=_bytes(seed))
        return int.from_bytes(digest.digest(), "big") / (1 << 64) < self.chance(now)

    def _subject(self, flow: Flow, begun: float) -> bytes:
        """Return what it is decided for, as bytes."""
        if self.per == "pair":
            return flow.client + flow.server
        port = flow.client_port.to_bytes(2, "big")
        if self.per == "ecmp":
            return bytes((flow.client[-1] & _PATH_BITS,)) + port + flow.server
        moment = round(begun * 1e9).to_bytes(16, "big", signed=True)
        return flow.client + port + flow.server + flow.server_port.to_bytes(2, "big") + moment


def _bytes(seed: int) -> bytes:
    return (seed & (1 << 64) - 1).to_bytes(8, "big")
