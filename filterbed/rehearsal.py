"""Feed recordings to engines, each in a process of its own, and read what they did."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from filterbed.attribution import Owner
from filterbed.effect import ACTS
from filterbed.pcapng import Frame, write

#: A replay of one control pass takes well under a second.
DEADLINE: Final = 120.0
_WAY: Final = ("--active", "--certain", "--json")


@dataclass(frozen=True, slots=True)
class Door:
    """One box's witness of the control pass."""

    box: str
    record: Path
    policy: Path


@dataclass(frozen=True, slots=True)
class Laid:
    """A recording in which groups stand one after another; `owners[n - 1]` owns packet n."""

    frames: tuple[Frame, ...]
    owners: tuple[Owner, ...]


@dataclass(frozen=True, slots=True)
class Act:
    """One act of one box, and whose packet drew it."""

    box: str
    owner: Owner
    event: Mapping[str, Any]

    def __str__(self) -> str:
        words = [f"{self.box} {self.event['event']}"]
        words += [f"{key} {self.event[key]}" for key in ("rule",) if self.event.get(key)]
        if self.event.get("trigger"):
            words.append(f"trigger {json.dumps(self.event['trigger'], sort_keys=True)}")
        if self.event.get("residual"):
            words.append("from a memory")
        return ", ".join(words)


@dataclass(frozen=True, slots=True)
class Replay:
    """What one engine is to be fed; its answers go to files beside the recording."""

    door: Door
    laid: Laid
    path: Path

    @property
    def answer(self) -> Path:
        return self.path.with_suffix(".jsonl")

    @property
    def log(self) -> Path:
        return self.path.with_suffix(".log")


def rehearse(replays: Sequence[Replay], engine: Sequence[str]) -> list[tuple[list[Act], list[str]]]:
    """Feed all engines at once; return each one's acts, and what went wrong with it.

    Whatever happens, no engine outlives this. `engine`: the censor's command.
    """
    started: list[subprocess.Popen[bytes]] = []
    try:
        for replay in replays:
            started.append(_start(replay, engine))
        pairs = zip(replays, started, strict=True)
        return [_finish(replay, process) for replay, process in pairs]
    finally:
        for process in started:
            process.kill()
            process.wait()


def _start(replay: Replay, engine: Sequence[str]) -> subprocess.Popen[bytes]:
    replay.path.parent.mkdir(parents=True, exist_ok=True)
    write(replay.path, ("inside", "outside"), replay.laid.frames)
    with replay.answer.open("wb") as out, replay.log.open("wb") as err:
        return subprocess.Popen(
            [*engine, "replay", str(replay.path), "--policy", str(replay.door.policy), *_WAY],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
        )


def _finish(replay: Replay, process: subprocess.Popen[bytes]) -> tuple[list[Act], list[str]]:
    """Wait for an engine; return its acts, or what went wrong."""
    where = f"proof: box {replay.door.box}: the engine"
    try:
        status = process.wait(DEADLINE)
    except subprocess.TimeoutExpired:
        return [], [f"{where} did not finish within {DEADLINE:.0f} s"]
    if status != 0:
        said = replay.log.read_text("utf-8", "replace").strip()[-500:]
        return [], [f"{where} ended with status {status}: {said or '(it said nothing)'}"]
    acts: list[Act] = []
    for number, line in enumerate(replay.answer.read_text("utf-8", "replace").splitlines(), 1):
        try:
            event = json.loads(line)
            if event.get("event") not in ACTS:
                continue
            n = event["n"]
            if not 1 <= n <= len(replay.laid.owners):
                raise ValueError(f"there is no packet {n}")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return [], [f"{where} gave an event that cannot be read, line {number}: {error!r}"]
        acts.append(Act(replay.door.box, replay.laid.owners[n - 1], event))
    return acts, []
