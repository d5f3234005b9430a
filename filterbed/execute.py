"""Run one command on one host of a scenario: `filterbed exec`."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click

from filterbed import rundir, visibility
from filterbed.order import Order
from filterbed.sandbox.launch import Sandbox
from scenarios.clock import resolved
from scenarios.error import ScenarioError
from scenarios.library import find
from scenarios.loader import load

OWN_FAILURE, INTERRUPTED = 125, 130


def main(
    name: str, command: Sequence[str], *, host: str, active: bool, seed: int, clock_rate: float
) -> int:
    """Stand `name` up, run `command` at `host`, return its exit status (125: our own failure)."""
    try:
        paths = find(name)
        if len(paths) != 1:
            click.echo(f"filterbed: {name} is a pack; exec takes one scenario", err=True)
            return OWN_FAILURE
        scenario = load(paths[0])
    except ScenarioError as error:
        click.echo(str(error), err=True)
        return OWN_FAILURE
    hosts = [node.name for node in scenario.plan.nodes]
    if host not in hosts:
        click.echo(f"filterbed: no host {host!r}; there are {', '.join(hosts)}", err=True)
        return OWN_FAILURE
    signal.signal(signal.SIGTERM, _terminated)
    with tempfile.TemporaryDirectory(prefix="filterbed-") as scratch:
        directory = rundir.create(Path(scratch), "exec", {})
        cwd, env = os.getcwd(), dict(os.environ)
        seen = visibility.decide(
            argv=command,
            cwd=cwd,
            env=env,
            out=None,
            directories=[Path(scratch)],
            scenario=scenario.path,
        )
        order = Order(
            mode="exec",
            scenario=scenario,
            directory=str(directory.path),
            policies=resolved(scenario, clock_rate),
            vantages=scenario.vantages,
            targets=tuple(t.name for t in scenario.targets),
            seed=seed,
            clock_rate=clock_rate,
            idle=not active,
            capture=False,
            env=env,
            cwd=cwd,
            keep=seen.keep,
            hidden=seen.hidden,
            covered=seen.covered,
            host=host,
            argv=tuple(command),
        )
        return _follow(Sandbox(order, write=[order.directory], stdin=None), scenario.name)


def _follow(sandbox: Sandbox, name: str) -> int:
    failed = False
    try:
        for line in sandbox.lines():
            if "failed" in line:
                failed = True
                click.echo(f"filterbed: {name}: {line['failed']}", err=True)
        status = sandbox.wait()
    except KeyboardInterrupt:
        sandbox.end()
        return INTERRUPTED
    except BaseException:
        sandbox.end()
        raise
    return OWN_FAILURE if failed else status


def _terminated(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt
