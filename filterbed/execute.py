"""Run one command on one host of a scenario: `filterbed exec`."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence

import click

from filterbed import visibility
from filterbed.order import Order
from filterbed.sandbox.launch import Sandbox
from scenarios.error import ScenarioError
from scenarios.library import find
from scenarios.model import Scenario

OWN_FAILURE, INTERRUPTED = 125, 130
#: Where the stage keeps its files: inside the sandbox, and gone with it.
SCRATCH = "/run/exec"


def main(
    name: str, command: Sequence[str], *, host: str, active: bool, seed: int, clock_rate: float
) -> int:
    """Stand `name` up, run `command` at `host`, return its exit status (125: our own failure).

    Without a command, give a prompt on all its hosts (`filterbed shell`).
    """
    signal.signal(signal.SIGTERM, _terminated)
    sandbox = Sandbox(stdin=None)  # gets ready while the scenario is read
    try:
        scenario = _load(name, command, host)
        if scenario is None:
            return OWN_FAILURE
        order = _order(scenario, command, host, active, seed, clock_rate)
        sandbox.send(order, write=[])
        return _follow(sandbox, scenario.name)
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        sandbox.end()


def _load(name: str, command: Sequence[str], host: str) -> Scenario | None:
    """Load the one scenario that is meant; None, and it is said why, where there is none such."""
    from scenarios.loader import load  # a third of a second, in which the sandbox gets ready

    try:
        paths = find(name)
        if len(paths) != 1:
            click.echo(f"filterbed: {name} is a pack; exec takes one scenario", err=True)
            return None
        scenario = load(paths[0])
    except ScenarioError as error:
        click.echo(str(error), err=True)
        return None
    hosts = [node.name for node in scenario.plan.nodes]
    if command and host not in hosts:
        click.echo(f"filterbed: no host {host!r}; there are {', '.join(hosts)}", err=True)
        return None
    return scenario


def _order(
    scenario: Scenario,
    command: Sequence[str],
    host: str,
    active: bool,
    seed: int,
    clock_rate: float,
) -> Order:
    from scenarios.clock import paced, resolved
    from scenarios.timeline import phases

    cwd, env = os.getcwd(), dict(os.environ)
    seen = visibility.decide(
        argv=command, cwd=cwd, env=env, out=None, directories=[], scenario=scenario.path
    )
    return Order(
        mode="exec" if command else "shell",
        scenario=paced(scenario, clock_rate),
        directory=SCRATCH,
        policies=resolved(scenario, clock_rate),
        vantages=scenario.vantages,
        targets=tuple(t.name for t in scenario.targets),
        phases=phases(scenario, clock_rate),
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


def _follow(sandbox: Sandbox, name: str) -> int:
    """Wait for the command; only a status that the stage has told is the command's own."""
    status: int | None = None
    failed = False
    try:
        for line in sandbox.lines():
            status = line.get("ended", status)
            if "failed" in line:
                failed = True
                click.echo(f"filterbed: {name}: {line['failed']}", err=True)
        ended = sandbox.wait()
    except BaseException:
        sandbox.end()
        raise
    if failed:
        return OWN_FAILURE
    if status is None:
        click.echo(f"filterbed: {name}: the sandbox was killed (status {ended})", err=True)
        return OWN_FAILURE
    return status


def _terminated(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt
