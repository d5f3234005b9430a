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
    """Packets by the time at which they leave, in nanoseconds; equals in the order they came.

    held: those that are here, the next first.
    """

    __slots__ = ("_count", "held")

    def __init__(self) -> None:
        self.held: list[tuple[int, int, Held]] = []
        self._count = 0

    @property
    def due(self) -> int | None:
        """Return when the next packet leaves; None if none is here."""
        return self.held[0][0] if self.held else None

    def put(self, packet: Held, at: int) -> None:
        """Keep a packet until then."""
        self._count += 1
        heappush(self.held, (at, self._count, packet))

    def release(self, now: int | None) -> None:
        """Let go what is due; None: everything, at once."""
        while self.held and (now is None or self.held[0][0] <= now):
            heappop(self.held)[2].accept()
