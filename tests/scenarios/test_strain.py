"""What links on the way do to a call, by the direction that loses more."""

from __future__ import annotations

import pytest

from scenarios.strain import CALL, strain
from topologies.catalogue import build
from topologies.impair import Impairment, impair
from topologies.place import Vantage
from topologies.plan import Way


@pytest.mark.parametrize(
    ("way", "word"),
    [
        (Way(jitter=0.1, reorder=0.2, duplicate=0.2), "answers"),
        (Way(loss=0.1), "lossy"),
        (Way(loss=0.2, burst=4.0), "congested"),
        (Way(rate=CALL), "answers"),
        (Way(rate=0.9 * CALL), "lossy"),
        (Way(rate=0.6 * CALL), "congested"),
        (Way(loss=0.15, rate=0.9 * CALL), "congested"),
    ],
)
@pytest.mark.parametrize(("near", "far"), [("r4", "r3"), ("r3", "r4")])
def test_a_call_by_what_the_way_loses(way: Way, word: str, near: str, far: str) -> None:
    plan = build({"use": "hops", "hops": 4, "censor": 2}, {"client": Vantage()}, {})
    assert strain(plan, "client", "servers") == "answers"
    worse = impair(plan, [Impairment(near, far, one_way=True, way=way)])
    assert strain(worse, "client", "servers") == word
    assert strain(worse, "control", "servers") == "answers"  # it does not come this way
