"""One direction of a link, with a clock of our own: what is lost, late, overtaken and doubled."""

from __future__ import annotations

from itertools import groupby

import pytest

from topologies.course import OVERTAKEN, Course
from topologies.plan import Way

MANY = 20_000


def fates(way: Way, count: int = MANY, *, seed: str = "seed", pace: float = 1.0) -> list[float]:
    """Return the seconds that each packet of 100 bytes takes; -1 for one that is lost."""
    course = Course(way, 0.01, seed)
    found = [(n * pace, course.take(n * pace, 100)) for n in range(count)]
    return [times[0] - now if times else -1 for now, times in found]


def test_a_plain_way_is_its_delay() -> None:
    assert fates(Way(), 10) == pytest.approx([0.01] * 10)


@pytest.mark.parametrize(("loss", "burst"), [(0.02, None), (0.1, 4.0), (0.3, 2.0)])
def test_loss_has_its_share_and_its_runs(loss: float, burst: float | None) -> None:
    lost = [fate < 0 for fate in fates(Way(loss=loss, burst=burst))]
    assert sum(lost) / MANY == pytest.approx(loss, rel=0.15)
    runs = [len([*run]) for gone, run in groupby(lost) if gone]
    assert sum(runs) / len(runs) == pytest.approx(burst or 1 / (1 - loss), rel=0.1)


def test_all_can_be_lost() -> None:
    assert fates(Way(loss=1.0), 50) == [-1] * 50


def test_the_same_seed_loses_the_same_and_another_does_not() -> None:
    way = Way(loss=0.2, jitter=0.1, reorder=0.1, duplicate=0.1)
    assert fates(way, 500) == fates(way, 500)
    assert fates(way, 500) != fates(way, 500, seed="another")


def test_what_else_a_way_does_leaves_its_losses_alone() -> None:
    alone = [fate < 0 for fate in fates(Way(loss=0.2), 500)]
    assert alone == [fate < 0 for fate in fates(Way(loss=0.2, jitter=0.1, reorder=0.3), 500)]


def test_jitter_is_added_evenly() -> None:
    late = [fate - 0.01 for fate in fates(Way(jitter=0.3))]
    assert min(late) >= -1e-9
    assert max(late) <= 0.3
    assert sum(late) / MANY == pytest.approx(0.15, rel=0.05)


def test_a_rate_serves_one_after_another_and_lets_few_wait() -> None:
    course = Course(Way(rate=8000, queue=0.25), 0.0, "seed")  # 100 bytes take 0.1 s
    times = [course.take(1.0, 100) for _ in range(5)]
    assert [time for found in times for time in found] == pytest.approx([1.1, 1.2, 1.3])
    assert [len(found) for found in times] == [1, 1, 1, 0, 0]
    assert course.take(2.0, 50)[0] == pytest.approx(2.05)
    assert course.counts.overflowed == 2


def test_some_are_overtaken_and_some_come_twice() -> None:
    late = [fate > 0.01 + OVERTAKEN / 2 for fate in fates(Way(reorder=0.1))]
    assert sum(late) / MANY == pytest.approx(0.1, rel=0.1)
    course = Course(Way(duplicate=0.1), 0.0, "seed")
    twice = [times for n in range(MANY) if len(times := course.take(float(n), 9)) == 2]
    assert len(twice) / MANY == pytest.approx(0.1, rel=0.1)
    assert course.counts.doubled == len(twice)
    assert all(one == other for one, other in twice)
