"""Say what is to be done with a packet, as frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from censor.events import Event
from censor.rule.takeover import Takeover


class Verdict(Enum):
    """What happens to the packet that was asked about."""

    ACCEPT = "accept"
    DROP = "drop"
    REWRITE = "rewrite"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Injection:
    """A forged packet: whole IP packet, to the censored side if `inward`, `after` seconds."""

    data: bytes
    inward: bool
    after: float


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to one packet.

    `data` is the packet as rewritten (REWRITE), `until` when a held one may go (HOLD), in seconds
    since the start. `settled`: nothing in the policy can match this flow any more. `unsettle`:
    settled flows between these two addresses must be asked about again, before the verdict.
    `takeover`: before the verdict, somebody goes on with the connection in its server's place.
    `forgotten`: settled flows, as events name them, that had to make room: they must be asked about
    again as well.
    """

    verdict: Verdict = Verdict.ACCEPT
    data: bytes | None = None
    until: float | None = None
    settled: bool = False
    unsettle: bool = False
    injections: tuple[Injection, ...] = ()
    events: tuple[Event, ...] = ()
    takeover: Takeover | None = None
    forgotten: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Release:
    """What fell due: verdicts on held packets (by their number), injections, events."""

    verdicts: tuple[tuple[int, Verdict], ...] = ()
    injections: tuple[Injection, ...] = ()
    events: tuple[Event, ...] = ()


#: The two answers nearly every packet gets; shared, because making one costs a microsecond.
PASS: Final = Decision()
SETTLED: Final = Decision(settled=True)
NOTHING: Final = Release()
