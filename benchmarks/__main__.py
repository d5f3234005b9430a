"""Run the whole bench: `python -m benchmarks [--rounds N] [--seconds S] [--only WORD]...`.

Prints one table and writes benchmarks/latest.json. It takes about three minutes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import offline, standing, table
from benchmarks.contender import CONTENDERS, LATENCY, LOOP, OURS, PLAIN
from benchmarks.table import Row
from filterbed.trial import SCRATCH

PACKETS = 200_000
OFFLINE_AIM = 250_000  # packets/s on one core
AIMS = {"our censor, settled flows": 0.95, OURS: 0.85}
#: Milliseconds a packet may wait for being looked at, and a forged one may be late: half of them,
#: and nineteen of twenty.
ADDED_AIM, LATE_AIM, LATEST_AIM = 0.2, 0.5, 1.0
#: What a million names, and a hundred thousand flows, may take.
PACE_AIM, LOAD_AIM, NAMES_AIM, FLOWS_AIM = 0.9, 3.0, 250.0, 100.0
PARTS = ("forwarding", "offline", "weight", "standing")


def main() -> int:
    """Measure what was asked for; 0, or 3 where a part could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each transfer")
    parser.add_argument("--only", action="append", choices=PARTS)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("latest.json"))
    options = parser.parse_args()
    parts = options.only or PARTS
    about = table.machine()
    rows: list[Row] = []
    try:
        if "forwarding" in parts:
            rows += forwarding(options.rounds, options.seconds)
        if "offline" in parts:
            rows += engine(options.rounds)
        if "weight" in parts:
            rows += weight()
        if "standing" in parts:
            rows += grounds(options.rounds)
    except RuntimeError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 3
    print(table.text(rows, about))
    table.write(options.out, rows, about)
    return 0


def forwarding(rounds: int, seconds: float) -> list[Row]:
    """Measure the contenders in namespaces that end with this process."""
    command = [*SCRATCH, "--mount-proc", sys.executable, "-m", "benchmarks.inside"]
    done = subprocess.run(
        [*command, str(rounds), str(seconds)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError("forwarding could not be measured; see above, and `filterbed doctor`")
    found = json.loads(done.stdout)
    return [*_bulk(found["bulk"]), *_small(found["small"]), *_waits(found["echo"], found["late"])]


def _bulk(passages: dict[str, list[dict[str, Any]]]) -> list[Row]:
    rates = {name: tuple(p["rate"] / 1e9 for p in each) for name, each in passages.items()}
    return [
        Row(
            name=contender.name,
            samples=rates[contender.name],
            unit="Gbit/s",
            against=contender.against,
            base=rates[contender.against],
            aim=AIMS.get(contender.name),
            lost=sum(p["lost"] for p in passages[contender.name]) if contender.queue else None,
        )
        for contender in CONTENDERS
    ]


def _small(passages: dict[str, list[dict[str, Any]]]) -> list[Row]:
    """Say how many small packets pass."""
    rates = {name: tuple(p["packets"] for p in each) for name, each in passages.items()}
    return [
        Row(
            name=f"small packets: {contender.name}",
            samples=rates[contender.name],
            unit="packets/s",
            against=f"small packets: {contender.against}",
            base=rates[contender.against],
            aim=AIMS.get(contender.name),
            lost=sum(p["lost"] for p in passages[contender.name]) if contender.queue else None,
        )
        for contender in CONTENDERS
        if contender.closely
    ]


def _waits(echo: dict[str, list[float]], late: list[list[float]]) -> list[Row]:
    """Say how long a packet waits for us, one way, and how late what we forge is, in ms."""
    rows = []
    for name, aim in ((LOOP, None), (OURS, 1.0)):
        added = [(a - b) * 500 for a, b in zip(echo[name], echo[PLAIN], strict=True)]
        against = f"aim: {ADDED_AIM:g} ms"
        rows.append(Row(f"added one way: {name}", tuple(added), "ms", against, (ADDED_AIM,), aim))
    errors = [sorted((delay - LATENCY) * 1e3 for delay in one) for one in late]
    middle = tuple(median(one) for one in errors)
    most = tuple(one[len(one) * 95 // 100] for one in errors)
    for name, samples, aim in (
        ("forged late by, median", middle, LATE_AIM),
        ("forged late by, 95th percentile", most, LATEST_AIM),
    ):
        rows.append(Row(name, samples, "ms", f"aim: {aim:g} ms", (aim,), 1.0))
    return rows


def engine(rounds: int) -> list[Row]:
    """Measure the engine on the stated mix."""
    samples = tuple(pace.rate for pace in offline.paces(PACKETS, rounds))
    against = f"aim: {OFFLINE_AIM:,} packets/s"
    name = "engine offline, every dissector on"
    return [Row(name, samples, "packets/s", against, (OFFLINE_AIM,), 1.0)]


def weight() -> list[Row]:
    """Measure what a million names and a hundred thousand flows weigh."""
    names, flows = _weigh("names"), _weigh("flows")
    fast = tuple(pace["names"] for pace in names["paces"])
    few = tuple(pace["few"] for pace in names["paces"])
    weights = (
        ("a million names, loaded", names["seconds"], "s", LOAD_AIM),
        ("a million names, memory", names["bytes"] / 1e6, "MB", NAMES_AIM),
        ("100,000 flows, unsettled", flows["bytes"] / 1e6, "MB", FLOWS_AIM),
    )
    pace = Row("engine, a million names", fast, "packets/s", "with 5,000", few, PACE_AIM)
    return [pace] + [
        Row(name, (value,), unit, f"aim: {aim:g} {unit}", (aim,), 1.0)
        for name, value, unit, aim in weights
    ]


def _weigh(what: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.weight", what]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed; see above")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def grounds(rounds: int) -> list[Row]:
    """Measure standing up and tearing down."""
    samples: dict[str, list[float]] = {name: [] for name, _, _ in standing.GROUNDS}
    for _ in range(rounds):
        for name, scenario, _ in standing.GROUNDS:
            samples[name].append(standing.stand(scenario))
    rows = [
        Row(name, tuple(samples[name]), "s", f"aim: {aim:g} s", (aim,), 1.0)
        for name, _, aim in standing.GROUNDS
    ]
    seconds, megabytes = zip(*(standing.hundred() for _ in range(rounds)), strict=True)
    for kind, found, unit, aim in (
        ("", seconds, "s", standing.HUNDRED_SECONDS),
        (", memory", megabytes, "MB", standing.HUNDRED_MEGABYTES),
    ):
        rows.append(Row(standing.HUNDRED + kind, found, unit, f"aim: {aim:g} {unit}", (aim,), 1.0))
    return rows


if __name__ == "__main__":
    raise SystemExit(main())
