"""See on the wire how long after their triggers forged packets left, against what the policy says.

Both ends are the kernel's own time stamps, in the captures on the box's interfaces: when the packet
that drew the forgery came in, and when the forgery went out. The error is what lies between them,
less what the log says the policy wants (`after`: the box's latency, or an injector's own).
Limits:  a packet that the kernel forwarded without asking draws nothing; what a timer forges has
         no trigger. Forgeries that cannot be found on the wire are the audit's business.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import ceil
from statistics import median
from typing import Any

from filterbed.audit import SLACK, Scene, Tap
from filterbed.pcapng import CaptureError, read
from filterbed.wire import IPV4, Tally, crossing, zeroed


def summary(errors: Sequence[float]) -> dict[str, Any]:
    """Return what run.json holds for one box: seconds by which forgeries left after their time.

    The 95th percentile is by nearest rank; all but `count` are null where nothing was forged.
    """
    if not errors:
        return {"count": 0, "median": None, "p95": None, "max": None}
    ordered = sorted(errors)
    rank = ceil(0.95 * len(ordered)) - 1
    return {
        "count": len(ordered),
        "median": round(median(ordered), 6),
        "p95": round(ordered[rank], 6),
        "max": round(ordered[-1], 6),
    }


def errors(scene: Scene, events: Iterable[Mapping[str, Any]]) -> list[float]:
    """Return for every forged packet by how many seconds it left later than the policy says.

    Args:    events: its censor's, in order.
    """
    forged = [event for event in events if event.get("event") == "injected" and event.get("n")]
    if not forged:
        return []
    try:
        frames = read(scene.door).frames
        wire = _Wire(scene.taps)
    except (OSError, CaptureError):
        return []  # the audit has said so
    found = []
    for event in forged:
        if not int(event["n"]) <= len(frames):
            continue
        trigger = frames[int(event["n"]) - 1]
        came = wire.came(zeroed(trigger.data), trigger.at)
        if came is None:
            continue
        left = [wire.left(bytes.fromhex(text), came) for text in event.get("packets") or ()]
        found += [(at - came) / 1e9 - float(event["after"]) for at in left if at is not None]
    return found


class _Wire:
    """When each packet came and left, in nanoseconds, by all of it but what the kernel fills in."""

    def __init__(self, taps: Iterable[Tap]) -> None:
        self._entered: dict[bytes, list[int]] = defaultdict(list)
        self._left: dict[bytes, list[int]] = defaultdict(list)
        for tap in taps:
            mac = bytes.fromhex(tap.mac.replace(":", ""))
            tally = Tally()
            for frame in read(tap.path).frames:
                packet = crossing(frame, mac, frozenset(), tally)
                if packet is not None:
                    where = self._entered if packet.entered else self._left
                    where[_name(packet.key)].append(frame.at)
        for times in (*self._entered.values(), *self._left.values()):
            times.sort()

    def came(self, key: bytes, asked: int) -> int | None:
        """Return when the packet came in that was at the door at `asked`."""
        times = self._entered.get(_name(key), [])
        place = bisect_right(times, asked + SLACK)
        return times[place - 1] if place else None

    def left(self, packet: bytes, since: int) -> int | None:
        """Return when the forged packet left after `since`, once for each time it was forged."""
        times = self._left.get(_name(zeroed(packet)), [])
        place = bisect_right(times, since)
        return times.pop(place) if place < len(times) else None


def _name(key: bytes) -> bytes:
    """Leave out IPv4's identification: where it was forged as 0 the kernel may choose one."""
    return key[:4] + key[6:] if key[:1] and key[0] >> 4 == IPV4 else key
