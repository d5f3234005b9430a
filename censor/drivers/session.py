"""Lead an engine through a run: idle or active, generation after generation, packet by packet.

The live driver and the replay share this, which is why a replay can say the same as the run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from censor.engine.decision import PASS, Decision
from censor.engine.engine import Engine
from censor.events import Event
from censor.rule.rules import Policy

Sink = Callable[[Mapping[str, Any]], None]


class Session:
    """One run of one box; `sink` takes each event as the object a log line holds.

    `n` counts packets. Idle, there is no engine: every packet passes.
    """

    __slots__ = (
        "_box",
        "_certain",
        "_clock_rate",
        "_engine",
        "_policy",
        "_seed",
        "_sink",
        "generation",
        "n",
    )

    def __init__(
        self,
        policy: Policy,
        sink: Sink,
        *,
        box: str,
        seed: int = 0,
        clock_rate: float = 1.0,
        certain: bool = False,
    ) -> None:
        self._policy = policy
        self._sink = sink
        self._box = box
        self._seed = seed
        self._clock_rate = clock_rate
        self._certain = certain
        self._engine: Engine | None = None
        self.generation = 0
        self.n = 0

    @property
    def active(self) -> bool:
        """Whether the policy is in force."""
        return self._engine is not None

    def switch(self, active: bool, *, t: float) -> None:
        """Begin a new generation with fresh state."""
        self.tick(t)
        self.generation += 1
        self._engine = (
            Engine(self._policy, seed=self._seed, certain=self._certain, seen=self.n)
            if active
            else None
        )
        state = "active" if active else "idle"
        detail = {"state": state, "generation": self.generation, "n": self.n}
        self.say(Event(t, "policy", detail=detail))

    def receive(self, data: bytes, t: float, inside: bool) -> Decision:
        """Decide about a packet and log what was decided."""
        self.n += 1
        if self._engine is None:
            return PASS
        decision = self._engine.receive(data, now=t, inside=inside)
        for event in decision.events:
            self.say(event)
        return decision

    def due(self) -> float | None:
        """Return when the engine wants to be ticked next, in seconds since the start."""
        return None if self._engine is None else self._engine.due()

    def tick(self, t: float) -> None:
        """Let the engine do what fell due."""
        if self._engine is not None:
            for event in self._engine.tick(now=t).events:
                self.say(event)

    def say(self, event: Event) -> None:
        """Log an event."""
        self._sink(event.record(box=self._box, clock_rate=self._clock_rate))
