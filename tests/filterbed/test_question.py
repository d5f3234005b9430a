"""Whose an address, a name and a port is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from filterbed.header import raw
from filterbed.question import (
    Question,
    addresses,
    expected,
    network_block,
    of_scenario,
    ports,
    resolvers,
    target_name,
    transport,
)
from scenarios.library import find
from scenarios.loader import load
from scenarios.model import Label, Scenario, Target, Truth
from topologies.catalogue import build
from topologies.place import Vantage
from topologies.plan import End, Link, Node, Plan

OK, BLOCKED = Label("ok"), Label("blocked", frozenset({"dns"}), "network")
PLAN = Plan(
    "line",
    (
        Node("bj", "vantage", resolver="8.8.0.53"),
        Node("sh", "vantage", resolver="2001:db8::53"),
        Node("gz", "vantage"),
        Node("rec", "resolver", ("8.8.0.53/32", "2001:db8::53/128")),
    ),
    (
        Link((End("rec", "rec-eth0", ("10.0.0.1/30",)), End("bj", "bj-eth0", ("10.0.0.2/30",)))),
        Link((End("rec", "rec-eth1", ("10.0.1.1/30",)), End("sh", "sh-eth0", ("10.0.1.2/30",)))),
    ),
    (),
)


def target(name: str, kind: Any = "web", /, **fields: Any) -> Target:
    return Target(name, kind, fields, {})


TARGETS = (
    target("page", url="http://www.Example.com:8080/x"),
    target("safe", url="https://www.example.com/"),
    target("sub", url="https://a.b.example.com/"),
    target("lookup", "dns", name="mail.example.com.", qtype="A"),
    target("plain", "tcp", host="9.9.9.9", port=25),
    target("phone", "sip", registrar="sip.example.net:5060", user="u", password="p"),
)


def asked() -> Question:
    dns = {"www.example.com": ("1.1.1.1", "2001:db8::1"), "sip.example.net": ("1.1.1.1",)}
    truths = {("bj", each.name): Truth(OK, OK) for each in TARGETS}
    return Question(("bj",), TARGETS, truths, {}, {}, dns)


def test_names_of_targets() -> None:
    assert [target_name(each) for each in TARGETS] == [
        "www.example.com",
        "www.example.com",
        "a.b.example.com",
        "mail.example.com",
        "9.9.9.9",
        "sip.example.net",
    ]
    assert target_name(target("odd", "udp")) is None


def test_ports_of_targets() -> None:
    found = [ports(each) for each in TARGETS]
    assert found == [{8080}, {443}, {443}, {53}, {25}, None]


@pytest.mark.parametrize(
    ("name", "targets"),
    [
        ("WWW.example.com.", ("page", "safe")),
        ("b.example.com", ("sub",)),
        ("example.com", ("page", "safe", "sub", "lookup")),
        ("com", ()),
        ("", ()),
        ("other.example.com", ()),
        ("ample.com", ()),
    ],
)
def test_names_on_the_way_to_a_target(name: str, targets: tuple[str, ...]) -> None:
    assert asked().named(name) == targets


def test_servers_of_targets() -> None:
    servers = asked().servers
    assert servers[raw("1.1.1.1")] == ("page", "safe", "phone")
    assert servers[raw("2001:db8::1")] == ("page", "safe")
    assert servers[raw("9.9.9.9")] == ("plain",)


def test_pairs_are_in_declared_order() -> None:
    assert asked().pairs == tuple(("bj", each.name) for each in TARGETS)


def test_a_recursor_is_known_by_all_its_addresses() -> None:
    assert addresses(PLAN, "rec") == ("8.8.0.53", "2001:db8::53", "10.0.0.1", "10.0.1.1")
    found = resolvers(PLAN, ("bj", "sh", "gz"))
    assert found == dict.fromkeys(map(raw, addresses(PLAN, "rec")), ("bj", "sh"))
    assert resolvers(PLAN, ("gz",)) == {}


def test_the_placebo_expects_the_baseline_of_what_the_network_does() -> None:
    server = Label("blocked", frozenset({"http.error.geo"}), "server_side")
    down = Label("down")
    assert network_block(BLOCKED)
    assert not network_block(server)
    assert expected(Truth(BLOCKED, down), idle=False) == BLOCKED
    assert expected(Truth(BLOCKED, down), idle=True) == down
    assert expected(Truth(server, server), idle=True) == server
    assert expected(Truth(BLOCKED, OK, by_log=True), idle=True) == OK


def scenario(name: str) -> Scenario:
    (path,) = find(name)
    return load(path)


def test_a_scenario_is_read_whole_or_in_part() -> None:
    loaded = scenario("china-2010/december")
    whole = of_scenario(loaded)
    assert whole.pairs
    assert set(whole.pairs) == set(loaded.truths)
    assert set(whole.clients.values()) == set(loaded.vantages)
    assert whole.resolvers
    assert not whole.partial
    one, two = loaded.targets[1].name, loaded.targets[0].name
    part = of_scenario(loaded, vantages=loaded.vantages[:1], targets=[one, two])
    assert part.pairs == ((loaded.vantages[0], two), (loaded.vantages[0], one))
    assert part.partial


def test_an_address_that_several_share_is_nobodys_alone() -> None:
    loaded = scenario("voip/translated")
    behind = {name: Vantage(nat="symmetric", gateway="cgn") for name in ("one", "two")}
    plan = build({"use": "line"}, behind, {})
    shared = replace(loaded, plan=plan, vantages=("one", "two"))
    public = raw(plan.primary("cgn"))
    both = of_scenario(shared)
    assert both.resolvers[public] == ("one", "two")
    assert public not in both.clients
    assert both.clients[raw(plan.primary("two"))] == "two"
    assert of_scenario(shared, vantages=["two"]).clients[public] == "two"


def test_pages_come_over_tcp_unless_over_quic() -> None:
    plain = Target("a", "web", {"url": "https://a.net/"}, {})
    quic = Target("b", "web", {"url": "https://a.net/", "via": "h3"}, {})
    other = Target("c", "udp", {"host": "a.net", "port": 443}, {})
    assert [transport(one) for one in (plain, quic, other)] == [6, 17, None]


@pytest.mark.parametrize(("via", "port"), [("dot", 853), ("doh", 443)])
def test_ports_of_resolvers_over_tls(via: str, port: int) -> None:
    asked = target("asked", "dns", name="a.net", via=via, resolver="dns.net")
    assert ports(asked) == frozenset({port})


def test_the_addresses_of_a_chat_are_its_correspondents_and_its_lists() -> None:
    from filterbed.question import overlay

    chat = target("chat", "chat", peer="80.1.1.1", message="hi", client="tom", filter="tools.net")
    assert (target_name(chat), overlay(chat)) == ("tools.net", ("80.1.1.1",))
