"""`national`: who crosses the border, how far things are, what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from topologies.catalogue import build
from topologies.errors import PlanError
from topologies.place import Place, Vantage
from topologies.plan import Plan
from topologies.route import walk

VANTAGES = {
    "bj-cu": Vantage("beijing", "unicom"),
    "sh-ct": Vantage("shanghai", "telecom"),
    "us": Vantage(abroad=True),
}
PLACES = {"servers": Place(("31.13.70.36",)), "sip-ct": Place(("202.96.199.10",), "telecom")}


def national(**options: Any) -> Plan:
    return build({"use": "national", **options}, VANTAGES, PLACES)


@pytest.mark.parametrize(
    ("source", "target", "path"),
    [
        ("bj-cu", "servers", "bj-cu bj-r-cu bb-cu border intl servers"),
        ("sh-ct", "resolver", "sh-ct sh-r-ct bb-ct border intl resolver"),
        ("bj-cu", "sh-ct", "bj-cu bj-r-cu bb-cu bb-ct sh-r-ct sh-ct"),
        ("bj-cu", "sip-ct", "bj-cu bj-r-cu bb-cu bb-ct sip-ct"),
        ("bj-cu", "dns-cu", "bj-cu bj-r-cu bb-cu dns-cu"),
        ("dns-cu", "auth", "dns-cu bb-cu border intl auth"),
        ("control", "servers", "control intl servers"),
        ("us", "sip-ct", "us intl border bb-ct sip-ct"),
    ],
)
def test_the_way_of_a_packet(source: str, target: str, path: str) -> None:
    plan = national()
    assert walk(plan, source, plan.primary(target)) == tuple(path.split())


def test_only_the_international_link_has_delay() -> None:
    for options, delay in (({}, 0.020), ({"delay": 0.1}, 0.1), ({"delay": 0}, 0)):
        links = {frozenset(e.node for e in x.ends): x.delay for x in national(**options).links}
        assert links.pop(frozenset(("border", "intl"))) == delay
        assert set(links.values()) == {0.0}


def test_the_box_knows_its_sides() -> None:
    plan = national()
    (box,) = plan.boxes
    inside = {
        (near.interface, far.node)
        for link in plan.links
        for near, far in (link.ends, link.ends[::-1])
        if near.node == box.node
    }
    assert {interface for interface, far in inside if far == "intl"} == set(box.outside)
    assert {interface for interface, far in inside if far != "intl"} == set(box.inside)
    assert {far for _, far in inside} == {"intl", "bb-cu", "bb-ct"}


def test_vantages_ask_the_resolver_abroad_or_their_own() -> None:
    assert national().node("bj-cu").resolver == "8.8.8.8"
    own = national(resolver="carrier")
    assert own.node("bj-cu").resolver == own.primary("dns-cu") == "202.106.0.20"
    assert own.node("us").resolver == own.node("control").resolver == "8.8.8.8"


def test_carriers_listed_are_built_though_nobody_uses_them() -> None:
    names = {node.name for node in national(carriers=["unicom", "telecom", "cernet"]).nodes}
    assert {"bb-ce", "dns-ce"} <= names
    assert "bb-cm" not in names


def test_hosts_stand_where_they_say() -> None:
    node = national().node("bj-cu")
    assert (node.city, node.carrier, node.asn, node.role) == ("beijing", "unicom", 4837, "vantage")
    assert national().node("bj-r-cu").asn == 4837
    assert national().node("sip-ct").carrier == "telecom"


def problems(options: Any, vantages: Any, places: Any) -> dict[str, str]:
    with pytest.raises(PlanError) as caught:
        build({"use": "national", **options}, vantages, places)
    return {".".join(map(str, p.path)): p.hint for p in caught.value.problems}


def test_all_that_is_wrong_is_said_at_once() -> None:
    found = problems(
        {"citys": ["beijing"], "delay": "20 ms", "carriers": ["unicorn"], "resolver": "mine"},
        {
            "bj-cu": Vantage("bejing", "unicom"),
            "a-very-long-name": Vantage("beijing", "unicom"),
            "border": Vantage("beijing", "unicom"),
            "us": Vantage("beijing", abroad=True),
            "lost": Vantage(),
        },
        {"sip": Place(("8.8.8.8", "10.0.0.1", "x"), "telekom"), "in": Place((), inside=True)},
    )
    assert found["topology.citys"] == "did you mean 'cities'?"
    assert found["topology.carriers.0"] == "did you mean 'unicom'?"
    assert found["vantages.bj-cu.city"] == "did you mean 'beijing'?"
    assert found["places.sip.carrier"] == ""
    assert found["places.sip.addresses.0"] == "resolver holds it"
    assert {
        "topology.delay",
        "topology.resolver",
        "vantages.a-very-long-name",
        "vantages.border",
        "vantages.us.city",
        "vantages.lost.city",
        "vantages.lost.carrier",
        "places.sip.addresses.1",
        "places.sip.addresses.2",
        "places.in.carrier",
    } <= set(found)


def test_a_city_must_be_listed_where_cities_are() -> None:
    found = problems({"cities": ["beijing"]}, {"sh": Vantage("shanghai", "unicom")}, {})
    assert "vantages.sh.city" in found


def test_an_unknown_country_is_refused_alone() -> None:
    assert [*problems({"country": "XX"}, VANTAGES, PLACES)] == ["topology.country"]
