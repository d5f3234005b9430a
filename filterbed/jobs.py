"""Run several scenarios at once, each by a process of its own (a sandbox needs a main thread)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from filterbed.score import Row, run_status
from scenarios.model import Label, Scenario

if TYPE_CHECKING:
    from filterbed.request import Options
    from filterbed.runner import Finished


def run(
    scenarios: Sequence[Scenario],
    command: Sequence[str],
    options: Options,
    finished: list[Finished],
) -> None:
    """Run `scenarios`, at most `options.jobs` at a time.

    What each came to is added to `finished` in the order given; when this is interrupted, what
    had ended by then.
    """
    running: list[subprocess.Popen[str]] = []

    def one(scenario: Scenario) -> Finished:
        argv = [sys.executable, "-P", "-m", "filterbed.sandbox.tether", str(os.getpid())]
        argv += _arguments(scenario, options)
        if command:
            argv += ["--", *command]
        click.echo(f"  {scenario.name}: started", err=True)
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        running.append(process)
        output = process.communicate()[0]
        click.echo(f"  {scenario.name}: ended", err=True)
        return _finished(scenario, output, process.returncode)

    pool = ThreadPoolExecutor(options.jobs)
    asked = [pool.submit(one, scenario) for scenario in scenarios]
    try:
        for future in asked:
            future.result()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in running:
            if process.poll() is None:
                process.terminate()
        for process in running:
            process.wait()
        raise
    finally:
        ended = [f for f in asked if f.done() and not f.cancelled() and f.exception() is None]
        finished += [future.result() for future in ended]
        pool.shutdown()


def _arguments(scenario: Scenario, options: Options) -> list[str]:
    words = ["run", scenario.path, "--json", "--out", str(options.out)]
    words += ["--seed", str(options.seed), "--clock-rate", repr(options.clock_rate)]
    words += ["--timeout", f"{options.timeout} s"]
    for flag, values in (
        ("--vantage", options.vantages),
        ("--target", options.targets),
        ("--probe", options.probes),
    ):
        for value in values:
            words += [flag, value]
    if options.name:
        words += ["--name", options.name]
    return words + ["--idle"] * options.idle + ["--keep"] * options.keep


def _finished(scenario: Scenario, output: str, status: int) -> Finished:
    from filterbed.runner import Finished

    try:
        (found,) = json.loads(output)["runs"]
    except (ValueError, KeyError):
        reasons = [f"the run's process ended with status {status} and no result"]
        return Finished(scenario.name, None, 3, False, reasons)
    rows: list[Row] = []
    if found["dir"] and found["valid"]:
        document = json.loads((Path(found["dir"]) / "score.json").read_text("utf-8"))
        rows = [_row(row) for row in document["rows"]]
    return Finished(
        scenario.name,
        found["dir"],
        status if not rows else run_status(valid=found["valid"], rows=rows),
        found["valid"],
        found["invalid_because"],
        found["summary"],
        rows,
    )


def _row(document: dict[str, Any]) -> Row:
    labels = {
        key: Label(
            document[key]["verdict"],
            frozenset(document[key]["mechanisms"]),
            document[key]["locus"],
        )
        for key in ("expected", "observed")
    }
    return Row(
        document["vantage"],
        document["target"],
        document["probe"],
        document["round"],
        document["t_start"],
        document["t_end"],
        labels["expected"],
        labels["observed"],
    )
