"""Feed the stated mix to the engine on one core, without a kernel in between.

Seconds are the process's own, so that what else the machine does counts less.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.mix import POLICY, mix
from censor.drivers import garbage
from censor.engine.engine import Engine
from censor.policy.loader import load
from censor.rule.rules import Policy


@dataclass(frozen=True, slots=True)
class Pace:
    """Packets per second, and how many events the engine told on the way."""

    rate: float
    events: int


def paces(count: int, rounds: int, *, seed: int = 0) -> list[Pace]:
    """Measure `rounds` times, each with a fresh engine and the same `count` packets."""
    policy = load(POLICY)
    given = packets(count, seed=seed)
    return [pace(given, policy) for _ in range(rounds)]


def packets(count: int, *, seed: int = 0) -> list[tuple[bytes, float, bool]]:
    """Return packets of the stated mix, which are not the engine's garbage."""
    found = [(a.packet, a.now, a.inside) for a in mix(count, seed=seed)]
    garbage.spare()
    return found


def pace(given: Sequence[tuple[bytes, float, bool]], policy: Policy) -> Pace:
    """Feed them to a fresh engine."""
    receive = Engine(policy).receive
    events = 0
    begin = time.process_time()
    for packet, now, inside in given:
        events += len(receive(packet, now=now, inside=inside).events)
    seconds = time.process_time() - begin
    return Pace(len(given) / seconds, events)


if __name__ == "__main__":
    for one in paces(200_000, 3):
        print(f"{one.rate:,.0f} packets/s, {one.events} events")
