"""Feed a recording to the engine offline: `filterbed replay`."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

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
    except (OSError, ValueError) as error:
        click.echo(f"filterbed: {directory} is no run directory: {error}", err=True)
        return USAGE
    worst = 0
    if not policies:
        click.echo("no box stood in this run: nothing to replay")
    with tempfile.TemporaryDirectory(prefix="filterbed-") as scratch:
        for box, document in policies.items():
            path = policy or Path(scratch) / f"{box}.json"
            if policy is None:
                path.write_text(json.dumps(document))
            events = Path(scratch) / f"{box}.events.jsonl"
            with open(directory / "events.jsonl", encoding="utf-8") as lines:
                events.write_text("".join(li for li in lines if json.loads(li).get("box") == box))
            argv = [
                *_ENGINE, str(directory / "capture" / f"{box}.door.pcapng"),
                "--policy", str(path), "--events", str(events),
                "--seed", str(run.get("seed", 0)),
                "--box", box,
            ]  # fmt: skip
            status = subprocess.run(argv, check=False).returncode
            click.echo(f"{box}: {'the same events' if status == 0 else 'replay differs'}")
            worst = max(worst, status)
    return worst
