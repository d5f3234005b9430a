"""Interfaces and subnets are numbered, and never collide."""

from __future__ import annotations

from ipaddress import ip_interface, ip_network

import pytest

from topologies.address import ACCESS, TRANSIT
from topologies.catalogue import build
from topologies.draft import Draft
from topologies.place import Place, Vantage


def test_interfaces_bear_their_nodes_name_and_count() -> None:
    draft = Draft("x")
    for name in ("r", "a", "b"):
        draft.node(name, "router")
    assert draft.link("r", "a", TRANSIT) == ("r-eth0", "a-eth0")
    assert draft.link("r", "b", TRANSIT) == ("r-eth1", "b-eth0")
    assert draft.link("a", "b", TRANSIT) == ("a-eth1", "b-eth1")


def test_a_subnet_that_holds_a_reserved_address_is_passed_over() -> None:
    def first(*reserved: str) -> tuple[str, str]:
        draft = Draft("x", reserved)
        draft.node("r", "router")
        draft.node("a", "server")
        draft.link("r", "a", ACCESS)
        four, six = draft.plan(root="r", boxes=()).links[0].ends[1].addresses
        return four, six

    assert first() == ("202.106.45.2/30", "2408:8206:0:2d00::2/64")
    assert first("202.106.45.3")[0] == "202.106.45.6/30"
    assert first("2408:8206:0:2d00:1::")[1] == "2408:8206:0:2d01::2/64"


def test_no_address_is_given_twice_and_no_subnet_overlaps() -> None:
    vantages = {f"v{n}": Vantage("beijing", "unicom") for n in range(60)}
    plan = build({"use": "national"}, vantages, {"servers": Place(("202.106.45.9",))})
    given = [a.partition("/")[0] for x in plan.links for e in x.ends for a in e.addresses]
    given += [a.partition("/")[0] for node in plan.nodes for a in node.addresses]
    assert len(set(given)) == len(given)
    fours = [ip_interface(x.ends[0].addresses[0]).network for x in plan.links]
    assert len(set(fours)) == len(fours)
    assert not any(ip_network("202.106.45.9/32").subnet_of(net) for net in fours)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["a-node", "ninechars"])
def test_an_interface_name_fits_linux(name: str) -> None:
    draft = Draft("x")
    for node in (name, *(f"n{n}" for n in range(100))):
        draft.node(node, "router")
    names = [draft.link(name, f"n{n}", TRANSIT)[0] for n in range(100)]
    assert max(map(len, names)) <= 15
