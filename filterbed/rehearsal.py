"""Feed recordings to engines, each in a process of its own, and read what they did."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filterbed.attribution import Owner
from filterbed.effect import ACTS
from filterbed.engine import EngineError, Engines
from filterbed.pcapng import Frame, write

#: Which engine is meant: a box, and the way its packets are laid.
Which = tuple[str, str]


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


def rehearse(
    laid: Mapping[Which, Laid], engines: Engines
) -> tuple[dict[Which, list[Act]], dict[str, list[str]]]:
    """Feed all engines at once; return each one's acts, and by box what went wrong."""
    for which, one in laid.items():
        write(engines[which].recording, ("inside", "outside"), one.frames)
        engines[which].feed()
    found: dict[Which, list[Act]] = {}
    wrong: dict[str, list[str]] = {}
    for (box, way), one in laid.items():
        try:
            found[box, way] = [*_acts(box, one, engines[box, way].events())]
        except EngineError as error:
            wrong.setdefault(box, []).append(f"proof: box {box}: the engine {error}")
    return found, wrong


def _acts(box: str, laid: Laid, events: Iterable[Any]) -> Iterator[Act]:
    """Yield the acts among an engine's events, each with whose packet drew it.

    Raises: EngineError for an event that cannot be one.
    """
    for number, event in enumerate(events, 1):
        try:
            if event.get("event") not in ACTS:
                continue
            n = event["n"]
            if not 1 <= n <= len(laid.owners):
                raise ValueError(f"there is no packet {n}")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise EngineError(
                f"gave an event that cannot be read, line {number}: {error!r}"
            ) from error
        yield Act(box, laid.owners[n - 1], event)
