"""What links on the way do to a call, by the direction that loses more, and to long pages."""

from __future__ import annotations

import pytest

from scenarios.strain import CALL, strain, swallowed
from topologies.catalogue import build
from topologies.impair import Impairment, impair
from topologies.place import Place, Vantage
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


def test_large_answers_vanish_on_a_silent_link_and_not_on_one_that_says_so() -> None:
    plan = build(
        {"use": "hops", "hops": 6, "censor": 4},
        {"near": Vantage(), "far": Vantage(abroad=True)},
        {"inside": Place(("66.33.200.9",), inside=True), "servers": Place(("66.33.200.8",))},
    )
    silent = Impairment("r1", "r2", mtu=1400, silent=True)
    said = Impairment("r5", "r6", mtu=1300)
    for size, one, both in ((900, False, False), (1399, True, False), (9000, True, False)):
        assert swallowed(impair(plan, [silent]), "near", "servers", size) is one
        assert swallowed(impair(plan, [silent, said]), "near", "servers", size) is both
        assert swallowed(impair(plan, [silent, said]), "far", "inside", size) is one
        assert not swallowed(impair(plan, [silent]), "near", "inside", size)
        assert not swallowed(impair(plan, [said]), "near", "servers", size)
    own = Impairment("near", "r1", mtu=1400, silent=True)
    assert not swallowed(impair(plan, [own]), "near", "servers", 9000)
