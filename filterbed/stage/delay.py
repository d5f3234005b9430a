"""Give the plan's links their delay: one hold queue per delayed link (`topologies.hold`)."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from pathlib import Path
from typing import IO

from filterbed.rundir import RunDir
from topologies.network import Network, NetworkError

_SECONDS = 10.0
_FIRST_QUEUE = 100


class Holds:
    """The running hold queues; `stop` says what they lost."""

    def __init__(self, network: Network, rundir: RunDir) -> None:
        self._running: dict[str, tuple[subprocess.Popen[bytes], Path]] = {}
        delayed = [link for link in network.plan.links if link.delay > 0]
        for number, link in enumerate(delayed):
            # A box's own queue must not meet ours: take the end that is no box, if there is one.
            boxes = {box.node for box in network.plan.boxes}
            end = next((e for e in link.ends if e.node not in boxes), link.ends[0])
            log = rundir.logs / f"hold-{end.interface}.log"
            argv = [sys.executable, "-P", "-m", "topologies.hold"]
            argv += ["--queue", str(_FIRST_QUEUE + number), "--delay", repr(link.delay)]
            with open(log, "wb") as errors:
                process = network.popen(
                    end.node,
                    [*argv, "--interface", end.interface],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                )
            self._running[end.interface] = (process, log)

    def ready(self) -> None:
        """Wait until each holds; NetworkError has what it said instead."""
        for interface, (process, log) in self._running.items():
            if not _line(process.stdout).get("ready"):
                words = log.read_text("utf-8", "replace").strip()[-500:]
                raise NetworkError(f"the delay at {interface} did not start: {words}")

    def dead(self) -> list[str]:
        """Say which have ended although nobody asked."""
        return [
            f"the delay at {interface} ended with {process.returncode}: "
            + log.read_text("utf-8", "replace").strip()[-300:]
            for interface, (process, log) in self._running.items()
            if process.poll() is not None
        ]

    def stop(self) -> list[str]:
        """End them, letting go what they hold; say which lost packets."""
        problems = []
        for process, _ in self._running.values():
            if process.stdin is not None:
                process.stdin.close()
        for interface, (process, _) in self._running.items():
            counts = _line(process.stdout)
            process.wait(_SECONDS)
            if counts.get("lost") != 0:
                problems.append(f"the delay at {interface} lost packets: {counts}")
        return problems


def _line(pipe: IO[bytes] | None) -> dict[str, object]:
    if pipe is None or not select.select([pipe], [], [], _SECONDS)[0]:
        return {}
    text = pipe.readline()
    found: dict[str, object] = json.loads(text) if text.strip() else {}
    return found
