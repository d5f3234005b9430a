"""Run scenarios: make the order, follow the sandbox, judge what it brings back."""

from __future__ import annotations

import json
import os
import pickle
import platform
import re
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from filterbed import __version__, judge, rundir, visibility
from filterbed.order import BUILT_IN, RESULT, Order, Probe, Result
from filterbed.provenance import versions
from filterbed.rundir import RunDir
from filterbed.sandbox.launch import Sandbox
from filterbed.score import Row, exit_status
from scenarios.clock import paced, resolved
from scenarios.error import ScenarioError
from scenarios.library import find
from scenarios.loader import load
from scenarios.model import Scenario
from scenarios.timeline import phases

SCHEMA = "filterbed/run-1"
USAGE, LACKS, INVALID, INTERRUPTED = 2, 3, 4, 130
_NAME = re.compile(r"[\w.+-]{1,64}")


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


@dataclass(slots=True)
class Finished:
    """One scenario's run as the command reports it."""

    scenario: str
    directory: str | None
    status: int
    valid: bool
    invalid_because: list[str] = field(default_factory=list)
    summary: dict[str, Any] | None = None
    rows: list[Row] = field(default_factory=list)
    unknown: dict[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the object of the contract's `runs` list."""
        return {
            "scenario": self.scenario,
            "dir": self.directory,
            "valid": self.valid,
            "invalid_because": self.invalid_because,
            "summary": self.summary,
        }


class UsageError(Exception):
    """The command line asks for what is not there; exit 2."""


def main(names: Sequence[str], command: Sequence[str], **given: Any) -> int:
    """Run `names` (scenarios, paths, packs) and return the exit status."""
    options = Options(**given)
    try:
        scenarios = _load_all(names)
        probes = _probes(options, command)
        for scenario in scenarios:
            _subset(scenario, options)
        _writable(options.junit)
    except UsageError as error:
        click.echo(str(error), err=True)
        if options.as_json:
            _report([], options, USAGE)
        return USAGE
    signal.signal(signal.SIGTERM, _terminated)
    finished: list[Finished] = []
    status = 0
    try:
        if options.jobs > 1 and len(scenarios) > 1:
            from filterbed import jobs

            jobs.run(scenarios, command, options, finished)
        else:
            for scenario in scenarios:
                finished.append(run(scenario, probes, options))
        status = exit_status(f.status for f in finished)
    except KeyboardInterrupt:
        click.echo("filterbed: interrupted", err=True)
        status = INTERRUPTED
        done = {f.scenario for f in finished}
        finished += [
            Finished(s.name, None, INTERRUPTED, False, [rundir.INTERRUPTED])
            for s in scenarios
            if s.name not in done
        ]
    _report(finished, options, status)
    return status


def _writable(path: Path | None) -> None:
    """Refuse a file for results that cannot be written before anything is started."""
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a"):
            pass
    except OSError as error:
        raise UsageError(f"--junit {path}: {error.strerror}") from error


def run(scenario: Scenario, probes: tuple[Probe, ...], options: Options) -> Finished:
    """Run one scenario in a sandbox of its own and judge it."""
    vantages, targets = _subset(scenario, options)
    scenario = paced(scenario, options.clock_rate)
    started = time.time()
    head = {
        "schema": SCHEMA,
        "filterbed": __version__,
        "scenario": scenario.name,
        "title": scenario.title,
        "seed": options.seed,
        "clock_rate": options.clock_rate,
        "idle": options.idle,
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        "kernel": platform.release(),
        "tools": [p.name for p in probes],
        "versions": versions(),
    }
    try:
        directory = rundir.create(options.out, scenario.name, head)
    except OSError as error:
        click.echo(f"filterbed: {options.out} cannot be written: {error.strerror}", err=True)
        return Finished(scenario.name, None, LACKS, False, [str(error)])
    judge.refuse(directory, scenario, head, options.seed, [rundir.INTERRUPTED])
    policies = resolved(scenario, options.clock_rate)
    directory.write_json("policy.json", policies)
    order = _order(scenario, probes, options, directory, vantages, targets, policies)
    try:
        failed = _follow(order, options)
        return _judged(scenario, order, directory, head, started, failed)
    finally:
        if not options.keep:
            for path in directory.path.glob(".*"):
                path.unlink()


def _judged(
    scenario: Scenario,
    order: Order,
    directory: RunDir,
    head: dict[str, Any],
    started: float,
    failed: tuple[str, int] | None,
) -> Finished:
    """Judge what the sandbox brought back, or say why it brought nothing."""
    if failed is not None:
        message, status = failed
        reasons = [message]
        judge.refuse(directory, scenario, head, order.seed, reasons)
        click.echo(f"filterbed: {scenario.name}: {message}", err=True)
        if status == LACKS:
            click.echo("filterbed: `filterbed doctor` says what this machine lacks", err=True)
        return Finished(scenario.name, str(directory.path), status, False, reasons)
    result: Result = pickle.loads((directory.path / RESULT).read_bytes())
    verdict = judge.judge(scenario, order, directory, result, head, started)
    return Finished(
        scenario.name,
        str(directory.path),
        verdict.status,
        verdict.valid,
        verdict.reasons,
        verdict.summary,
        verdict.rows,
        verdict.unknown,
    )


def _order(
    scenario: Scenario,
    probes: tuple[Probe, ...],
    options: Options,
    directory: RunDir,
    vantages: tuple[str, ...],
    targets: tuple[str, ...],
    policies: dict[str, Any],
) -> Order:
    cwd = os.getcwd()
    env = dict(os.environ)
    seen = visibility.decide(
        argv=[word for probe in probes for word in probe.argv],
        cwd=cwd,
        env=env,
        out=options.out,
        directories=[directory.path],
        scenario=scenario.path,
    )
    return Order(
        mode="run",
        scenario=scenario,
        directory=str(directory.path.resolve()),
        policies=policies,
        vantages=vantages,
        targets=targets,
        phases=phases(scenario, options.clock_rate),
        seed=options.seed,
        clock_rate=options.clock_rate,
        idle=options.idle,
        timeout=options.timeout,
        probes=probes,
        env=env,
        cwd=cwd,
        keep=seen.keep,
        hidden=seen.hidden,
        covered=seen.covered,
        keep_work=options.keep,
    )


def _follow(order: Order, options: Options) -> tuple[str, int] | None:
    """Start the sandbox and wait for it; return (message, exit status) where it failed."""
    sandbox = Sandbox(stdout=2, stderr=2)
    sandbox.send(order, write=[order.directory])
    failed: tuple[str, int] | None = None
    begun = time.monotonic()
    try:
        for line in sandbox.lines():
            if "say" in line and not options.as_json:
                seconds = time.monotonic() - begun
                click.echo(f"{seconds:6.1f} s  {order.scenario.name}: {line['say']}", err=True)
            if "failed" in line:
                failed = (line["failed"], line["status"])
        status = sandbox.wait()
    except BaseException:
        sandbox.end()
        raise
    if failed is None and (status < 0 or status > 128):
        number = -status if status < 0 else status - 128
        name = signal.Signals(number).name if number in list(signal.Signals) else str(number)
        failed = (f"the sandbox was killed by {name}, by hand or for want of memory", INVALID)
    elif failed is None and status != 0:
        failed = (f"the sandbox ended with status {status}; what it said is above", LACKS)
    return failed


def _load_all(names: Sequence[str]) -> list[Scenario]:
    """Load every scenario named; all errors of all files at once, nothing started.

    Raises: UsageError with every error's own text.
    """
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


def _probes(options: Options, command: Sequence[str]) -> tuple[Probe, ...]:
    """Return the probes that are asked for, built-in ones first; each has a name of its own."""
    for name in options.probes:
        if name not in BUILT_IN:
            raise UsageError(f"no probe {name!r}; built in: {', '.join(BUILT_IN)}")
    probes = [Probe(name, ()) for name in options.probes]
    if command:
        if shutil.which(command[0]) is None and not os.path.exists(command[0]):
            raise UsageError(f"{command[0]!r}: command not found")
        name = options.name or os.path.basename(command[0])
        probes.append(Probe(name, _absolute(command)))
    elif options.name:
        raise UsageError(f"--name {options.name}: there is no COMMAND to call so")
    probes = probes or [Probe("webcheck", ())]
    for number, probe in enumerate(probes):
        if not _NAME.fullmatch(probe.name):
            raise UsageError(
                f"--name {probe.name!r}: expected letters, digits and . _ - +, at most 64"
            )
        if probe.name in [other.name for other in probes[:number]]:
            raise UsageError(f"two probes are called {probe.name!r}; give one another --name")
    return tuple(probes)


def _absolute(command: Sequence[str]) -> tuple[str, ...]:
    return (shutil.which(command[0]) or os.path.abspath(command[0]), *command[1:])


def _subset(scenario: Scenario, options: Options) -> tuple[tuple[str, ...], tuple[str, ...]]:
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


def _terminated(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _report(finished: Sequence[Finished], options: Options, status: int) -> None:
    from filterbed import junit, scoreboard

    if options.junit is not None:
        options.junit.write_text(junit.document(finished), "utf-8")
    if options.as_json:
        document = {
            "schema": SCHEMA,
            "exit": status,
            "runs": [f.to_json() for f in finished],
        }
        sys.stdout.write(json.dumps(document, indent=2, allow_nan=False) + "\n")
        return
    scoreboard.show(finished)
