"""Words for places."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from topologies.catalogue import build
from topologies.errors import PlanError
from topologies.place import Place, Vantage
from topologies.plan import Plan
from topologies.prefix import prefixes, words

LINE = build({"use": "line"}, {"one": Vantage(), "out": Vantage(abroad=True)}, {})
NATIONAL = build(
    {"use": "national"},
    {
        "bj-cu": Vantage("beijing", "unicom"),
        "sh-cu": Vantage("shanghai", "unicom"),
        "sh-ct": Vantage("shanghai", "telecom"),
        "gz-cell": Vantage("guangzhou", "mobile", access="cellular"),
        "gz-home": Vantage("guangzhou", "telecom", access="fixed"),
        "out": Vantage(abroad=True),
    },
    {"sip-ct": Place(("5.9.1.1",), "telecom")},
)


def means(plan: Plan, word: str) -> set[str]:
    """The hosts with an address in what the word means; all their addresses must be."""
    networks = [ip_network(prefix) for prefix in prefixes(plan, word)]
    found = set()
    for node in plan.nodes:
        if node.role in ("router", "box"):
            continue
        held = [ip_address(plan.primary(node.name, version)) for version in (4, 6)]
        inside = [any(address in network for network in networks) for address in held]
        assert all(inside) or not any(inside), (word, node.name)
        found |= {node.name} if all(inside) else set()
    return found


@pytest.mark.parametrize(
    ("word", "hosts"),
    [
        ("shanghai", "sh-cu sh-ct"),
        ("unicom", "bj-cu sh-cu dns-cu"),
        ("telecom", "sh-ct dns-ct sip-ct gz-home"),
        ("shanghai/telecom", "sh-ct"),
        ("guangzhou", "gz-cell gz-home"),
        ("cellular", "gz-cell"),
        ("fixed", "gz-home"),
        ("cellular/guangzhou", "gz-cell"),
        ("guangzhou/mobile/cellular", "gz-cell"),
        ("telecom/cellular", ""),
        ("wuhan", ""),
        ("CN", "bj-cu sh-cu sh-ct gz-cell gz-home dns-cu dns-ct dns-cm sip-ct"),
        ("inside", "bj-cu sh-cu sh-ct gz-cell gz-home dns-cu dns-ct dns-cm sip-ct"),
        ("out", "out"),
        ("sip-ct", "sip-ct"),
    ],
)
def test_a_word_means_hosts(word: str, hosts: str) -> None:
    assert means(NATIONAL, word) == set(hosts.split())


def test_inside_a_line_are_its_clients() -> None:
    assert means(LINE, "inside") == {"one"}


def test_inside_is_the_place_even_where_servers_there_are_a_host_of_that_name() -> None:
    place = {"inside": Place(("203.81.71.20",), inside=True)}
    plan = build({"use": "line"}, {"one": Vantage()}, place)
    assert any(node.name == "inside" for node in plan.nodes)
    assert means(plan, "inside") == {"one", "inside"}
    assert words(plan).count("inside") == 1
    assert means(LINE, "one") == {"one"}


@pytest.mark.parametrize(
    "word",
    [
        "shangai",
        "shanghai/unicorn",
        "atlantis/telecom",
        "",
        "telecom/unicom",
        "wuhan/beijing",
        "fixed/",
    ],
)
def test_a_word_without_meaning_is_refused(word: str) -> None:
    with pytest.raises(PlanError, match="prefixes: found"):
        prefixes(NATIONAL, word)


def test_the_nearest_word_is_offered() -> None:
    with pytest.raises(PlanError, match="did you mean 'shanghai'"):
        prefixes(NATIONAL, "shangai")
    with pytest.raises(PlanError, match="found 'beijing'"):
        prefixes(LINE, "beijing")


@pytest.mark.parametrize("plan", [LINE, NATIONAL], ids=lambda plan: plan.topology)
def test_every_word_listed_means_something(plan: Plan) -> None:
    for word in words(plan):
        assert prefixes(plan, word)
