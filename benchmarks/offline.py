"""Feed the stated mix to the engine on one core, without a kernel in between.

Seconds are the process's own, so that what else the machine does counts less.
"""

from __future__ import annotations

import gc
import time
from collections import Counter
from dataclasses import dataclass

from benchmarks.mix import POLICY, mix
from censor.engine import Engine
from censor.policy import load


@dataclass(frozen=True, slots=True)
class Pace:
    """Packets per second, and how many acts the engine did on the way."""

    rate: float
    acts: int


def paces(count: int, rounds: int, *, seed: int = 0) -> list[Pace]:
    """Measure `rounds` times, each with a fresh engine and the same `count` packets."""
    packets = [(a.packet, a.now, a.inside) for a in mix(count, seed=seed)]
    gc.collect()
    gc.freeze()  # the packets themselves are not the engine's garbage
    return [_pace(packets) for _ in range(rounds)]


def _pace(packets: list[tuple[bytes, float, bool]]) -> Pace:
    engine = Engine(load(POLICY))
    receive = engine.receive
    events: Counter[str] = Counter()
    begin = time.process_time()
    for packet, now, inside in packets:
        decision = receive(packet, now=now, inside=inside)
        for event in decision.events:
            events[type(event).__name__] += 1
    seconds = time.process_time() - begin
    return Pace(len(packets) / seconds, sum(events.values()))


if __name__ == "__main__":
    for pace in paces(200_000, 3):
        print(f"{pace.rate:,.0f} packets/s, {pace.acts} events")
