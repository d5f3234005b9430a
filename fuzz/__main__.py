"""Run the fuzzer: `python -m fuzz [--cases N] [--seconds S] [--blind] [TARGET...]`.

Each target runs in a process of its own, under atheris (libFuzzer), which looks for inputs that
reach code no input reached before. A case that takes longer than `HANG` seconds or more than
`MEMORY` MB is a finding, as is any exception. What is found is kept in fuzz/found/. `--blind` does
without atheris: real packets cut, spliced and damaged by chance, with nothing to guide it.

Exit status: 0 nothing found, 1 something found, 3 atheris is not installed.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Final

ROOT: Final = Path(__file__).parents[1]
FOUND: Final = ROOT / "fuzz" / "found"

#: Of one case: seconds, megabytes of the whole process, bytes of input.
HANG: Final = 5
MEMORY: Final = 1024
LONGEST: Final = 8192

_UNITS = re.compile(r"stat::number_of_executed_units:\s+(\d+)")
_COVERED = re.compile(r"cov: (\d+)")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one target. coverage: None when fuzzed blindly."""

    target: str
    cases: int
    seconds: float
    coverage: int | None
    found: str


def fuzz(target: str, cases: int, seconds: float) -> Outcome:
    """Fuzz one target in a child process."""
    from fuzz.seed import seeds

    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(seeds(target)):
            Path(folder, f"{number:04}").write_bytes(seed[:LONGEST])
        FOUND.mkdir(exist_ok=True)
        begin = time.monotonic()
        done = subprocess.run(
            [
                *(sys.executable, "-m", "fuzz", "--child", target),
                *(folder, f"-runs={cases}", f"-max_total_time={max(1, round(seconds))}"),
                *(f"-timeout={HANG}", f"-rss_limit_mb={MEMORY}", f"-max_len={LONGEST}"),
                *("-seed=1", "-print_final_stats=1", f"-artifact_prefix={FOUND}/{target}-"),
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        spent = time.monotonic() - begin
    told = done.stdout + done.stderr
    units, covered = _UNITS.search(told), _COVERED.findall(told)
    found = "" if done.returncode == 0 else told[-3000:] or f"exit status {done.returncode}"
    coverage = int(covered[-1]) if covered else 0
    return Outcome(target, int(units[1]) if units else 0, spent, coverage, found)


def blind(target: str, cases: int, seconds: float) -> Outcome:
    """Try damaged real packets, without guidance."""
    from fuzz.seed import damaged, seeds
    from fuzz.target import TARGETS

    luck, sources, run = Random(target), seeds(target), TARGETS[target]
    begin = time.monotonic()
    for case in range(cases):
        if time.monotonic() - begin > seconds:
            return Outcome(target, case, time.monotonic() - begin, None, "")
        data = damaged(sources, luck)[:LONGEST]
        try:
            run(data)
        except Exception:
            FOUND.mkdir(exist_ok=True)
            FOUND.joinpath(f"{target}-blind").write_bytes(data)
            spent = time.monotonic() - begin
            return Outcome(target, case, spent, None, traceback.format_exc())
    return Outcome(target, cases, time.monotonic() - begin, None, "")


def _child(target: str, options: list[str]) -> None:
    import atheris

    with atheris.instrument_imports(include=["censor"]):
        from fuzz.target import TARGETS
    atheris.Setup([sys.argv[0], *options], TARGETS[target])
    atheris.Fuzz()


def main(argv: list[str] | None = None) -> int:
    """Run what was asked for, and print a table."""
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] == ["--child"]:
        _child(argv[1], argv[2:])
    from fuzz.target import TARGETS

    parser = argparse.ArgumentParser("python -m fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=2_000, help="of each target")
    parser.add_argument("--seconds", type=float, default=60, help="of each target, at most")
    parser.add_argument("--blind", action="store_true", help="do without atheris")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    asked = parser.parse_args(argv)
    if unknown := sorted(set(asked.targets) - set(TARGETS)):
        parser.error(f"{', '.join(unknown)}: expected some of {', '.join(TARGETS)}")
    if not asked.blind and find_spec("atheris") is None:
        print(
            "fuzz: atheris is not installed; `make fuzz` installs it, or --blind", file=sys.stderr
        )
        return 3
    way = blind if asked.blind else fuzz
    outcomes = []
    for target in asked.targets or TARGETS:
        outcomes.append(way(target, asked.cases, asked.seconds))
        print(_row(outcomes[-1]), flush=True)
    print(_summary(outcomes, "blindly" if asked.blind else "atheris"))
    return 1 if any(one.found for one in outcomes) else 0


def _row(one: Outcome) -> str:
    covered = "" if one.coverage is None else f"{one.coverage:6} edges"
    told = f"\n{one.found}" if one.found else ""
    return f"{one.target:14}{one.cases:10,} cases{one.seconds:8.1f} s{covered:>14}{told}"


def _summary(outcomes: list[Outcome], way: str) -> str:
    cases, found = sum(one.cases for one in outcomes), sum(bool(one.found) for one in outcomes)
    when = datetime.now(UTC).strftime("%Y-%m-%d")
    machine = f"Python {platform.python_version()}, {os.cpu_count()} cores"
    return f"{when}: {cases:,} cases ({way}; {machine}), {found} targets with findings"


if __name__ == "__main__":
    sys.exit(main())
