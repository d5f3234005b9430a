"""Measure throughput through the box, contender by contender; run inside namespaces of its own.

Contenders take turns, round by round, so that what else the machine does falls on all alike.
Prints one JSON object: name -> list of {"rate", "lost"}.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from benchmarks.contender import CONTENDERS, build
from benchmarks.ground import Passage, lay_out, transfer


def measure(rounds: int, seconds: float) -> dict[str, list[Passage]]:
    """Let each contender stand in the box once a round."""
    passages: dict[str, list[Passage]] = {contender.name: [] for contender in CONTENDERS}
    lay_out()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build(folder)
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
            for contender in CONTENDERS:
                with contender.stand(folder):
                    passages[contender.name].append(transfer(seconds))
    return passages


if __name__ == "__main__":
    found = measure(int(sys.argv[1]), float(sys.argv[2]))
    print(json.dumps({name: [asdict(p) for p in each] for name, each in found.items()}))
