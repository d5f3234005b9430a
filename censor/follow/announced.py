"""Remember where SDP said that media would go."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from censor.dissect.sdp import Endpoint

#: Ends remembered; the oldest goes.
LIMIT: Final = 10_000

#: How long an announcement is good for, in seconds: as long as an invitation may ring and more.
#: Source: RFC 3261 section 16.6 (timer C: a proxy waits more than 3 minutes).
LIFE: Final = 600.0


class Announced:
    """At most `limit` ends, each for `life` seconds after it was announced last."""

    __slots__ = ("_until", "life", "limit")

    def __init__(self, limit: int = LIMIT, life: float = LIFE) -> None:
        self.limit = limit
        self.life = life
        self._until: dict[Endpoint, float] = {}

    def __len__(self) -> int:
        return len(self._until)

    def add(self, ends: Iterable[Endpoint], now: float) -> list[Endpoint]:
        """Remember ends, and the port above each for RTCP (RFC 3550 section 11).

        Returns: which had to go for them, although their time was not over.
        """
        until = self._until
        gone = []
        for address, port in ends:
            for end in ((address, port), (address, min(port + 1, 0xFFFF))):
                until.pop(end, None)
                until[end] = now + self.life
        while until:
            end, due = next(iter(until.items()))
            if due > now and len(until) <= self.limit:
                break
            del until[end]
            if due > now:
                gone.append(end)
        return gone

    def holds(self, end: Endpoint, now: float) -> bool:
        """Say whether media was announced for an end."""
        return self._until.get(end, 0.0) > now
