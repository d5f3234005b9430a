"""Bear down on a flow: what a policed, shaped, delayed, thinned or cut packet meets.

Everything is counted in bytes of IP and seconds; each direction has its own tokens and its own
line, so that no packet overtakes another.
"""

from __future__ import annotations

from collections import OrderedDict
from heapq import heappop, heappush
from math import inf
from typing import Final

from censor.rule.act import (
    Burden,
    Cut,
    Delay,
    Police,
    Shape,
    Thin,
    Toward,
)
from censor.rule.luck import Luck
from censor.wire.packet import Packet

#: What becomes of a packet: dropped, or held for so many seconds (0: not at all).
DROP: Final = inf


def heads(toward: Toward, from_client: bool) -> bool:
    """Say whether what one end sends is on its way to such an end."""
    return toward is Toward.BOTH or (toward is Toward.SERVER) == from_client


class Bucket:
    """Tokens, in bytes: `rate` a second flow in, up to `burst`. It may owe some."""

    __slots__ = ("_at", "_burst", "_rate", "tokens")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._at = now
        self.tokens = burst

    def fill(self, now: float) -> float:
        """Let tokens flow in up to now, and return how many there are."""
        self.tokens = min(self._burst, self.tokens + (now - self._at) * self._rate)
        self._at = now
        return self.tokens

    def police(self, size: int, now: float) -> float:
        """Take tokens for a packet if they are there, else drop it."""
        if self.fill(now) < size:
            return DROP
        self.tokens -= size
        return 0.0

    def shape(self, size: int, now: float, queue: float) -> float:
        """Take tokens, owing what is not there; return how long until it is."""
        wait = max(0.0, (size - self.fill(now)) / self._rate)
        if wait > queue:
            return DROP
        self.tokens -= size
        return wait


class Gauge:
    """What a cut has counted: since when, what may still pass, and when it was cut."""

    __slots__ = ("_lasting", "cut_at", "left", "room", "since")

    def __init__(self, act: Cut, now: float, luck: Luck) -> None:
        self.since = now
        self.cut_at = inf
        self.left: float = inf
        self.room: float = inf if act.size is None else act.size
        self._lasting = act.lasting
        if act.packets is not None:
            self.left = luck.between(act.packets.low, act.packets.high)

    def over(self, now: float) -> bool:
        """Say whether it was cut for as long as that lasts."""
        return self._lasting is not None and now > self.cut_at + self._lasting


#: Whose bucket: the act's name, the direction, and for a pair its two addresses.
Owner = tuple[str, bool, bytes, bytes]


class Buckets:
    """Buckets that several flows share; the least recently used goes, full again if it returns.

    evicted: the acts whose buckets had to go, since the caller last emptied the list.
    """

    __slots__ = ("_buckets", "_gauges", "evicted", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.evicted: list[str] = []
        self._buckets: OrderedDict[Owner, Bucket] = OrderedDict()
        self._gauges: OrderedDict[Owner, Gauge] = OrderedDict()

    def gauge(self, owner: Owner, act: Cut, now: float, luck: Luck) -> Gauge:
        """Return what an owner's cut has counted; begin anew if there is none, or it is over."""
        gauge = self._gauges.pop(owner, None)
        if gauge is None or gauge.over(now):
            gauge = Gauge(act, now, luck)
            if len(self._gauges) >= self.limit:
                self.evicted.append(self._gauges.popitem(last=False)[0][0])
        self._gauges[owner] = gauge
        return gauge

    def find(self, owner: Owner, act: Police | Shape, now: float) -> Bucket:
        """Return an owner's bucket, a full one if there is none."""
        bucket = self._buckets.get(owner)
        if bucket is None:
            if len(self._buckets) >= self.limit:
                self.evicted.append(self._buckets.popitem(last=False)[0][0])
            bucket = self._buckets[owner] = Bucket(act.rate, act.burst, now)
        else:
            self._buckets.move_to_end(owner)
        return bucket


class Load:
    """One burden of one flow: since when, and what it has counted.

    `fresh`: the packet that brought it is not counted by a cut.
    """

    __slots__ = ("_buckets", "_gauge", "act", "fresh", "rule", "since")

    def __init__(self, act: Burden, rule: str, now: float, luck: Luck, *, fresh: bool) -> None:
        self.act = act
        self.rule = rule
        self.since = now
        self.fresh = fresh
        self._buckets: dict[bool, Bucket] = {}
        own = isinstance(act, Cut) and act.per == "flow"
        self._gauge = Gauge(act, now, luck) if own and isinstance(act, Cut) else None

    def share(self, pair: tuple[bytes, bytes], shared: Buckets, luck: Luck) -> None:
        """Count a cut together with other flows, if it says so."""
        if isinstance(self.act, Cut) and self._gauge is None:
            ends = pair if self.act.per == "pair" else (b"", b"")
            owner = (self.act.name, True, *ends)
            self._gauge = shared.gauge(owner, self.act, self.since, luck)

    def over(self, now: float) -> bool:
        """Say whether it has ended; a cut lasts from the cut on."""
        if self._gauge is not None:
            return self._gauge.over(now)
        return self.act.lasting is not None and now > self.since + self.act.lasting

    def weigh(
        self,
        packet: Packet,
        from_client: bool,
        now: float,
        luck: Luck,
        pair: tuple[bytes, bytes],
        shared: Buckets,
    ) -> float:
        """Return for how long a packet is held, in seconds; `DROP` if it is dropped."""
        act = self.act
        if isinstance(act, Cut):
            return self._cut(act, self._gauge, packet, from_client, now)
        if not heads(act.toward, from_client):
            return 0.0
        if isinstance(act, Thin):
            return DROP if luck.fires(act.loss, certain=False) else 0.0
        if isinstance(act, Delay):
            return act.seconds + act.jitter * luck.fraction() if act.jitter else act.seconds
        if isinstance(act, Police | Shape):
            bucket = self._bucket(act, from_client, now, pair, shared)
            size = packet.total_length
            if isinstance(act, Police):
                return bucket.police(size, now)
            return bucket.shape(size, now, act.queue)
        return 0.0

    def _bucket(
        self,
        act: Police | Shape,
        from_client: bool,
        now: float,
        pair: tuple[bytes, bytes],
        shared: Buckets,
    ) -> Bucket:
        if act.per != "flow":
            ends = pair if act.per == "pair" else (b"", b"")
            return shared.find((act.name, from_client, *ends), act, now)
        bucket = self._buckets.get(from_client)
        if bucket is None:
            bucket = self._buckets[from_client] = Bucket(act.rate, act.burst, now)
        return bucket

    def _cut(
        self, act: Cut, gauge: Gauge | None, packet: Packet, from_client: bool, now: float
    ) -> float:
        fresh, self.fresh = self.fresh, False
        if gauge is None:
            return 0.0
        if gauge.cut_at == inf and act.seconds is not None and now > gauge.since + act.seconds:
            gauge.cut_at = gauge.since + act.seconds
        length = packet.payload_length
        counts = heads(act.counting, from_client) and (length or not act.data_only)
        if gauge.cut_at == inf and counts and not fresh:
            gauge.left -= 1
            gauge.room -= length
            if gauge.left < 0 or gauge.room < 0:
                gauge.cut_at = now
        return DROP if gauge.cut_at <= now and heads(act.toward, from_client) else 0.0


class Shelf:
    """How many packets are held, at most `limit`: the box has no more room."""

    __slots__ = ("_until", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._until: list[float] = []

    def take(self, until: float, now: float) -> bool:
        """Find room for a packet that leaves at `until`; say whether there is."""
        while self._until and self._until[0] <= now:
            heappop(self._until)
        if len(self._until) >= self.limit:
            return False
        heappush(self._until, until)
        return True
