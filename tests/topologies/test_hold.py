"""The shelf that packets wait on, with a clock of our own, and what the kernel says of losses."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from topologies.errors import MachineError
from topologies.hold import Counters, Shelf, counters, rules


@dataclass
class Packet:
    """A packet that remembers when it was let go."""

    name: str
    gone: list[str] = field(default_factory=list)

    def accept(self) -> None:
        self.gone.append(self.name)


def test_packets_leave_in_order_each_after_its_delay() -> None:
    gone: list[str] = []
    shelf = Shelf(0.020)
    shelf.put(Packet("a", gone), 1.000)
    shelf.put(Packet("b", gone), 1.005)
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


def test_a_packet_that_comes_lets_go_those_that_are_due() -> None:
    gone: list[str] = []
    shelf = Shelf(0.020)
    shelf.put(Packet("a", gone), 1.0)
    shelf.put(Packet("b", gone), 1.5)
    assert gone == ["a"]


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
