"""Run scenarios: make the order, follow the sandbox, judge what it brings back."""

from __future__ import annotations

import importlib
import json
import os
import pickle
import platform
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from filterbed import __version__, request, rundir, visibility
from filterbed.order import RESULT, Order, Probe, Result
from filterbed.request import Options, UsageError
from filterbed.rundir import RunDir
from filterbed.sandbox.launch import Sandbox

# What reads scenarios takes a third of a second to import, and what judges a tenth: functions do
# it, while a sandbox gets ready and while it runs.
if TYPE_CHECKING:
    from filterbed.score import Row
    from scenarios.model import Scenario

SCHEMA = "filterbed/run-1"
USAGE, LACKS, INVALID, INTERRUPTED = 2, 3, 4, 130


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


def main(names: Sequence[str], command: Sequence[str], **given: Any) -> int:
    """Run `names` (scenarios, paths, packs) and return the exit status."""
    options = Options(**given)
    signal.signal(signal.SIGTERM, _terminated)
    finished: list[Finished] = []
    scenarios: list[Scenario] = []
    first: Sandbox | None = None
    try:
        # Gets ready while the scenarios are read; several at once have each a process of its own.
        first = None if options.jobs > 1 else _sandbox()
        scenarios = request.load_all(names)
        probes = request.probes(options, command)
        for scenario in scenarios:
            request.subset(scenario, options)
        request.writable(options.junit)
        status = _run_all(scenarios, probes, command, options, finished, first)
    except UsageError as error:
        click.echo(str(error), err=True)
        if options.as_json:
            _report([], options, USAGE)
        return USAGE
    except KeyboardInterrupt:
        click.echo("filterbed: interrupted", err=True)
        status = INTERRUPTED
        done = {f.scenario for f in finished}
        finished += [
            Finished(s.name, None, INTERRUPTED, False, [rundir.INTERRUPTED])
            for s in scenarios
            if s.name not in done
        ]
    finally:
        if first is not None:
            first.end()
    _report(finished, options, status)
    return status


def _run_all(
    scenarios: Sequence[Scenario],
    probes: tuple[Probe, ...],
    command: Sequence[str],
    options: Options,
    finished: list[Finished],
    first: Sandbox | None,
) -> int:
    """Run the scenarios, `first` in this sandbox; return the exit status of all."""
    from filterbed.score import exit_status

    if options.jobs > 1 and len(scenarios) > 1:
        from filterbed import jobs

        jobs.run(scenarios, command, options, finished)
    else:
        for number, scenario in enumerate(scenarios):
            finished.append(run(scenario, probes, options, None if number else first))
    return exit_status(f.status for f in finished)


def _sandbox() -> Sandbox:
    return Sandbox(stdout=2, stderr=2)


def run(
    scenario: Scenario,
    probes: tuple[Probe, ...],
    options: Options,
    sandbox: Sandbox | None = None,
) -> Finished:
    """Run one scenario in a sandbox of its own, perhaps one that waits already, and judge it."""
    from filterbed import refusal
    from filterbed.provenance import versions
    from scenarios.clock import paced, resolved

    sandbox = sandbox or _sandbox()
    vantages, targets = request.subset(scenario, options)
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
        sandbox.end()
        click.echo(f"filterbed: {options.out} cannot be written: {error.strerror}", err=True)
        return Finished(scenario.name, None, LACKS, False, [str(error)])
    # From here on a run that is killed is one that says so.
    refusal.refuse(directory, scenario, head, options.seed, [rundir.INTERRUPTED])
    policies = resolved(scenario, options.clock_rate)
    directory.write_json("policy.json", policies)
    order = _order(scenario, probes, options, directory, vantages, targets, policies)
    try:
        failed = _follow(sandbox, order, options)
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
    from filterbed import judge, refusal

    if failed is not None:
        message, status = failed
        reasons = [message]
        refusal.refuse(directory, scenario, head, order.seed, reasons)
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
    from scenarios.timeline import phases

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


def _follow(sandbox: Sandbox, order: Order, options: Options) -> tuple[str, int] | None:
    """Send the order and wait for its end; return (message, exit status) where it failed."""
    failed: tuple[str, int] | None = None
    begun = time.monotonic()
    try:
        sandbox.send(order, write=[order.directory])
        _prepare(options)
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


def _prepare(options: Options) -> None:
    """Import what judges and reports while the sandbox stands up."""
    importlib.import_module("filterbed.judge")
    if not options.as_json:
        importlib.import_module("filterbed.scoreboard")


def _terminated(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _report(finished: Sequence[Finished], options: Options, status: int) -> None:
    if options.junit is not None:
        from filterbed import junit

        options.junit.write_text(junit.document(finished), "utf-8")
    if options.as_json:
        document = {
            "schema": SCHEMA,
            "exit": status,
            "runs": [f.to_json() for f in finished],
        }
        sys.stdout.write(json.dumps(document, indent=2, allow_nan=False) + "\n")
        return
    from filterbed import scoreboard

    scoreboard.show(finished)
