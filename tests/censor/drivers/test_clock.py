"""Times go back and forth between nanoseconds and the engine's seconds; stamps are doubted."""

from __future__ import annotations

import time

import pytest

from censor.drivers.clock import SECOND, Clock


def test_it_begins_at_the_epoch_and_runs_forward() -> None:
    clock = Clock()
    assert abs(clock.epoch - time.time_ns()) < 10 * SECOND
    times = [clock.now() for _ in range(100)]
    assert times == sorted(times)
    assert times[0] >= clock.epoch


def test_seconds_count_from_the_epoch() -> None:
    clock = Clock()
    assert clock.t(clock.epoch) == 0
    assert clock.at(2.5) == clock.epoch + 2_500_000_000
    assert clock.t(clock.at(2.5)) == 2.5


def test_a_packet_came_when_the_kernel_says() -> None:
    clock = Clock()
    read = clock.now()
    came = clock.arrival(time.time() - 0.3, read)
    assert abs(read - came - 300_000_000) < 100_000_000


@pytest.mark.parametrize("ago", [2.0, -5.0, 1.7e9])
def test_a_stamp_that_cannot_be_true_counts_for_nothing(ago: float) -> None:
    clock = Clock()
    read = clock.now()
    assert clock.arrival(time.time() - ago, read) == read
