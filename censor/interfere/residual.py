"""Remember for a while between which ends something forbidden passed.

Memories have names only by their key: protocol, ends, and ports as the policy says. They expire at
their own time, whoever looks when.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from ipaddress import ip_address
from math import inf
from typing import Any

from censor.follow.flow import Flow
from censor.rule.act import Residual
from censor.rule.rules import Ends

Key = tuple[str, int, bytes, int, bytes, int]


def key(kind: str, ends: Ends | Flow) -> Key:
    """Return the key under which a flow's ends are remembered; ports left out are -1."""
    if kind == "server":
        return (kind, ends.protocol, b"", -1, ends.server, ends.server_port)
    if kind == "pair":
        return (kind, ends.protocol, ends.client, -1, ends.server, -1)
    if kind == "3-tuple":
        return (kind, ends.protocol, ends.client, -1, ends.server, ends.server_port)
    return (kind, ends.protocol, ends.client, ends.client_port, ends.server, ends.server_port)


def spell(one: Key) -> dict[str, Any]:
    """Return a key as events show it."""
    kind, protocol, client, client_port, server, server_port = one
    ports = {"client_port": client_port, "server_port": server_port}
    return {
        "kind": kind,
        "protocol": protocol,
        **({"client": str(ip_address(client))} if client else {}),
        "server": str(ip_address(server)),
        **{name: port for name, port in ports.items() if port >= 0},
    }


@dataclass(slots=True)
class Memory:
    """One entry: set by `rule`, from when and until when (seconds since the start), and what it
    does."""

    key: Key
    rule: str
    until: float
    residual: Residual
    since: float = 0.0


class Memories:
    """At most `limit` entries, by their keys; the oldest goes when there is no room."""

    __slots__ = ("_awaited", "_heap", "entries", "limit", "next")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.next = inf
        self.entries: dict[Key, Memory] = {}
        self._awaited: dict[Key, float] = {}
        self._heap: list[tuple[float, Key]] = []

    def __len__(self) -> int:
        return len(self.entries)

    def find(self, keys: Iterable[Key]) -> Memory | None:
        """Return the first entry under one of these keys."""
        for one in keys:
            memory = self.entries.get(one)
            if memory is not None:
                return memory
        return None

    def set(self, memory: Memory) -> Memory | None:
        """Remember; what was under the key is replaced. Returns an entry that had to go."""
        gone = None
        if memory.key not in self.entries and len(self.entries) >= self.limit:
            gone = self.entries.pop(next(iter(self.entries)))
        self.entries[memory.key] = memory
        self._await(memory)
        return gone

    def renew(self, memory: Memory, now: float) -> None:
        """Start an entry's time again; its old time is found to be too early when it comes."""
        memory.until = now + memory.residual.seconds

    def expire(self, now: float) -> Iterator[Memory]:
        """Forget what has run out by `now`, in the order of their times."""
        while self.next <= now:
            due, one = heappop(self._heap)
            self.next = self._heap[0][0] if self._heap else inf
            memory = self.entries.get(one)
            if self._awaited.get(one) == due:
                del self._awaited[one]
            if memory is None:
                continue
            if memory.until <= due:
                del self.entries[one]
                yield memory
            else:
                self._await(memory)

    def _await(self, memory: Memory) -> None:
        """See to it that somebody looks at the entry's time, once."""
        if self._awaited.get(memory.key, inf) <= memory.until:
            return
        self._awaited[memory.key] = memory.until
        heappush(self._heap, (memory.until, memory.key))
        if len(self._heap) > 2 * self.limit + 64:
            self._awaited = {one: entry.until for one, entry in self.entries.items()}
            self._heap = sorted((until, one) for one, until in self._awaited.items())
        self.next = self._heap[0][0]
