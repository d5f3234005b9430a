"""`line`: everything a client does crosses the box, nothing the control does."""

from __future__ import annotations

import pytest

from topologies.catalogue import build
from topologies.errors import PlanError
from topologies.place import Place, Vantage
from topologies.route import walk

PLAN = build(
    {"use": "line", "delay": 0.005},
    {"one": Vantage(), "two": Vantage(), "out": Vantage(abroad=True)},
    {"servers": Place(("31.13.70.36", "2a03:2880::1")), "near": Place(("5.9.1.1",), inside=True)},
)


@pytest.mark.parametrize("version", [4, 6])
def test_clients_cross_the_box_and_the_control_does_not(version: int) -> None:
    for target in ("servers", "resolver", "auth", "control", "out"):
        for client in ("one", "two"):
            assert "censor" in walk(PLAN, client, PLAN.primary(target, version))
    for target in ("servers", "resolver"):
        for free in ("control", "out"):
            assert "censor" not in walk(PLAN, free, PLAN.primary(target, version))


def test_the_box_has_a_side_for_each_host_inside() -> None:
    (box,) = PLAN.boxes
    assert (box.node, box.outside) == ("censor", ("censor-eth0",))
    assert box.inside == ("censor-eth1", "censor-eth2", "censor-eth3")
    inner = {link.ends[1].node for link in PLAN.links if link.ends[0].interface in box.inside}
    assert inner == {"one", "two", "near"}


def test_the_delay_lies_behind_the_box_and_is_none_unless_stated() -> None:
    delays = {(link.ends[0].node, link.ends[1].node): link.delay for link in PLAN.links}
    assert delays.pop(("censor", "core")) == 0.005
    assert set(delays.values()) == {0.0}
    plain = build({"use": "line"}, {"one": Vantage()}, {})
    assert {link.delay for link in plain.links} == {0.0}


def test_without_places_there_is_one_host_for_servers() -> None:
    names = [node.name for node in build({"use": "line"}, {"one": Vantage()}, {}).nodes]
    assert "servers" in names


def test_a_vantage_is_never_the_first_end_of_a_link() -> None:
    vantages = {node.name for node in PLAN.nodes if node.role == "vantage"}
    assert not vantages & {link.ends[0].node for link in PLAN.links}


def test_cities_and_carriers_are_refused() -> None:
    with pytest.raises(PlanError) as caught:
        build(
            {"use": "line", "cities": ["beijing"]},
            {"one": Vantage("beijing", "unicom")},
            {"servers": Place((), "unicom")},
        )
    paths = {problem.path for problem in caught.value.problems}
    assert paths == {
        ("topology", "cities"),
        ("vantages", "one", "city"),
        ("vantages", "one", "carrier"),
        ("places", "servers", "carrier"),
    }
    assert "use: national" in str(caught.value)
