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


def test_some_recursors_validate_and_then_the_one_abroad_does() -> None:
    plan = national(dnssec=["telecom"])
    validating = {node.name for node in plan.nodes if node.validates}
    assert validating == {"dns-ct", "resolver"}
    assert not any(node.validates for node in national().nodes)


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


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("borders", ["one", "each"])
@pytest.mark.parametrize("exchange", [False, True])
def test_a_packet_abroad_crosses_its_carriers_border_and_one_inside_none(
    exchange: bool, borders: str, version: int
) -> None:
    plan = national(borders=borders, exchange=exchange)
    boxes = {box.node for box in plan.boxes}
    assert boxes == ({"border"} if borders == "one" else {"border-cu", "border-ct"})
    for vantage, code in (("bj-cu", "cu"), ("sh-ct", "ct")):
        own = "border" if borders == "one" else f"border-{code}"
        there = walk(plan, vantage, plan.primary("servers", 4))
        assert there[-4:] == (f"bb-{code}", own, "intl", "servers")
        back = walk(plan, "servers", plan.primary(vantage, version))
        assert boxes & set(back) == {own}
    for target in ("sh-ct", "sip-ct", "dns-ct"):
        inland = walk(plan, "bj-cu", plan.primary(target, version))
        assert not boxes & set(inland)
        assert ("ix" in inland) is exchange


def test_each_border_has_its_own_sides_and_delay() -> None:
    plan = national(borders="each", delay=0.05)
    far = {a.interface: b.node for li in plan.links for a, b in (li.ends, li.ends[::-1])}
    sides = {b.node: ([far[i] for i in b.inside], [far[i] for i in b.outside]) for b in plan.boxes}
    assert sides == {"border-cu": (["bb-cu"], ["intl"]), "border-ct": (["bb-ct"], ["intl"])}
    late = {frozenset(e.node for e in li.ends) for li in plan.links if li.delay == 0.05}
    assert late == {frozenset((name, "intl")) for name in sides}


def test_access_networks_have_routers_and_prefixes_of_their_own() -> None:
    vantages = {
        "cell": Vantage("beijing", "unicom", access="cellular"),
        "cell2": Vantage("beijing", "unicom", access="cellular"),
        "home": Vantage("beijing", "unicom", access="fixed"),
        "plain": Vantage("beijing", "unicom"),
    }
    plan = build({"use": "national"}, vantages, PLACES)
    above = {name: walk(plan, name, plan.primary("servers"))[1:4] for name in vantages}
    assert above["cell"] == above["cell2"] == ("bj-c-cu", "bj-r-cu", "bb-cu")
    assert above["home"] == ("bj-f-cu", "bj-r-cu", "bb-cu")
    assert above["plain"][:2] == ("bj-r-cu", "bb-cu")
    assert "bj-r-cu" in walk(plan, "cell", plan.primary("home", 6))


def test_what_grown_options_cannot_be() -> None:
    found = problems(
        {"borders": "two", "exchange": "yes"},
        {
            "a": Vantage("beijing", "unicom", access="dialup"),
            "b": Vantage(abroad=True, access="fixed"),
            "ix": Vantage("beijing", "unicom"),
            "bj-c-cu": Vantage("beijing", "unicom"),
            "border-cu": Vantage("beijing", "unicom"),
        },
        {},
    )
    assert {*found} == {
        "topology.borders",
        "topology.exchange",
        "vantages.a.access",
        "vantages.b.access",
        "vantages.ix",
        "vantages.bj-c-cu",
        "vantages.border-cu",
    }
