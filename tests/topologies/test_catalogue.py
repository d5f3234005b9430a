"""The table of topologies."""

from __future__ import annotations

import pytest

from topologies.catalogue import TOPOLOGIES, build
from topologies.errors import PlanError
from topologies.place import Place, Vantage
from topologies.prefix import PLAIN


def somewhere(use: str) -> Vantage:
    return Vantage() if use in PLAIN else Vantage("beijing", "unicom")


def asked(use: str) -> dict[str, object]:
    return {"use": use, **({"province": ["wuhan"]} if use == "series" else {})}


@pytest.mark.parametrize("use", [None, "nationl", "ring"])
def test_an_unknown_topology_is_refused_with_those_that_are_there(use: object) -> None:
    with pytest.raises(PlanError, match="one of line, hops, "):
        build({"use": use}, {"one": Vantage()}, {})


def test_the_nearest_name_is_offered() -> None:
    with pytest.raises(PlanError, match="did you mean 'national'"):
        build({"use": "nationl"}, {"one": Vantage()}, {})


@pytest.mark.parametrize("use", TOPOLOGIES)
def test_every_topology_has_what_a_run_needs(use: str) -> None:
    vantage = somewhere(use)
    plan = build(asked(use), {"one": vantage}, {})
    roles = {node.name: node.role for node in plan.nodes}
    assert (roles["auth"], roles["resolver"], roles["control"]) == ("server", "resolver", "control")
    assert roles[plan.boxes[0].node] == "box"
    assert roles["servers"] == "server"


@pytest.mark.parametrize("use", TOPOLOGIES)
def test_the_same_question_gives_the_same_plan(use: str) -> None:
    vantage = somewhere(use)
    one, other = (build(asked(use), {"one": vantage}, {}) for _ in range(2))
    assert one == other


@pytest.mark.parametrize("use", TOPOLOGIES)
def test_no_vantage_no_plan(use: str) -> None:
    with pytest.raises(PlanError, match="at least one vantage"):
        build(asked(use), {}, {"servers": Place(("31.13.70.36",))})
