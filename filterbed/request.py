"""Read what a run is asked for, and refuse what is not there before anything is started."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filterbed.order import BUILT_IN, Probe

if TYPE_CHECKING:
    from scenarios.model import Scenario

_NAME = re.compile(r"[\w.+-]{1,64}")


class UsageError(Exception):
    """The command line asks for what is not there; exit 2."""


@dataclass(frozen=True, slots=True)
class Options:
    """The options of `run`, as the contract names them."""

    out: Path = Path("runs")
    seed: int = 0
    clock_rate: float = 1.0
    jobs: int = 1
    timeout: float = 120.0
    vantages: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    idle: bool = False
    keep: bool = False
    as_json: bool = False
    junit: Path | None = None
    probes: tuple[str, ...] = ()
    name: str | None = None


def load_all(names: Sequence[str]) -> list[Scenario]:
    """Load every scenario named; all errors of all files at once, nothing started.

    Raises: UsageError with every error's own text.
    """
    from scenarios.error import ScenarioError
    from scenarios.library import find
    from scenarios.loader import load

    wrong: list[str] = []
    found: list[Scenario] = []
    for name in names:
        try:
            paths = find(name)
        except ScenarioError as error:
            wrong.append(str(error))
            continue
        for path in paths:
            try:
                found.append(load(path))
            except ScenarioError as error:
                wrong.append(str(error))
    if wrong:
        raise UsageError("\n".join(wrong))
    return found


def probes(options: Options, command: Sequence[str]) -> tuple[Probe, ...]:
    """Return the probes that are asked for, built-in ones first; each has a name of its own."""
    for name in options.probes:
        if name not in BUILT_IN:
            raise UsageError(f"no probe {name!r}; built in: {', '.join(BUILT_IN)}")
    found = [Probe(name, ()) for name in options.probes]
    if command:
        if shutil.which(command[0]) is None and not os.path.exists(command[0]):
            raise UsageError(f"{command[0]!r}: command not found")
        name = options.name or os.path.basename(command[0])
        found.append(Probe(name, _absolute(command)))
    elif options.name:
        raise UsageError(f"--name {options.name}: there is no COMMAND to call so")
    found = found or [Probe("webcheck", ())]
    for number, probe in enumerate(found):
        if not _NAME.fullmatch(probe.name):
            raise UsageError(
                f"--name {probe.name!r}: expected letters, digits and . _ - +, at most 64"
            )
        if probe.name in [other.name for other in found[:number]]:
            raise UsageError(f"two probes are called {probe.name!r}; give one another --name")
    return tuple(found)


def _absolute(command: Sequence[str]) -> tuple[str, ...]:
    return (shutil.which(command[0]) or os.path.abspath(command[0]), *command[1:])


def subset(scenario: Scenario, options: Options) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the vantages and targets that are asked for, in declared order."""
    names = tuple(t.name for t in scenario.targets)
    for wanted, there, what in (
        (options.vantages, scenario.vantages, "vantage"),
        (options.targets, names, "target"),
    ):
        for name in wanted:
            if name not in there:
                raise UsageError(
                    f"{scenario.name} has no {what} {name!r}; it has {', '.join(there)}"
                )
    return (
        tuple(v for v in scenario.vantages if not options.vantages or v in options.vantages),
        tuple(t for t in names if not options.targets or t in options.targets),
    )


def writable(path: Path | None) -> None:
    """Refuse a file for results that cannot be written before anything is started."""
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a"):
            pass
    except OSError as error:
        raise UsageError(f"--junit {path}: {error.strerror}") from error
