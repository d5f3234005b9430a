"""Feed a recording to the engine, offline: see what it would do, or prove what it did."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from censor.drivers.capture import Capture, Record, epoch
from censor.drivers.session import Session, Sink
from censor.errors import CensorError, MachineError
from censor.events import ENGINE_WORDS
from censor.rule.rules import Policy, Prefixes

_SECOND: Final = 1_000_000_000

Line = Mapping[str, Any]


class Sides:
    """Tell which packets come from the censored side.

    A door record says so by its interfaces. Of another capture, `inside` prefixes decide; without
    them whoever speaks first of two addresses is taken to be inside.
    """

    def __init__(self, inside: Prefixes | None = None) -> None:
        self._inside = inside
        self._known: dict[bytes, bool] = {}

    def inside(self, record: Record) -> bool:
        """Say whether a packet comes from the censored side."""
        if record.interface in ("inside", "outside"):
            return record.interface == "inside"
        size = 4 if record.data[:1] and record.data[0] >> 4 == 4 else 16
        start = 12 if size == 4 else 8
        src = record.data[start : start + size]
        dst = record.data[start + size : start + 2 * size]
        if self._inside is not None:
            return self._inside.find(src)
        if src not in self._known:
            self._known[src] = not self._known.get(dst, False)
            self._known.setdefault(dst, not self._known[src])
        return self._known[src]


def active(
    path: Path,
    policy: Policy,
    sink: Sink,
    *,
    seed: int = 0,
    certain: bool = False,
    sides: Sides | None = None,
    box: str = "replay",
) -> int:
    """Feed a capture to an engine that is active from the first packet; return the packets fed.

    Time begins where a door record's did, else with the first packet.
    """
    capture = Capture(path)
    sides = sides or Sides()
    session: Session | None = None
    start = 0
    for record in capture:
        if session is None:
            start = epoch(capture) or record.ns
            session = Session(policy, sink, box=box, seed=seed, certain=certain)
            session.switch(True, t=(record.ns - start) / _SECOND)
        session.receive(record.data, t=(record.ns - start) / _SECOND, inside=sides.inside(record))
    return session.n if session else 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of replaying a run against its log.

    `index` is the place among the engine's events where `logged` and `replayed` first differ; one
    of them is None where the other goes on. All None: no difference.
    """

    packets: int
    events: int
    index: int | None = None
    logged: Line | None = None
    replayed: Line | None = None

    @property
    def equal(self) -> bool:
        """Whether the replay said exactly what the run said."""
        return self.index is None


def compare(path: Path, policy: Policy, log: Path) -> Comparison:
    """Replay a live run's door record with its own switches, and compare the engine's events.

    Raises: CensorError if the log does not begin as a run's does.
    """
    lines = list(_read_log(log))
    if not lines or lines[0].get("event") != "started":
        raise CensorError(f"{log}: expected a run's events, the first of them 'started'")
    first = lines[0]
    said: list[Line] = []
    session = Session(
        policy,
        said.append,
        box=str(first.get("box", "")),
        seed=int(first.get("seed", 0)),
        clock_rate=float(first.get("clock_rate", 1.0)),
    )
    switches = [line for line in lines if line.get("event") == "policy"]
    sides = Sides()
    for record in Capture(path):
        while switches and switches[0]["n"] <= session.n:
            _switch(session, switches.pop(0))
        t = (record.ns - int(first["epoch_ns"])) / _SECOND
        session.receive(record.data, t=t, inside=sides.inside(record))
    for line in switches:
        _switch(session, line)
    session.tick(float(lines[-1]["t"]))
    return _difference(session.n, _spoken(lines), _spoken(map(_through_json, said)))


def _switch(session: Session, line: Line) -> None:
    session.switch(line["state"] == "active", t=float(line["t"]))


def _spoken(lines: Iterable[Line]) -> list[Line]:
    return [line for line in lines if line["event"] in ENGINE_WORDS]


def _through_json(line: Line) -> Line:
    found: Line = json.loads(json.dumps(line))
    return found


def _difference(packets: int, logged: list[Line], replayed: list[Line]) -> Comparison:
    for index in range(max(len(logged), len(replayed))):
        one = logged[index] if index < len(logged) else None
        other = replayed[index] if index < len(replayed) else None
        if one != other:
            return Comparison(packets, len(logged), index, one, other)
    return Comparison(packets, len(logged))


def _read_log(path: Path) -> Iterator[Line]:
    try:
        with path.open(encoding="utf-8") as file:
            for number, text in enumerate(file, 1):
                try:
                    yield json.loads(text)
                except ValueError as fault:
                    raise CensorError(f"{path}:{number}: {fault}, expected an event") from fault
    except OSError as fault:
        raise MachineError(f"{path}: {fault.strerror}") from fault


def prefixes(texts: Iterable[str]) -> Prefixes:
    """Return a set of prefixes from their text."""
    pairs = [text.partition("/") for text in texts]
    raw = [(ip_address(address).packed, bits) for address, _, bits in pairs]
    return Prefixes.of((packed, int(bits or 8 * len(packed))) for packed, bits in raw)
