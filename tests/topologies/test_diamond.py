"""`fork` and `detour`: two ways between clients and the world, the box on one of them."""

from __future__ import annotations

from typing import Any

import pytest

from topologies.catalogue import build
from topologies.errors import PlanError
from topologies.place import Place, Vantage
from topologies.plan import Plan
from topologies.route import walk, walks

VANTAGES = {"client": Vantage(), "abroad": Vantage(abroad=True)}
PLACES = {"servers": Place(("31.13.70.36", "2a03:2880::1")), "near": Place((), inside=True)}


def made(use: str, **options: Any) -> Plan:
    return build({"use": use, **options}, VANTAGES, PLACES)


def ways(plan: Plan, source: str, target: str, version: int) -> list[str]:
    found = walks(plan, source, plan.primary(target, version))
    assert {len(path) for path in found} == {5}
    return sorted(path[2] for path in found)


@pytest.mark.parametrize("version", [4, 6])
def test_a_fork_has_both_ways_in_both_directions(version: int) -> None:
    plan = made("fork")
    for target in ("servers", "resolver", "control", "abroad"):
        assert ways(plan, "client", target, version) == ["bypass", "censor"]
        assert ways(plan, target, "client", version) == ["bypass", "censor"]


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    ("options", "out", "back"),
    [
        ({}, "censor", "bypass"),
        ({"sees": "outbound"}, "censor", "bypass"),
        ({"sees": "inbound"}, "bypass", "censor"),
    ],
)
def test_a_detour_has_one_way_out_and_one_back(
    options: dict[str, str], out: str, back: str, version: int
) -> None:
    plan = made("detour", **options)
    for target in ("servers", "resolver", "control", "abroad"):
        assert ways(plan, "client", target, version) == [out]
        assert ways(plan, target, "client", version) == [back]


@pytest.mark.parametrize("use", ["fork", "detour"])
def test_the_box_looks_at_the_edge_and_both_ways_are_late(use: str) -> None:
    plan = made(use, delay=0.01)
    (box,) = plan.boxes
    ends = {e.interface: {x.node for x in li.ends} for li in plan.links for e in li.ends}
    assert [ends[name] for name in box.inside] == [{"edge", "censor"}]
    assert [ends[name] for name in box.outside] == [{"censor", "core"}]
    late = [{e.node for e in link.ends} for link in plan.links if link.delay == 0.01]
    assert sorted(late, key=sorted) == [{"bypass", "core"}, {"censor", "core"}]


@pytest.mark.parametrize("use", ["fork", "detour"])
def test_whoever_stands_on_one_side_does_not_pass_the_box(use: str) -> None:
    plan = made(use)
    for source, target in (("control", "servers"), ("abroad", "servers"), ("client", "near")):
        assert "censor" not in walk(plan, source, plan.primary(target))


def test_what_cannot_be_is_refused_at_its_place() -> None:
    for use, options, vantage, path in (
        ("detour", {"sees": "both"}, "one", ("topology", "sees")),
        ("fork", {"sees": "outbound"}, "one", ("topology", "sees")),
        ("fork", {"delay": 3}, "one", ("topology", "delay")),
        ("fork", {}, "bypass", ("vantages", "bypass")),
        ("detour", {}, "edge", ("vantages", "edge")),
    ):
        with pytest.raises(PlanError) as caught:
            build({"use": use, **options}, {vantage: Vantage()}, {})
        assert [problem.path for problem in caught.value.problems] == [path]
