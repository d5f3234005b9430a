"""Every pair of hosts reaches each other by the plan's routes alone, both ways, both versions."""

from __future__ import annotations

import dataclasses
from ipaddress import ip_network
from itertools import permutations

import pytest

from topologies.catalogue import build
from topologies.place import Place, Vantage
from topologies.plan import Plan
from topologies.route import connected, walk

SERVERS = {
    "servers": Place(("31.13.70.36", "2a03:2880:f10c::1", "104.244.42.1")),
    "far": Place(("151.101.1.1", "2a04:4e42::1")),
}
LINE = build(
    {"use": "line"},
    {"one": Vantage(), "two": Vantage(), "out": Vantage(abroad=True)},
    {**SERVERS, "near": Place(("202.106.45.2", "2408:8206:0:2d00::2"), inside=True)},
)
HOPS = build({"use": "hops"}, {"one": Vantage(), "out": Vantage(abroad=True)}, SERVERS)
FORK = build({"use": "fork"}, {"one": Vantage(), "out": Vantage(abroad=True)}, SERVERS)
DETOUR = build({"use": "detour"}, {"one": Vantage(), "out": Vantage(abroad=True)}, SERVERS)
CARRIERS = ("unicom", "telecom", "mobile", "cernet")
CITIES = ("beijing", "shanghai", "guangzhou")
NATIONAL = build(
    {"use": "national"},
    {
        **{f"{c[:2]}-{k[:2]}": Vantage(c, k) for c in CITIES for k in CARRIERS},
        "bj-two": Vantage("beijing", "unicom"),
        "out": Vantage(abroad=True),
    },
    {**SERVERS, "sip-ct": Place(("202.96.199.10", "240e:1::1"), "telecom")},
)

SERIES = build(
    {"use": "series", "province": ["guangzhou", "wuhan"]},
    {f"{c[:2]}-cu": Vantage(c) for c in ("beijing", "guangzhou", "wuhan")},
    {**SERVERS, "home": Place((), "unicom")},
)
GROWN = build(
    {"use": "national", "borders": "each", "exchange": True, "resolver": "carrier"},
    {
        f"{c[:2]}-{k[:2]}{a[:1]}": Vantage(c, k, access=a or None)
        for c in CITIES[:2]
        for k in CARRIERS[:3]
        for a in ("", "cellular", "fixed")
    },
    {**SERVERS, "sip-ct": Place(("202.96.199.10", "240e:1::1"), "telecom")},
)
PLANS = [GROWN, LINE, HOPS, FORK, DETOUR, SERIES, NATIONAL]


def hosts(plan: Plan) -> list[str]:
    return [node.name for node in plan.nodes if node.role not in ("router", "box")]


def addresses(plan: Plan, name: str) -> list[str]:
    held = [*plan.node(name).addresses]
    held += [a for link in plan.links for e in link.ends if e.node == name for a in e.addresses]
    return [address.partition("/")[0] for address in held]


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.topology)
def test_every_pair_of_hosts_finds_each_other_over_routers_alone(plan: Plan) -> None:
    routers = {node.name for node in plan.nodes if node.role in ("router", "box")}
    for source, target in permutations(hosts(plan), 2):
        paths = {walk(plan, source, address) for address in addresses(plan, target)}
        assert len({frozenset(path) for path in paths}) == 1
        for path in paths:
            assert set(path[1:-1]) <= routers
        there = paths.pop()
        back = walk(plan, target, addresses(plan, source)[0])
        assert len(there) == len(back)


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.topology)
def test_every_address_of_every_router_is_reached_too(plan: Plan) -> None:
    for node in plan.nodes:
        for address in addresses(plan, node.name):
            assert walk(plan, hosts(plan)[0], address)[-1] == node.name


def test_the_walk_says_where_a_route_is_missing() -> None:
    routes = tuple(route for route in LINE.routes if route.node != "censor")
    broken = dataclasses.replace(LINE, routes=routes)
    with pytest.raises(LookupError, match=r"censor has no route to 8\.8\.8\.8"):
        walk(broken, "one", "8.8.8.8")


def test_the_walk_says_where_routes_go_in_a_circle() -> None:
    core = next(e for link in LINE.links for e in link.ends if e.node == "core")
    censor = next(e for link in LINE.links for e in link.ends if e.node == "censor")
    routes = tuple(
        dataclasses.replace(route, via=censor.addresses[0].partition("/")[0])
        if route.node == "core" and ":" not in route.prefix
        else route
        for route in LINE.routes
    )
    assert core.interface == "core-eth0"
    with pytest.raises(LookupError, match="a loop: one censor core censor"):
        walk(dataclasses.replace(LINE, routes=routes), "one", "31.13.70.36")


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.topology)
@pytest.mark.parametrize("nobody", ["8.7.198.45", "202.106.1.2", "2620:0:2d0:200::7"])
def test_an_address_that_nobody_holds_ends_where_no_default_is(plan: Plan, nobody: str) -> None:
    root = {"national": "intl", "series": "intl", "hops": "r5"}.get(plan.topology, "core")
    with pytest.raises(LookupError, match=f"^{root} has no route to"):
        walk(plan, hosts(plan)[0], nobody)


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.topology)
def test_hosts_have_a_default_route_alone(plan: Plan) -> None:
    for name in hosts(plan):
        own = [route.prefix for route in plan.routes if route.node == name]
        assert sorted(own) == ["0.0.0.0/0", "::/0"]


def test_routes_are_few() -> None:
    most = max(sum(route.node == node.name for route in NATIONAL.routes) for node in NATIONAL.nodes)
    assert most < 80


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.topology)
def test_no_prefix_is_routed_twice_or_beside_its_own_link(plan: Plan) -> None:
    for node in plan.nodes:
        prefixes = [ip_network(route.prefix) for route in plan.routes if route.node == node.name]
        assert len(set(prefixes)) == len(prefixes)
        for own in connected(node.name, plan.links):
            for prefix in prefixes:
                assert prefix.prefixlen == 0 or not prefix.overlaps(own), (node.name, prefix)
