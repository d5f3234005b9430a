"""Bound what all flows together keep of what was said: bytes that wait for the rest of a message.

Each direction of a flow has a bound of its own; a hundred thousand flows would fill any memory.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from censor.engine.state import FlowState
from censor.read.follower import PEEKING

#: Who lost something, nearly always.
_NOBODY: Final[list[FlowState]] = []

#: Bytes of all flows together.
LIMIT: Final = 64 << 20

#: Places in line that may be for nothing before anybody counts.
SPARE: Final = 64


class Budget:
    """How many bytes flows keep; the one that said something longest ago is the first to lose.

    Flows stand in line, once for each time they said something; only the last of a flow's places
    counts. That is a third of what a dictionary in order would take for each of them.
    """

    __slots__ = ("_holders", "_line", "limit", "total")

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self.total = 0
        self._holders = 0
        self._line: deque[FlowState] = deque()

    def note(self, state: FlowState) -> list[FlowState]:
        """Count what a flow keeps now.

        Returns: the flows that lost what they kept, for there is no room for all. They are read no
            more, but for what looks at payloads one by one.
        """
        size = kept(state)
        if not size:
            self.forget(state)
            return _NOBODY
        if not state.kept:
            self._holders += 1
        self.total += size - state.kept
        state.kept = size
        state.turns += 1
        self._line.append(state)
        self._tidy()
        lost = []
        while self.total > self.limit:
            one = self._line.popleft()
            one.turns -= 1
            if one.kept and not one.turns:
                self.forget(one)
                _let_go(one)
                lost.append(one)
        return lost

    def forget(self, state: FlowState) -> None:
        """Count a flow no more: it is forgotten, or keeps nothing."""
        if state.kept:
            self._holders -= 1
            self.total -= state.kept
            state.kept = 0
            self._tidy()

    def _tidy(self) -> None:
        """Give up places that do not count, once there are more of them than others."""
        line = self._line
        if len(line) <= 2 * self._holders + SPARE:
            return
        last = deque[FlowState]()
        for state in line:
            state.turns -= 1
            if state.kept and not state.turns:
                last.append(state)
        for state in last:
            state.turns = 1
        self._line = last


def kept(state: FlowState) -> int:
    """Return how many bytes a flow keeps, in streams and of datagrams that are read together."""
    size = 0
    if state.client_stream is not None:
        size = state.client_stream.size
    if state.server_stream is not None:
        size += state.server_stream.size
    for follower in state.followers:
        size += follower.size
    return size


def _let_go(state: FlowState) -> None:
    state.drop_streams()
    state.topics = state.topics.only(PEEKING)
    state.followers = tuple([one for one in state.followers if one.app in PEEKING])
