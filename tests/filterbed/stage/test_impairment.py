"""What is measured of an impaired link, when that is wrong, and what luck explains."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from filterbed.stage import impairment
from filterbed.stage.impairment import Course
from topologies.catalogue import build
from topologies.impair import Impairment, impair
from topologies.place import Vantage
from topologies.plan import MTU, Way


def course(delay: float = 0.0, mtu: int = MTU, **way: Any) -> Course:
    return Course("r1", "r2", "127.0.0.1", delay, Way(**way), mtu)


def measured(**more: Any) -> dict[str, Any]:
    found = {"sent": 400, "loss": 0.0, "burst": None, "reorder": 0.0, "duplicate": 0.0}
    return found | {"least": 0.0, "most": 0.001, "rate": None, "mtu": MTU} | more


def test_only_impaired_links_are_measured_each_way() -> None:
    plan = build({"use": "hops", "hops": 4, "censor": 2, "delay": 0.02}, {"client": Vantage()}, {})
    assert [*impairment.courses(plan)] == []
    worse = impair(plan, [Impairment("r3", "r4", one_way=True, way=Way(loss=0.1), delay=0.05)])
    found = {(one.near, one.far): one for one in impairment.courses(worse)}
    assert {*found} == {("r3", "r4"), ("r4", "r3")}
    assert found["r3", "r4"].way.loss == 0.1
    assert (found["r3", "r4"].delay, found["r4", "r3"].delay) == (0.05, 0.0)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (course(), measured()),
        (course(loss=0.05), measured(loss=0.03)),
        (course(loss=0.05, burst=5.0), measured(loss=0.1)),
        (course(loss=1.0), measured(loss=1.0, least=None, most=None, mtu=None)),
        (course(delay=0.02), measured(least=0.0195, most=0.03)),
        (course(jitter=0.02), measured(most=0.019, reorder=0.3)),
        (course(rate=64_000.0), measured(rate=61_000.0)),
        (course(reorder=0.05, duplicate=0.05), measured(reorder=0.06, duplicate=0.03)),
        (course(mtu=1400), measured(mtu=1400)),
    ],
)
def test_a_link_that_does_as_stated_is_no_problem(asked: Course, found: dict[str, Any]) -> None:
    assert impairment.problems(asked, found) == []


@pytest.mark.parametrize(
    ("asked", "found", "text"),
    [
        (course(), measured(loss=0.0025), "loss 0.25% of 400, the plan states 0.00%"),
        (course(loss=0.05), measured(loss=0.0), "loss 0.00% of 400, the plan states 5.00%"),
        (course(delay=0.02), measured(least=0.001), "delay 1.00 ms, the plan states 20 ms"),
        (course(jitter=0.02), measured(most=0.005), "jitter 5.00 ms, stated are 20 ms"),
        (course(rate=64_000.0), measured(rate=90_000.0), "the plan states 64000"),
        (course(rate=64_000.0), measured(rate=None), "the plan states 64000"),
        (course(reorder=0.05), measured(), "reorder 0.00% of 400, the plan states 5.00%"),
        (course(), measured(duplicate=0.01), "duplicate 1.00% of 400"),
        (course(mtu=1400), measured(mtu=None), "mtu None, the plan states 1400"),
    ],
)
def test_a_link_that_does_not_is_told(asked: Course, found: dict[str, Any], text: str) -> None:
    (problem,) = impairment.problems(asked, found)
    assert problem.startswith("link r1 - r2: ")
    assert text in problem


def test_a_slow_link_is_asked_slowly_and_no_longer_than_others() -> None:
    slow = course(rate=8000.0, loss=0.1)
    assert slow.pace * 8000 / 8 > impairment.SIZE
    assert slow.count * slow.pace < 2 * impairment.SECONDS
    assert course(loss=0.1).count == impairment.MANY


def test_what_arrives_is_counted_and_timed() -> None:
    far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    near = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with near, far:
        far.bind(("127.0.0.1", 0))
        near.connect(far.getsockname())
        seen = impairment.exchange(near, far, course(), 20, 32, 0.001)
    assert [number for number, _ in seen.arrived] == [*range(1, 21)]
    assert all(0 < seconds < 0.25 for _, seconds in seen.arrived)
