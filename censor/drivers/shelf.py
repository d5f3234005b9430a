"""Keep packets that are held until their time, and let them go.

What the engine decided is already said: here is only when. A packet kept here keeps its place in
the kernel's queue, which the engine's own limit leaves room for.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Protocol


class Held(Protocol):
    """A packet that waits for its verdict."""

    def accept(self) -> None: ...


class Shelf:
    """Packets by the time at which they leave, in nanoseconds; equals in the order they came."""

    __slots__ = ("_count", "_held")

    def __init__(self) -> None:
        self._held: list[tuple[int, int, Held]] = []
        self._count = 0

    @property
    def due(self) -> int | None:
        """Return when the next packet leaves; None if none is here."""
        return self._held[0][0] if self._held else None

    def put(self, packet: Held, at: int) -> None:
        """Keep a packet until then."""
        self._count += 1
        heappush(self._held, (at, self._count, packet))

    def release(self, now: int | None) -> None:
        """Let go what is due; None: everything, at once."""
        while self._held and (now is None or self._held[0][0] <= now):
            heappop(self._held)[2].accept()
