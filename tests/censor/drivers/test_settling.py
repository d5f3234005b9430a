"""Marks say which flows the kernel forwards by itself, and end when the box must be asked.

Against the real kernel: tests/live/test_censor_settle.py.
"""

from __future__ import annotations

from typing import Any

import pytest

from censor.drivers import kernel, settling
from censor.drivers.settling import Settling
from censor.engine.decision import Decision
from censor.wire import forge

CLIENT, SERVER = bytes((24, 48, 0, 2)), bytes((93, 184, 216, 34))
DATA = forge.udp(forge.Ip(CLIENT, SERVER), 5000, 53, b"x")
FLOW = {"protocol": "udp", "client": "24.48.0.2"}


class Rules:
    """Remembers for which generations flows pass."""

    def __init__(self) -> None:
        self.installed: list[int | None] = []

    def install(self, generation: int | None) -> None:
        self.installed.append(generation)


class Packet:
    def __init__(self, mark: int = 0) -> None:
        self.mark = mark
        self.given: int | None = None

    def set_mark(self, mark: int) -> None:
        self.given = mark


class Tracker:
    """A connection table in which every pair has a marked connection."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def unmark(self, *what: Any) -> int:
        self.asked.append(what)
        return 1

    def release(self, flow: Any) -> None:
        self.asked.append(flow)


@pytest.fixture
def said() -> list[Any]:
    return []


@pytest.fixture
def tracker(monkeypatch: pytest.MonkeyPatch) -> Tracker:
    found = Tracker()
    monkeypatch.setattr(settling, "Conntrack", lambda: found)
    return found


@pytest.fixture
def marks(said: list[Any], tracker: Tracker) -> Settling:
    def say(word: str, n: int, **detail: Any) -> None:
        said.append((word, n, detail))

    return Settling(Rules(), say, offload=True)  # type: ignore[arg-type]


def test_a_settled_flow_bears_the_generations_mark(marks: Settling, said: list[Any]) -> None:
    marks.begin(3)
    packet = Packet()
    marks.sign(packet, DATA, True, 7)
    assert packet.given == marks.mark == kernel.mark(3)
    assert (said, marks.count) == ([("settled", 7, {})], 1)


def test_an_old_mark_is_taken_off(marks: Settling, said: list[Any]) -> None:
    marks.begin(3)
    for old in (kernel.mark(3), kernel.mark(2)):
        packet = Packet(old)
        marks.sign(packet, DATA, False, 7)
        assert packet.given == kernel.MARK
    assert said == [("unsettled", 7, {"what": "flow"})]


def test_none_is_marked_while_the_box_is_idle_or_must_be_asked_always(marks: Settling) -> None:
    marks.begin(3)
    marks.begin(None)
    always = Settling(Rules(), print, offload=False)  # type: ignore[arg-type]
    always.begin(4)
    for one in (marks, always):
        packet = Packet()
        one.sign(packet, DATA, True, 7)
        assert (packet.given, one.mark) == (None, 0)
    assert always._filter.installed == [None]  # type: ignore[attr-defined]


def test_a_pair_and_what_made_room_are_woken(
    marks: Settling, tracker: Tracker, said: list[Any]
) -> None:
    icmp = {"protocol": "icmp"}
    marks.begin(3)
    marks.wake(Decision(unsettle=True, forgotten=(FLOW, icmp)), DATA, 9)
    assert tracker.asked == [(CLIENT, SERVER, kernel.mark(3)), FLOW]
    assert said == [
        ("unsettled", 9, {"what": "pair"}),
        ("unsettled", 9, {"what": "evicted", "flow": FLOW}),
    ]


def test_where_nothing_is_settled_nothing_is_woken(marks: Settling, tracker: Tracker) -> None:
    marks.wake(Decision(unsettle=True, forgotten=(FLOW,)), DATA, 9)
    assert tracker.asked == []
