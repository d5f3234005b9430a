"""`hops`: as many routers as asked for, the box where it was asked for."""

from __future__ import annotations

from typing import Any

import pytest

from topologies.catalogue import build
from topologies.errors import PlanError, Problem
from topologies.place import Place, Vantage
from topologies.plan import Plan
from topologies.route import walk

CLIENTS = {"client": Vantage(), "abroad": Vantage(abroad=True)}
PLACES = {"servers": Place(("31.13.70.36", "2a03:2880::1")), "near": Place((), inside=True)}


def hops(**options: Any) -> Plan:
    return build({"use": "hops", **options}, CLIENTS, PLACES)


def refused(**options: Any) -> tuple[Problem, ...]:
    with pytest.raises(PlanError) as caught:
        hops(**options)
    return caught.value.problems


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(("count", "censor"), [(2, 1), (3, 1), (5, 3), (5, 4), (30, 29)])
def test_the_box_is_at_its_hop_both_ways(count: int, censor: int, version: int) -> None:
    plan = hops(hops=count, censor=censor)
    there = walk(plan, "client", plan.primary("servers", version))
    back = walk(plan, "servers", plan.primary("client", version))
    assert len(there) == count + 2
    assert there[censor] == "censor"
    assert there == back[::-1]
    assert [plan.node(name).role for name in there[1:-1]].count("box") == 1


@pytest.mark.parametrize(("count", "middle"), [(None, 3), (2, 1), (3, 2), (4, 2), (5, 3)])
def test_the_box_is_in_the_middle_unless_stated(count: int | None, middle: int) -> None:
    plan = hops(hops=count, censor=None)
    assert walk(plan, "client", plan.primary("servers"))[middle] == "censor"


@pytest.mark.parametrize("censor", [1, 3])
def test_the_box_knows_its_sides_and_the_delay_lies_behind_it(censor: int) -> None:
    plan = hops(hops=4, censor=censor, delay=0.01)
    (box,) = plan.boxes
    ends = {e.interface: (li, li.ends[0] if e is li.ends[1] else li.ends[1])
            for li in plan.links for e in li.ends}  # fmt: skip
    behind = {"client", "near"} if censor == 1 else {f"r{censor - 1}"}
    assert {ends[name][1].node for name in box.inside} == behind
    assert [ends[name][1].node for name in box.outside] == [f"r{censor + 1}"]
    assert [link for link in plan.links if link.delay] == [ends[box.outside[0]][0]]


def test_the_control_and_vantages_abroad_do_not_cross_the_box() -> None:
    plan = hops()
    for free in ("control", "abroad"):
        assert "censor" not in walk(plan, free, plan.primary("servers"))
    assert "censor" not in walk(plan, "client", plan.primary("near"))


@pytest.mark.parametrize("censor", [0, 5, 9, -1, "3", 2.0, True])
def test_a_box_that_is_not_on_the_way_is_refused(censor: object) -> None:
    (problem,) = refused(hops=5, censor=censor)
    assert (problem.path, problem.value) == (("topology", "censor"), censor)
    assert problem.expected == "a whole number from 1 to 4"
    assert "there are 5 hops" in problem.hint


@pytest.mark.parametrize("count", [1, 0, 31, "5"])
def test_a_chain_that_cannot_be_is_refused(count: object) -> None:
    (problem,) = refused(hops=count)
    assert problem.path == ("topology", "hops")


def test_everything_wrong_is_told_at_once() -> None:
    with pytest.raises(PlanError) as caught:
        build(
            {"use": "hops", "hops": 40, "censor": 9, "delay": -1, "hop": 3},
            {"r2": Vantage(), "tenletters": Vantage("beijing")},
            {"servers": Place(("8.8.8.8",), "unicom")},
        )
    assert {problem.path for problem in caught.value.problems} == {
        ("topology", "hops"),
        ("topology", "censor"),
        ("topology", "delay"),
        ("topology", "hop"),
        ("vantages", "r2"),
        ("vantages", "tenletters"),
        ("vantages", "tenletters", "city"),
        ("places", "servers", "addresses", 0),
        ("places", "servers", "carrier"),
    }
