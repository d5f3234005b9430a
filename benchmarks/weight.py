"""Measure what the engine weighs and how its pace bears it: a million names, all flows at once.

python -m benchmarks.weight names|flows       prints one JSON object

Each is measured in a process of its own, by what the process holds more at the end.
"""

from __future__ import annotations

import gc
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import offline
from benchmarks.mix import BLOCKED, opening, policy
from censor.drivers import document
from censor.engine.engine import Engine
from censor.policy.loader import load

NAMES = 1_000_000
FLOWS = 100_000
#: So many conversations more begin than the engine may remember.
TOO_MANY = 20_000
PACKETS = 100_000


def names(rounds: int = 3) -> dict[str, Any]:
    """Load a policy of a million names from a file; measure seconds, bytes and pace."""
    blocked = [f"blocked-{n}.example" for n in range(BLOCKED)]
    small = load(policy(blocked))
    with tempfile.TemporaryDirectory() as folder:
        listed, written = Path(folder) / "names.txt", Path(folder) / "policy.json"
        with listed.open("w") as file:
            file.writelines(f"{name}\n" for name in blocked)
            file.writelines(f"host-{n}.zone-{n % 7919}.example\n" for n in range(NAMES - BLOCKED))
        given = policy(blocked)
        for rule in given["rules"]:
            for key, want in rule["when"].items():
                if isinstance(want, dict):
                    rule["when"][key] = {"suffix": {"file": str(listed)}}
        written.write_text(json.dumps(given))
        gc.collect()
        before, begin = held(), time.monotonic()
        large = load(document.read(written))
        seconds, size = time.monotonic() - begin, held() - before
    packets = offline.packets(PACKETS)
    paces = [
        {"names": offline.pace(packets, large).rate, "few": offline.pace(packets, small).rate}
        for _ in range(rounds)
    ]
    return {"seconds": seconds, "bytes": size, "paces": paces}


def flows() -> dict[str, Any]:
    """Open more conversations than may be remembered; measure bytes, and count evictions."""
    engine = Engine(load(policy(["blocked.example"]) | {"limits": {"flows": FLOWS}}))
    gc.collect()
    before = held()
    evicted = 0
    for arrival in opening(FLOWS + TOO_MANY):
        decision = engine.receive(arrival.packet, now=arrival.now, inside=arrival.inside)
        evicted += sum(event.event == "evicted" for event in decision.events)
    return {"bytes": held() - before, "evicted": evicted}


def held() -> int:
    """Return how many bytes this process holds in memory."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


if __name__ == "__main__":
    print(json.dumps({"names": names, "flows": flows}[sys.argv[1]]()))
