"""Bound what all flows together keep of what was said: bytes that wait for the rest of a message.

Each direction of a flow has a bound of its own; a hundred thousand flows would fill any memory.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from censor.engine.state import FlowState
from censor.read.follower import PEEKING, DtlsFollower, QuicFollower
from censor.wire.packet import Key

#: Who lost something, nearly always.
_NOBODY: Final[list[FlowState]] = []

#: Bytes of all flows together.
LIMIT: Final = 64 << 20


class Budget:
    """How many bytes flows keep; the one that said something longest ago is the first to lose."""

    __slots__ = ("_held", "limit", "total")

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self.total = 0
        self._held: OrderedDict[Key, FlowState] = OrderedDict()

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
            self._held[state.flow.key] = state
            state.kept = size
            self.total += size
        lost = []
        while self.total > self.limit:
            _, one = self._held.popitem(last=False)
            self.total -= one.kept
            one.kept = 0
            _let_go(one)
            lost.append(one)
        return lost

    def forget(self, state: FlowState) -> None:
        """Count a flow no more: it is forgotten, or keeps nothing."""
        if state.kept:
            del self._held[state.flow.key]
            self.total -= state.kept
            state.kept = 0


def kept(state: FlowState) -> int:
    """Return how many bytes a flow keeps, in streams and of datagrams that are read together."""
    flow = state.flow
    size = 0
    for stream in (flow.client_stream, flow.server_stream):
        if stream is not None:
            size += stream.size
    for follower in state.followers:
        if isinstance(follower, QuicFollower | DtlsFollower):
            size += follower.size
    return size


def _let_go(state: FlowState) -> None:
    state.flow.drop_streams()
    state.topics = state.topics.only(PEEKING)
    state.followers = tuple(
        one
        for app, follower in zip(state.followers[::2], state.followers[1::2], strict=True)
        if app in PEEKING
        for one in (app, follower)
    )
