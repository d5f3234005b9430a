"""Bound what all flows together keep of what was said: bytes that wait for the rest of a message.

Each direction of a flow has a bound of its own; a hundred thousand flows would fill any memory.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from censor.case import Case
from censor.follower import PEEKING, DtlsFollower, QuicFollower
from censor.packet import Key

#: Who lost something, nearly always.
_NOBODY: Final[list[Case]] = []

#: Bytes of all flows together.
LIMIT: Final = 64 << 20


class Hoard:
    """How many bytes flows keep; the one that said something longest ago is the first to lose."""

    __slots__ = ("_held", "limit", "total")

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self.total = 0
        self._held: OrderedDict[Key, Case] = OrderedDict()

    def note(self, case: Case) -> list[Case]:
        """Count what a flow keeps now.

        Returns: the flows that lost what they kept, for there is no room for all. They are read no
            more, but for what looks at payloads one by one.
        """
        size = kept(case)
        if not (size or case.kept):
            return _NOBODY
        self.forget(case)
        if size:
            self._held[case.flow.key] = case
            case.kept = size
            self.total += size
        lost = []
        while self.total > self.limit:
            _, one = self._held.popitem(last=False)
            self.total -= one.kept
            one.kept = 0
            _let_go(one)
            lost.append(one)
        return lost

    def forget(self, case: Case) -> None:
        """Count a flow no more: it is forgotten, or keeps nothing."""
        if case.kept:
            del self._held[case.flow.key]
            self.total -= case.kept
            case.kept = 0


def kept(case: Case) -> int:
    """Return how many bytes a flow keeps, in streams and of datagrams that are read together."""
    flow = case.flow
    size = 0
    for stream in (flow.client_stream, flow.server_stream):
        if stream is not None:
            size += stream.size
    for follower in case.followers:
        if isinstance(follower, QuicFollower | DtlsFollower):
            size += follower.size
    return size


def _let_go(case: Case) -> None:
    case.flow.drop_streams()
    case.topics = case.topics.only(PEEKING)
    case.followers = tuple(
        one
        for app, follower in zip(case.followers[::2], case.followers[1::2], strict=True)
        if app in PEEKING
        for one in (app, follower)
    )
