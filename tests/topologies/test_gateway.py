"""Who is behind a gateway, where it leads, and what the rest of the network knows of it."""

from __future__ import annotations

import pytest

from topologies import gateway, prefix
from topologies.catalogue import build
from topologies.errors import PlanError
from topologies.picture import picture
from topologies.place import Vantage
from topologies.plan import Plan, Portal
from topologies.route import walk


def line() -> Plan:
    vantages = {
        "home": Vantage(nat="cone"),
        "plain": Vantage(),
        "out": Vantage(abroad=True, nat="symmetric"),
    }
    return build({"use": "line"}, vantages, {})


def test_the_way_out_leads_through_the_gateway_and_the_box() -> None:
    plan = line()
    for version in (4, 6):
        path = walk(plan, "home", plan.primary("servers", version))
        assert path == ("home", "gw1", "censor", "core", "servers")
    assert walk(plan, "out", plan.primary("servers")) == ("out", "gw2", "core", "servers")


def test_nobody_has_a_way_to_a_private_address() -> None:
    plan = line()
    assert plan.primary("home") == "192.168.1.2"
    for node in ("control", "plain", "core", "censor"):
        with pytest.raises(LookupError):
            walk(plan, node, plan.primary("home"))
    assert walk(plan, "control", plan.seen("home")[0])[-1] == "gw1"
    assert walk(plan, "control", plan.primary("home", 6))[-2:] == ("gw1", "home")


def test_others_see_the_gateways_address_and_the_clients_own_of_version_6() -> None:
    plan = line()
    assert plan.seen("home") == (plan.primary("gw1"), plan.primary("home", 6))
    assert plan.seen("plain") == plan.addresses("plain")
    assert prefix.prefixes(plan, "home")[0] == f"{plan.primary('gw1')}/32"
    assert plan.gateway("plain") is None


@pytest.mark.parametrize(
    ("options", "vantage", "above"),
    [
        ({"use": "national"}, Vantage("beijing", "unicom", nat="cone"), "bj-r-cu"),
        (
            {"use": "national"},
            Vantage("beijing", "unicom", access="cellular", nat="symmetric"),
            "bj-c-cu",
        ),
        ({"use": "series", "province": ["beijing"]}, Vantage("beijing", nat="cone"), "bj-r-cu"),
        ({"use": "hops"}, Vantage(nat="cone"), "r1"),
        ({"use": "fork"}, Vantage(nat="symmetric"), "edge"),
        ({"use": "detour"}, Vantage(nat="cone"), "edge"),
    ],
)
def test_every_topology_hangs_it_on_its_access_router(
    options: dict[str, object], vantage: Vantage, above: str
) -> None:
    plan = build(options, {"home": vantage}, {})
    assert walk(plan, "home", plan.primary("servers"))[:3] == ("home", "gw1", above)
    found = plan.gateway("home")
    assert found is not None
    assert found.nat == vantage.nat


def test_only_gateways_translate_and_only_symmetric_ones_draw_ports() -> None:
    plan = line()
    assert gateway.script(plan, "core") == gateway.script(plan, "home") == ""
    cone, symmetric = (gateway.script(plan, name) for name in ("gw1", "gw2"))
    assert f"-s 192.168.1.1/24 -p udp -j SNAT --to-source {plan.primary('gw1')}\n" in cone
    assert "--random-fully" in symmetric
    assert "--random-fully" not in cone


SHARERS = {
    "home": Vantage(nat="cone"),
    "one": Vantage(nat="symmetric", gateway="cgn"),
    "two": Vantage(nat="symmetric", gateway="cgn"),
}


def test_several_are_seen_under_the_address_of_the_gateway_they_share() -> None:
    plan = build({"use": "line"}, SHARERS, {})
    assert plan.seen("one")[0] == plan.seen("two")[0] == plan.primary("cgn")
    assert plan.seen("home")[0] == plan.primary("gw1") != plan.primary("cgn")
    assert {plan.primary(name) for name in SHARERS} == {
        "192.168.1.2", "192.168.2.2", "192.168.3.2",
    }  # fmt: skip
    assert walk(plan, "two", plan.primary("servers"))[:3] == ("two", "cgn", "censor")
    assert walk(plan, "control", plan.primary("two", 6))[-2:] == ("cgn", "two")
    (box,) = plan.boxes
    assert len(set(box.inside)) == len(box.inside) == 2  # one interface a gateway
    text = gateway.script(plan, "cgn")
    assert "-s 192.168.2.1/24,192.168.3.1/24 -p udp -j SNAT" in text


def test_nothing_stands_on_a_gateway_that_is_shared() -> None:
    with pytest.raises(PlanError, match="nothing beside `gateway`: proxy would stand on one"):
        build({"use": "line"}, {"a": Vantage(nat="symmetric", gateway="cgn", proxy=True)}, {})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (Vantage(nat="cone", gateway="cgn"), "nat: symmetric beside it"),
        (Vantage(gateway="cgn"), "nat: symmetric beside it"),
        (Vantage(nat="symmetric", gateway="cgn", abroad=True), "one is elsewhere"),
        (Vantage(nat="symmetric", gateway="core"), "a name that is free"),
        (Vantage(nat="symmetric", gateway="home"), "a name that is free"),
        (Vantage(nat="symmetric", gateway="gw3"), "a name that is free"),
        (Vantage(nat="symmetric", gateway="Far too long"), "at most 9 of a-z"),
    ],
)
def test_what_cannot_be_shared_is_refused(change: Vantage, said: str) -> None:
    with pytest.raises(PlanError) as caught:
        build({"use": "line"}, {**SHARERS, "two": change}, {})
    assert [problem.path for problem in caught.value.problems] == [("vantages", "two", "gateway")]
    assert said in str(caught.value)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(PlanError) as caught:
        build(
            {"use": "line"},
            {"gw1": Vantage(), "home": Vantage(nat="cones")},  # type: ignore[arg-type]
            {},
        )
    said = {problem.path: str(problem) for problem in caught.value.problems}
    assert "did you mean 'cone'" in said["vantages", "home", "nat"]
    assert "a name that is free" in said["vantages", "gw1"]


def accesses() -> Plan:
    vantages = {
        "home": Vantage(nat="cone", proxy=True),
        "hotel": Vantage(nat="cone", portal=Portal()),
        "cafe": Vantage(nat="symmetric", portal=Portal(status=511, answers_dns=True)),
    }
    return build({"use": "line"}, vantages, {})


def test_a_proxy_takes_http_alone_and_hears_what_it_asked_for() -> None:
    plan = accesses()
    rules = gateway.script(plan, "gw1").splitlines()
    taken = "-A PREROUTING -i gw1-eth1 -p tcp --dport 80 -j REDIRECT --to-ports 3129"
    assert [rule for rule in rules if "PREROUTING" in rule] == [taken]
    answers = [rule for rule in rules if rule.startswith("-A INPUT")]
    assert "ESTABLISHED -j ACCEPT" in answers[0]
    assert all(rule.endswith("-j DROP") for rule in answers[1:])
    assert "ip6tables" not in "\n".join(rules)
    assert gateway.inner(plan, "gw1") == "192.168.1.1"


@pytest.mark.parametrize(("node", "questions"), [("gw2", "ACCEPT"), ("gw3", "REDIRECT")])
def test_a_portal_holds_everything_until_it_admits(node: str, questions: str) -> None:
    plan = accesses()
    four, six = gateway.script(plan, node).split("ip6tables-restore")
    held = [rule for rule in four.splitlines() if rule.startswith("-A FORWARD")]
    assert held[0].endswith("-j ADMITTED")
    assert held[-1] == f"-A FORWARD -i {node}-eth1 -j DROP"
    assert f"-d {plan.primary('control')} -j ACCEPT" in held[1]
    assert {r.split()[-1] for r in four.splitlines() if "--dport 53 " in r} == {questions}
    assert "REJECT" not in six
    assert six.count("-j DROP") == 1
    assert [line for line in gateway.relocked().splitlines() if "-F ADMITTED" in line][2:] == [
        "ip6tables -w 5 -F ADMITTED"
    ]


def test_what_stands_on_a_gateway_is_drawn() -> None:
    drawn = picture(accesses())
    assert "cone NAT, proxy" in drawn
    assert "symmetric NAT, portal" in drawn


def test_a_proxy_and_a_portal_need_a_gateway_and_not_each_other() -> None:
    with pytest.raises(PlanError) as caught:
        build(
            {"use": "line"},
            {
                "home": Vantage(proxy=True),
                "both": Vantage(nat="cone", proxy=True, portal=Portal()),
            },
            {},
        )
    said = {problem.path: str(problem) for problem in caught.value.problems}
    assert "add `nat: cone`" in said["vantages", "home", "proxy"]
    assert "either a proxy or a portal" in said["vantages", "both", "portal"]
