"""The table of a bench: its rows, their ratios, and the two ways it is written."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

#: How each unit's values are printed.
FORMATS = {
    "Gbit/s": "{:.2f}",
    "packets/s": "{:,.0f}",
    "s": "{:.2f}",
    "ms": "{:.3f}",
    "MB": "{:.0f}",
}
#: Of these, less is better.
COSTS = frozenset(("s", "ms", "MB"))

#: A load average per core above which figures are not to be trusted.
BUSY = 0.5


@dataclass(frozen=True, slots=True)
class Row:
    """One thing measured: the median of `samples`, and what it is set against.

    `against` is another row's name, or an aim such as "aim: 1 s"; `base` is that row's samples, of
    the same rounds, or the aim alone. The ratio is the median of the rounds' own ratios, so that
    what else the machine did in a round does not count.
    `aim` is the ratio hoped for, None where none is; a cost is to stay below its aim.
    """

    name: str
    samples: tuple[float, ...]
    unit: str
    against: str
    base: tuple[float, ...]
    aim: float | None = None
    lost: int | None = None

    @property
    def value(self) -> float:
        return median(self.samples)

    @property
    def ratio(self) -> float:
        bases = self.base if len(self.base) > 1 else self.base * len(self.samples)
        return median(own / base for own, base in zip(self.samples, bases, strict=True))

    @property
    def fell_short(self) -> bool:
        if self.aim is None:
            return False
        return self.ratio > self.aim if self.unit in COSTS else self.ratio < self.aim

    def document(self) -> dict[str, Any]:
        """Return what benchmarks/latest.json says of it."""
        return {
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "against": self.against,
            "ratio": self.ratio,
            "low": min(self.samples),
            "high": max(self.samples),
            "samples": len(self.samples),
            "packets_lost": self.lost,
            "aim": self.aim,
        }


def machine() -> dict[str, Any]:
    """Say on what machine, and when, this was measured."""
    return {
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "python": platform.python_version(),
        "rmem_max": int(Path("/proc/sys/net/core/rmem_max").read_text()),
        "load": os.getloadavg()[0],
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "unknown"


def text(rows: Sequence[Row], about: dict[str, Any]) -> str:
    """Lay the rows out for a terminal."""
    head = ("", "median", "range", "unit", "ratio", "aim", "against", "lost")
    cells = [head, *map(_cells, rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in cells]
    lines.insert(1, "  ".join("-" * width for width in widths))
    lines.append("")
    lines.append(
        "{processor}, {cores} cores, Linux {kernel}, Python {python}, load {load:.1f}, {date}; "
        "queues had the usual receive buffer of 212,992 bytes".format(**about)
    )
    if about["load"] > BUSY * about["cores"]:
        lines.append(
            "The machine was busy when this began: rates are low, and ratios less certain."
        )
    return "\n".join(line.rstrip() for line in lines)


def _cells(row: Row) -> tuple[str, ...]:
    form = FORMATS[row.unit].format
    aim = "" if row.aim is None else f"{row.aim:.2f}" + (" missed" if row.fell_short else "")
    return (
        row.name,
        form(row.value),
        f"{form(min(row.samples))} to {form(max(row.samples))}",
        row.unit,
        f"{row.ratio:.2f}",
        aim,
        row.against,
        "" if row.lost is None else f"{row.lost:,}",
    )


def write(path: Path, rows: Sequence[Row], about: dict[str, Any]) -> None:
    """Write the machine and the rows as JSON."""
    document = {"machine": about, "results": [row.document() for row in rows]}
    path.write_text(json.dumps(document, indent=2) + "\n")
