"""What came first leaves first, whatever is done to what comes behind it.

Against the real kernel: tests/live/test_censor_queue.py.
"""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from censor.drivers.clock import Clock
from censor.drivers.gate import Gate
from censor.drivers.shelf import Shelf
from censor.engine.decision import PASS, SETTLED, Decision, Injection, Verdict

INSIDE, OUTSIDE = 1, 2
NEVER = 1 << 63


class Ground:
    """A gate whose engine decides as told, and all that was done, in order."""

    def __init__(self) -> None:
        self.done: list[Any] = []
        self.times: list[int | None] = []
        self.clock = Clock()
        self.decisions: list[Decision] = []
        done = self.done
        self.sender = SimpleNamespace(
            waiting=[], due=None, flush=lambda: done.append("sent what was due"),
            learn=lambda index, hardware: done.append(("learned", index)),
            send=self.send,
        )  # fmt: skip
        self.shelf = Shelf()
        self.session = SimpleNamespace(n=0, receive=self.receive)
        self.asks = False
        self.settling = SimpleNamespace(
            mark=0,
            wake=lambda *_: done.append("woken"),
            sign=lambda packet, data, settled, n: done.append(("signed", packet.name, settled)),
        )
        self.verdicts = SimpleNamespace(
            due=NEVER,
            accept=lambda packet, now: done.append(("later", packet.name)),
            give=lambda: done.append("given"),
        )
        self.gate = Gate(
            self.session,  # type: ignore[arg-type]
            self.clock,
            {INSIDE: True, OUTSIDE: False},
            lambda *_, **__: None,
            sender=self.sender,  # type: ignore[arg-type]
            shelf=self.shelf,
            settling=self.settling,  # type: ignore[arg-type]
            verdicts=self.verdicts,  # type: ignore[arg-type]
            door=None,
            diversion=None,
        )

    def send(self, data: bytes, index: int, at: int | None) -> None:
        self.done.append(("sent", data, index, at is None))
        self.times.append(at)

    def receive(self, data: bytes, t: float, inside: bool) -> Decision:
        if self.asks:
            self.done.append("asked")
        if not self.decisions:
            raise ZeroDivisionError
        return self.decisions.pop(0)

    def meet(self, decision: Decision, name: str = "p", mark: int = 0) -> list[Any]:
        """Return what is done about one packet."""
        self.decisions.append(decision)
        before = len(self.done)
        self.gate.meet(Packet(self.done, name, mark))
        return self.done[before:]


class Packet:
    def __init__(self, done: list[Any], name: str, mark: int = 0) -> None:
        self.name, self.mark, self.indev, self.outdev = name, mark, INSIDE, OUTSIDE
        self._done = done

    def get_payload(self) -> bytes:
        return b"data"

    def get_hw(self) -> bytes:
        return bytes(8)

    def get_timestamp(self) -> float:
        return time.time() - 0.001

    def accept(self) -> None:
        self._done.append(("accepted", self.name))

    def drop(self) -> None:
        self._done.append(("dropped", self.name))

    def retain(self) -> None:
        self._done.append(("held", self.name))


@pytest.fixture
def ground() -> Ground:
    ground = Ground()
    assert ground.meet(PASS, "first") == [("learned", INSIDE), ("later", "first")]
    return ground


def test_a_dropped_packet_waits_for_those_before_it(ground: Ground) -> None:
    assert ground.meet(Decision(Verdict.DROP)) == ["given", "woken", ("dropped", "p")]
    assert ground.gate.dropped == 1


def test_a_forged_packet_leaves_between_what_came_before_and_its_trigger(ground: Ground) -> None:
    injections = (Injection(b"in", True, 0.0), Injection(b"out", False, 0.002))
    done = ground.meet(Decision(injections=injections))
    forged = [("sent", b"in", INSIDE, True), ("sent", b"out", OUTSIDE, False)]
    assert done == ["given", *forged, "woken", ("signed", "p", False), ("accepted", "p")]
    assert ground.gate.injected == 2


def test_forged_packets_of_one_latency_leave_in_their_order(ground: Ground) -> None:
    ground.meet(Decision(injections=(Injection(b"one", True, 0.002),) * 50))
    assert len(ground.times) == 50
    assert len(set(ground.times)) == 1


def test_what_is_due_leaves_behind_what_came_before_it(ground: Ground) -> None:
    ground.sender.waiting, ground.sender.due = [()], ground.clock.now() + 10**12
    assert ground.meet(PASS) == [("later", "p")]
    ground.sender.due = ground.clock.now()
    assert ground.meet(PASS) == ["given", "sent what was due", ("later", "p")]


def test_beside_a_held_packet_each_goes_alone(ground: Ground) -> None:
    until = ground.clock.t(ground.clock.now()) + 1000
    held = Decision(Verdict.HOLD, until=until)
    assert ground.meet(held, "held") == [
        "given",
        "woken",
        ("signed", "held", False),
        ("held", "held"),
    ]
    assert ground.meet(PASS) == [("accepted", "p")]
    ground.shelf.release(None)
    assert ground.done[-1] == ("accepted", "held")
    assert ground.meet(PASS) == [("later", "p")]


def test_a_packet_whose_time_has_come_leaves_before_what_comes_then(ground: Ground) -> None:
    until = ground.clock.t(ground.clock.now()) + 1000
    ground.meet(Decision(Verdict.HOLD, until=until), "held")
    ground.shelf.held[0] = (0, *ground.shelf.held[0][1:])
    assert ground.meet(PASS) == [("accepted", "held"), ("later", "p")]


def test_a_dropped_packets_forgeries_leave_behind_what_came_before(ground: Ground) -> None:
    dropped = Decision(Verdict.DROP, injections=(Injection(b"in", True, 0.0),))
    assert ground.meet(dropped) == [
        "given", ("sent", b"in", INSIDE, True), "woken", ("dropped", "p"),
    ]  # fmt: skip


def test_a_mark_of_the_past_is_taken_off_by_a_verdict_of_its_own(ground: Ground) -> None:
    """A new connection inherits no mark from its ports."""
    alone = ["given", "woken", ("signed", "p", False), ("accepted", "p")]
    assert ground.meet(PASS, mark=7) == alone
    assert ground.meet(PASS) == [("later", "p")]


def test_a_settled_flow_is_marked_by_a_verdict_of_its_own_where_flows_settle(
    ground: Ground,
) -> None:
    assert ground.meet(SETTLED) == [("later", "p")]
    ground.settling.mark = 7
    assert ground.meet(SETTLED) == ["given", "woken", ("signed", "p", True), ("accepted", "p")]
    assert ground.meet(PASS) == [("later", "p")]


def test_what_waited_its_patience_is_given_before_the_engine_is_asked(ground: Ground) -> None:
    ground.asks = True
    ground.verdicts.due = ground.clock.now() + 10**12
    assert ground.meet(PASS) == ["asked", ("later", "p")]
    ground.verdicts.due = ground.clock.now()
    assert ground.meet(PASS) == ["given", "asked", ("later", "p")]


def test_an_engine_that_fails_takes_nothing_with_it(ground: Ground) -> None:
    """What was accepted is given by `Queue` when its reading ends; the packet has no verdict."""
    before = list(ground.done)
    with pytest.raises(ZeroDivisionError):
        ground.gate.meet(Packet(ground.done, "p"))
    assert ground.done == before
    assert ground.meet(PASS) == [("later", "p")]
