"""The shelf that packets wait on, with a clock of our own, and what the kernel says of losses."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from topologies.course import Course
from topologies.errors import MachineError
from topologies.hold import Counters, Desk, Order, Shelf, counters, rules
from topologies.plan import Way


@dataclass
class Packet:
    """A packet that remembers when it was let go."""

    name: str
    gone: list[str] = field(default_factory=list)

    def accept(self) -> None:
        self.gone.append(self.name)


def test_packets_leave_when_they_are_due() -> None:
    gone: list[str] = []
    shelf = Shelf()
    shelf.put(Packet("b", gone), 1.025)
    shelf.put(Packet("a", gone), 1.020)
    assert shelf.due() == pytest.approx(1.020)
    shelf.release(1.019)
    assert gone == []
    shelf.release(1.0201)
    assert gone == ["a"]
    assert shelf.due() == pytest.approx(1.025)
    assert shelf.late_max == pytest.approx(0.0001)
    shelf.clear()
    assert gone == ["a", "b"]
    assert shelf.due() is None
    assert shelf.count == 2


@dataclass
class Queued(Packet):
    """A packet as the queue hands it over."""

    hook: int = 4
    data: bytes = b"\x45\0\0\x64" + bytes(96)

    def drop(self) -> None:
        self.gone.append(f"{self.name} lost")

    def get_payload(self) -> bytes:
        return self.data


def desk(out: Way, into: Way) -> Desk:
    return Desk(order(Course(out, 0.02, "seed"), Course(into, 0.01, "seed"), sized=True))


def order(*courses: Course, sized: bool = False, doubling: bool = False) -> Order:
    out, into = courses or (Course(Way(), 0.0, ""), Course(Way(), 0.0, ""))
    return Order("r-eth0", 7, out, into, sized=sized, doubling=doubling)


def test_a_packet_that_comes_lets_go_those_that_are_due() -> None:
    gone: list[str] = []
    both = desk(Way(), Way())
    both.take(Queued("a", gone), 1.0)
    both.take(Queued("b", gone), 1.5)
    assert gone == ["a"]


def test_each_direction_has_its_own_course() -> None:
    gone: list[str] = []
    both = desk(Way(loss=1.0), Way(rate=8000))
    both.take(Queued("out", gone), 1.0)
    both.take(Queued("in", gone, hook=0), 1.0)
    assert gone == ["out lost"]
    assert both.shelf.due() == pytest.approx(1.0 + 0.1 + 0.01)  # 100 bytes, and the delay


def test_no_more_is_copied_of_a_packet_than_is_needed() -> None:
    assert order().copied == 0
    assert order(sized=True).copied < 100
    assert order(doubling=True).copied > 1500
    assert order(doubling=True).mark is not None


def test_doubles_are_not_held_again() -> None:
    held = [" ".join(rule) for rule in rules("r-eth0", 7, 99) if "NFQUEUE" in rule]
    assert len(held) == 4
    assert all("! --mark 99" in rule for rule in held)


def test_losses_are_read_from_the_kernels_table() -> None:
    table = "    3   4242     0 1     0     7     2       11  1\n    7   4243     0 1 0 0 0 4 1\n"
    assert counters(table, 3) == Counters(full=7, socket=2)
    assert counters(table, 3).lost == 9
    assert counters(table, 7).lost == 0


def test_a_queue_that_is_not_listed_is_an_error() -> None:
    with pytest.raises(MachineError, match="does not list queue 5"):
        counters("", 5)


def test_both_directions_and_versions_are_held_but_not_neighbour_discovery() -> None:
    held = [rule for rule in rules("r-eth0", 7) if "NFQUEUE" in rule]
    assert {rule[:4] for rule in held} == {
        (tool, chain, match, "r-eth0")
        for tool in ("iptables", "ip6tables")
        for chain, match in (("PREROUTING", "-i"), ("POSTROUTING", "-o"))
    }
    six = [rule for rule in rules("r-eth0", 7) if rule[0] == "ip6tables"]
    assert [("NFQUEUE" in rule) for rule in six] == [False, False, True] * 2
