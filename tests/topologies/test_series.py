"""`series`: who lives in the province crosses two boxes, everybody else one."""

from __future__ import annotations

from typing import Any

import pytest

from topologies.catalogue import build
from topologies.errors import PlanError
from topologies.place import Place, Vantage
from topologies.plan import Plan
from topologies.route import walk

VANTAGES = {
    "gz": Vantage("guangzhou"),
    "wh": Vantage("wuhan", "unicom"),
    "bj": Vantage("beijing"),
    "us": Vantage(abroad=True),
}
PLACES = {"servers": Place(("31.13.70.36", "2a03:2880::1")), "home": Place((), "unicom")}


def series(**options: Any) -> Plan:
    return build({"use": "series", "province": ["guangzhou", "wuhan"], **options}, VANTAGES, PLACES)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    ("source", "target", "path"),
    [
        ("gz", "servers", "gz gz-r-cu province bb-cu border intl servers"),
        ("wh", "resolver", "wh wh-r-cu province bb-cu border intl resolver"),
        ("bj", "servers", "bj bj-r-cu bb-cu border intl servers"),
        ("gz", "bj", "gz gz-r-cu province bb-cu bj-r-cu bj"),
        ("gz", "home", "gz gz-r-cu province bb-cu home"),
        ("gz", "wh", "gz gz-r-cu province wh-r-cu wh"),
        ("us", "servers", "us intl servers"),
        ("control", "gz", "control intl border bb-cu province gz-r-cu gz"),
    ],
)
def test_the_way_of_a_packet(source: str, target: str, path: str, version: int) -> None:
    plan = series()
    assert walk(plan, source, plan.primary(target, version)) == tuple(path.split())
    assert walk(plan, target, plan.primary(source, version)) == tuple(path.split()[::-1])


def test_both_boxes_know_their_sides() -> None:
    plan = series()
    far = {
        near.interface: away.node
        for link in plan.links
        for near, away in (link.ends, link.ends[::-1])
    }
    sides = {b.node: ({far[i] for i in b.inside}, {far[i] for i in b.outside}) for b in plan.boxes}
    assert sides == {
        "border": ({"bb-cu"}, {"intl"}),
        "province": ({"gz-r-cu", "wh-r-cu"}, {"bb-cu"}),
    }


def test_another_carrier_and_delay() -> None:
    plan = build(
        {"use": "series", "province": ["wuhan"], "carrier": "telecom", "delay": 0.1},
        {"wh": Vantage("wuhan")},
        {},
    )
    assert plan.node("wh").carrier == "telecom"
    assert {e.node for li in plan.links if li.delay == 0.1 for e in li.ends} == {"border", "intl"}


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(PlanError) as caught:
        build(
            {"use": "series", "province": ["wuhn"], "delay": 9, "cities": []},
            {
                "a": Vantage("wuhan", "telecom"),
                "b": Vantage("atlantis"),
                "c": Vantage(),
                "d": Vantage("wuhan", abroad=True),
                "province": Vantage("wuhan"),
            },
            {"s": Place((), "telecom"), "t": Place((), inside=True)},
        )
    assert [".".join(map(str, p.path)) for p in caught.value.problems] == [
        "topology.cities",
        "topology.delay",
        "topology.province.0",
        "vantages.province",
        "vantages.a.carrier",
        "vantages.b.city",
        "vantages.c.city",
        "vantages.d.city",
        "places.s.carrier",
        "places.t.carrier",
    ]


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"country": "XX"}, "topology.country"),
        ({"carrier": "unicorn"}, "topology.carrier"),
        ({"province": []}, "topology.province"),
    ],
)
def test_without_a_ground_it_is_refused(options: dict[str, object], path: str) -> None:
    with pytest.raises(PlanError) as caught:
        series(**options)
    assert [".".join(map(str, p.path)) for p in caught.value.problems] == [path]
