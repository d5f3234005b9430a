"""Bound what all flows together keep of what was said: bytes that wait for the rest of a message.

Each direction of a flow has a bound of its own; a hundred thousand flows would fill any memory.
"""

from __future__ import annotations

from typing import Final

from censor.engine.state import FlowState
from censor.read.follower import PEEKING

#: Who lost something, nearly always.
_NOBODY: Final[list[FlowState]] = []

#: Bytes of all flows together.
LIMIT: Final = 64 << 20


class Budget:
    """How many bytes flows keep; the one that said something longest ago is the first to lose.

    Each flow that keeps something knows who stands before and behind it: a dictionary in order
    would take eight times as much for each.
    """

    __slots__ = ("_first", "_last", "limit", "total")

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self.total = 0
        self._first: FlowState | None = None
        self._last: FlowState | None = None

    def note(self, state: FlowState) -> list[FlowState]:
        """Count what a flow keeps now.

        Returns: the flows that lost what they kept, for there is no room for all. They are read no
            more, but for what looks at payloads one by one.
        """
        size = kept(state)
        if not (size or state.kept):
            return _NOBODY
        self.forget(state)
        if size:
            state.kept = size
            self.total += size
            self._stand(state)
        lost = []
        while self.total > self.limit and self._first is not None:
            one = self._first
            self.forget(one)
            _let_go(one)
            lost.append(one)
        return lost

    def forget(self, state: FlowState) -> None:
        """Count a flow no more: it is forgotten, or keeps nothing."""
        if state.kept:
            self.total -= state.kept
            state.kept = 0
            self._leave(state)

    def _stand(self, state: FlowState) -> None:
        """Put a flow behind all others."""
        last = self._last
        state.before, self._last = last, state
        if last is None:
            self._first = state
        else:
            last.behind = state

    def _leave(self, state: FlowState) -> None:
        """Let those before and behind a flow close up; it holds on to nobody."""
        before, behind = state.before, state.behind
        state.before = state.behind = None
        if before is None:
            self._first = behind
        else:
            before.behind = behind
        if behind is None:
            self._last = before
        else:
            behind.before = before


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
