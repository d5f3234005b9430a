"""Say what happened, one object a thing: the censor's only testimony.

An event is data; a driver turns it into a line of `events.jsonl` with `record`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

EngineWord = Literal[
    "matched",
    "injected",
    "dropped",
    "rewritten",
    "held",
    "intercepted",
    "probed",
    "unable",
    "residual",
    "forgotten",
    "malformed",
    "truncated",
    "evicted",
]
DriverWord = Literal[
    "started",
    "policy",
    "settled",
    "unsettled",
    "relayed",
    "forged",
    "overflowed",
    "failed",
    "stopped",
]

#: What the engine says; a replay must say the same.
ENGINE_WORDS: Final[frozenset[str]] = frozenset(EngineWord.__args__)  # type: ignore[attr-defined]
#: What touches traffic.
ACTS: Final[frozenset[str]] = frozenset({"injected", "dropped", "rewritten", "held", "intercepted"})

_NOTHING: Final[Mapping[str, Any]] = {}


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    `t` is seconds since the censor started; `n` is the number, from 1, of the packet that caused
    it, None for a timer. `detail` holds what only this kind of event has.
    """

    t: float
    event: EngineWord | DriverWord
    n: int | None = None
    flow: Mapping[str, Any] | None = None
    rule: str | None = None
    trigger: Mapping[str, Any] | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)

    def record(self, *, box: str, clock_rate: float = 1.0) -> dict[str, Any]:
        """Return the object written to the log; keys that say nothing are left out."""
        line: dict[str, Any] = {
            "t": self.t,
            "t_scenario": self.t * clock_rate,
            "box": box,
            "event": self.event,
        }
        for key in ("n", "flow", "rule", "trigger"):
            value = getattr(self, key)
            if value is not None:
                line[key] = dict(value) if isinstance(value, Mapping) else value
        line.update(self.detail)
        return line
