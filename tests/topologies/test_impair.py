"""Links made worse: which, in which direction, and what cannot be."""

from __future__ import annotations

import pytest

from topologies.catalogue import build
from topologies.errors import PlanError
from topologies.impair import Impairment, holder, impair
from topologies.place import Vantage
from topologies.plan import Link, Plan, Way

LOSSY = Way(loss=0.1)


@pytest.fixture
def plan() -> Plan:
    return build({"use": "hops", "hops": 5, "censor": 3, "delay": 0.02}, {"client": Vantage()}, {})


def link(plan: Plan, one: str, two: str) -> Link:
    (found,) = [li for li in plan.links if {end.node for end in li.ends} == {one, two}]
    return found


def toward(plan: Plan, one: str, two: str) -> Way:
    """Return what the link does from one to the other, whichever end was declared first."""
    found = link(plan, one, two)
    return found.ways[0 if found.ends[0].node == one else 1]


@pytest.mark.parametrize(("one", "two"), [("r4", "r5"), ("r5", "r4")])
def test_one_direction_is_impaired_and_the_other_is_not(plan: Plan, one: str, two: str) -> None:
    found = impair(plan, [Impairment(one, two, one_way=True, way=LOSSY, delay=0.1)])
    assert toward(found, one, two) == LOSSY
    assert toward(found, two, one) == Way()
    changed = link(found, one, two)
    assert sorted(changed.delays) == [0.0, 0.1]
    assert changed.delays[0 if changed.ends[0].node == one else 1] == 0.1
    assert not changed.plain
    assert link(found, "r1", "r2") == link(plan, "r1", "r2")


def test_both_directions_and_what_is_the_links_own(plan: Plan) -> None:
    found = link(
        impair(plan, [Impairment("r5", "r4", way=LOSSY, mtu=1400, silent=True)]), "r4", "r5"
    )
    assert found.ways == (LOSSY, LOSSY)
    assert (found.mtu, found.silent, found.delays) == (1400, True, (0.0, 0.0))


def test_the_topologys_delay_stays_where_none_is_said(plan: Plan) -> None:
    found = link(impair(plan, [Impairment("censor", "r4", way=LOSSY)]), "censor", "r4")
    assert found.delays == (0.02, 0.02)
    assert found.ends[holder(plan, found) or 0].node == "r4"


def test_two_directions_may_be_said_one_by_one_but_each_once(plan: Plan) -> None:
    there = Impairment("r4", "r5", one_way=True, way=LOSSY)
    back = Impairment("r5", "r4", one_way=True, way=Way(jitter=0.1))
    assert toward(impair(plan, [there, back]), "r5", "r4") == Way(jitter=0.1)
    with pytest.raises(PlanError, match="each direction of a link once"):
        impair(plan, [there, Impairment("r4", "r5", way=LOSSY)])


@pytest.mark.parametrize(
    ("asked", "path", "text"),
    [
        (Impairment("r9", "r4", way=LOSSY), ("links", 0, "between", 0), "a host that `show` lists"),
        (Impairment("r4", "r9", one_way=True), ("links", 0, "to"), "a host that `show` lists"),
        (
            Impairment("r4", "r1", way=LOSSY),
            ("links", 0, "between", 1),
            "neighbour of r4: censor, r5",
        ),
        (Impairment("r4", "censor", mtu=1400), ("links", 0, "mtu"), "ends at no box"),
    ],
)
def test_what_cannot_be_is_refused(
    plan: Plan, asked: Impairment, path: tuple[str | int, ...], text: str
) -> None:
    with pytest.raises(PlanError, match=text) as caught:
        impair(plan, [asked])
    assert [problem.path for problem in caught.value.problems] == [path]


def test_a_link_between_a_vantage_and_a_box_cannot_be_held_anywhere() -> None:
    line = build({"use": "line"}, {"client": Vantage()}, {})
    with pytest.raises(PlanError, match="neither a vantage nor a box"):
        impair(line, [Impairment("client", "censor", way=LOSSY)])
