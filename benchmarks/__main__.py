"""Run the whole bench: `python -m benchmarks [--rounds N] [--seconds S] [--only WORD]...`.

Prints one table and writes benchmarks/latest.json. It takes about a minute and a half.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from benchmarks import offline, standing, table
from benchmarks.contender import CONTENDERS
from benchmarks.table import Row
from filterbed.trial import SCRATCH

PACKETS = 200_000
OFFLINE_AIM = 200_000  # packets/s on one core
AIMS = {"our censor, settled flows": 0.95, "our censor, every packet": 0.8}
PARTS = ("forwarding", "offline", "standing")


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
    passages = json.loads(done.stdout)
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


def engine(rounds: int) -> list[Row]:
    """Measure the engine on the stated mix."""
    samples = tuple(pace.rate for pace in offline.paces(PACKETS, rounds))
    against = f"aim: {OFFLINE_AIM:,} packets/s"
    return [Row("engine offline, stated mix", samples, "packets/s", against, (OFFLINE_AIM,), 1.0)]


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
