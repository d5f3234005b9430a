"""Give the plan's links what they do to packets: one hold queue a link (`topologies.hold`)."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from filterbed.rundir import RunDir
from topologies.impair import holder
from topologies.network import Network, NetworkError
from topologies.plan import Link, Plan

_SECONDS = 10.0
_FIRST_QUEUE = 100


class Holds:
    """The running hold queues; `stop` says what they lost, and fills `counts`, by interface."""

    def __init__(self, network: Network, rundir: RunDir, seed: int) -> None:
        self._running: dict[str, tuple[subprocess.Popen[bytes], Path]] = {}
        self.counts: dict[str, dict[str, Any]] = {}
        for number, link in enumerate(held(network.plan)):
            end = link.ends[holder(network.plan, link) or 0]
            log = rundir.logs / f"hold-{end.interface}.log"
            argv = [sys.executable, "-P", "-m", "topologies.hold", "--interface", end.interface]
            argv += ["--queue", str(_FIRST_QUEUE + number), "--seed", str(seed)]
            with open(log, "wb") as errors:
                process = network.popen(
                    end.node,
                    [*argv, *arguments(network.plan, link)],
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
        """End them, letting go what they hold; say which lost packets that nobody asked them to."""
        problems = []
        for process, _ in self._running.values():
            if process.stdin is not None:
                process.stdin.close()
        for interface, (process, _) in self._running.items():
            self.counts[interface] = counts = _line(process.stdout)
            process.wait(_SECONDS)
            if counts.get("lost") != 0:
                problems.append(f"the delay at {interface} lost packets: {counts}")
        return problems


def held(plan: Plan) -> Iterator[Link]:
    """List the links that do anything to packets but carry them."""
    for link in plan.links:
        if any(link.delays) or any(not way.plain for way in link.ways):
            yield link


def arguments(plan: Plan, link: Link) -> list[str]:
    """Write what a link's hold queue is told of both directions."""
    if link.plain:
        return ["--delay", repr(link.delay)]
    end = holder(plan, link) or 0
    said = []
    for option, place in (("--out", end), ("--in", 1 - end)):
        way = {key: value for key, value in asdict(link.ways[place]).items() if value is not None}
        said += [option, json.dumps({**way, "delay": link.delays[place]})]
    return said


def _line(pipe: IO[bytes] | None) -> dict[str, Any]:
    if pipe is None or not select.select([pipe], [], [], _SECONDS)[0]:
        return {}
    text = pipe.readline()
    found: dict[str, Any] = json.loads(text) if text.strip() else {}
    return found
