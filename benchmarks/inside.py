"""Measure what passes through the box, contender by contender; run inside namespaces of its own.

Contenders take turns, round by round, so that what else the machine does falls on all alike.
Prints one JSON object: `bulk` and `small` (name -> list of {"rate", "packets", "lost"}), `echo`
(name -> list of median round trips in seconds), `late` (a list of delays in seconds a round).
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.contender import CONTENDERS, beside, build
from benchmarks.ground import SMALL, delays, lay_out, round_trip, transfer


def measure(rounds: int, seconds: float) -> dict[str, Any]:
    """Let each contender stand in the box once a round."""
    bulk: dict[str, list[Any]] = defaultdict(list)
    small: dict[str, list[Any]] = defaultdict(list)
    echo: dict[str, list[float]] = defaultdict(list)
    late: list[list[float]] = []
    lay_out()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build(folder)
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
            for contender in CONTENDERS:
                with contender.stand(folder):
                    bulk[contender.name].append(asdict(transfer(seconds)))
                    if contender.closely:
                        small[contender.name].append(asdict(transfer(seconds, SMALL)))
                        echo[contender.name].append(round_trip())
            with beside(folder):
                late.append(delays())
    return {"bulk": bulk, "small": small, "echo": echo, "late": late}


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]), float(sys.argv[2]))))
