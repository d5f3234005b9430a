"""Held packets leave at their time, in order."""

from __future__ import annotations

from censor.drivers.shelf import Shelf


class Packet:
    def __init__(self, name: str, left: list[str]) -> None:
        self._name, self._left = name, left

    def accept(self) -> None:
        self._left.append(self._name)


def test_packets_leave_at_their_time_and_equals_in_the_order_they_came() -> None:
    shelf, left = Shelf(), list[str]()
    dues = [shelf.due]
    for name, at in (("late", 30), ("one", 10), ("two", 10), ("middle", 20)):
        shelf.put(Packet(name, left), at)
    dues.append(shelf.due)
    shelf.release(9)
    assert left == []
    shelf.release(20)
    assert left == ["one", "two", "middle"]
    assert [*dues, shelf.due] == [None, 10, 30]
    shelf.release(None)
    assert left[3:] == ["late"]
