"""Feed a recording to the engine offline: `filterbed replay`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import click

USAGE, DIFFERS = 2, 1
_ENGINE = (sys.executable, "-P", "-m", "censor", "replay")


def main(recording: Path, policy: Path | None) -> int:
    """Replay a run directory (does it give the same events?) or a capture under a policy.

    For a run: 0 when every box's record gives the events that were logged, 1 when one does not.
    For a capture: its events as JSON lines.
    """
    if recording.is_dir():
        return _run(recording, policy)
    if policy is None:
        click.echo("filterbed: a capture needs a policy: --policy FILE", err=True)
        return USAGE
    argv = [*_ENGINE, str(recording), "--policy", str(policy), "--active", "--json"]
    return subprocess.run(argv, check=False).returncode


def _run(directory: Path, policy: Path | None) -> int:
    try:
        policies = json.loads((directory / "policy.json").read_text("utf-8"))
        run = json.loads((directory / "run.json").read_text("utf-8"))
        log = (directory / "events.jsonl").read_text("utf-8")
    except (OSError, ValueError) as error:
        click.echo(f"filterbed: {directory} is no run that came to its end: {error}", err=True)
        return USAGE
    worst = 0
    if not policies:
        click.echo("no box stood in this run: nothing to replay")
    lines = log.splitlines(keepends=True)
    for box, document in policies.items():
        mine = "".join(line for line in lines if json.loads(line).get("box") == box)
        with _open(json.dumps(document)) as own, _open(mine) as events:
            argv = [
                *_ENGINE, str(directory / "capture" / f"{box}.door.pcapng"),
                "--policy", str(policy or _path(own)), "--events", _path(events),
                "--seed", str(run.get("seed", 0)),
                "--box", box,
            ]  # fmt: skip
            fds = (own.fileno(), events.fileno())
            status = subprocess.run(argv, pass_fds=fds, check=False).returncode
        click.echo(f"{box}: {'the same events' if status == 0 else 'replay differs'}")
        worst = max(worst, status)
    return worst


def _open(text: str) -> IO[bytes]:
    """Return a file that has no name, so that nothing is left wherever this ends."""
    file = os.fdopen(os.memfd_create("replay"), "wb")
    file.write(text.encode())
    file.flush()
    return file


def _path(file: IO[bytes]) -> str:
    return f"/proc/self/fd/{file.fileno()}"
