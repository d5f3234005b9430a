"""Batches are what the kernel reads, and nothing waits longer than stated.

Against the real kernel: tests/live/test_censor_queue.py, whose every packet is let go so.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from struct import unpack
from time import time_ns
from typing import Any

import pytest

from censor.drivers.verdict import MOST, PATIENCE, Verdicts
from censor.errors import MachineError


class Packet:
    def __init__(self, number: int) -> None:
        self.id = number

    def accept(self) -> None:
        raise AssertionError("one by one")


@pytest.fixture
def wire() -> Iterator[tuple[Any, int]]:
    """What was written since last asked, and where it is written."""
    end, begin = os.pipe()
    os.set_blocking(end, False)

    def read() -> list[int]:
        try:
            data = os.read(end, 65536)
        except BlockingIOError:
            return []
        return [unpack("!I", data[at + 28 : at + 32])[0] for at in range(0, len(data), 32)]

    yield read, begin
    os.close(end)
    os.close(begin)


def test_the_message_is_a_batch_verdict() -> None:
    end, begin = os.pipe()
    verdicts = Verdicts(begin, 0x0107)
    verdicts.accept(Packet(0x01020304), 0)
    verdicts.give()
    head = unpack("=IHHII BBH HH", (data := os.read(end, 100))[:24])
    assert head[:5] == (32, 3 << 8 | 3, 1, 0, 0)  # NFNL_SUBSYS_QUEUE, NFQNL_MSG_VERDICT_BATCH
    assert (data[18:20], head[8:]) == (b"\1\7", (12, 2))  # the queue; NFQA_VERDICT_HDR
    assert data[24:] == bytes((0, 0, 0, 1, 1, 2, 3, 4))  # NF_ACCEPT up to that packet
    os.close(end)
    os.close(begin)


def test_nothing_is_given_before_it_is_asked_for_and_nothing_twice(wire: Any) -> None:
    read, descriptor = wire
    verdicts = Verdicts(descriptor, 1)
    verdicts.give()
    for number in (5, 6, 9):
        verdicts.accept(Packet(number), 0)
    assert read() == []
    verdicts.give()
    assert read() == [9]
    verdicts.give()
    assert read() == []


def test_so_many_are_let_go_at_once(wire: Any) -> None:
    read, descriptor = wire
    verdicts = Verdicts(descriptor, 1)
    for number in range(2 * MOST + 1):
        verdicts.accept(Packet(number), 0)
    assert read() == [MOST - 1, 2 * MOST - 1]


def test_they_are_due_when_the_first_has_waited_for_its_patience(wire: Any) -> None:
    """The gate gives them then: tests/censor/drivers/test_gate.py."""
    read, descriptor = wire
    verdicts = Verdicts(descriptor, 1)
    never = verdicts.due
    assert never > time_ns() + 10**18
    for number, now in enumerate((1000, 999 + PATIENCE)):
        verdicts.accept(Packet(number), now)
        assert verdicts.due == 1000 + PATIENCE
    verdicts.give()
    assert (read(), verdicts.due) == ([1], never)
    for number in range(MOST):
        verdicts.accept(Packet(number), 3000)
    assert verdicts.due == never


def test_a_kernel_that_takes_none_is_a_fault_of_the_machine() -> None:
    end, begin = os.pipe()
    verdicts = Verdicts(end, 1)  # the end that cannot be written to
    verdicts.accept(Packet(1), 0)
    with pytest.raises(MachineError, match="takes no verdict"):
        verdicts.give()
    os.close(end)
    os.close(begin)
