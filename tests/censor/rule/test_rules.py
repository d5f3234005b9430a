"""Matching: names by label, addresses by prefix, conditions joined by "and"."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censor.policy.loader import load
from censor.rule.rules import App, Ends, Message, Names, Prefixes, When
from fuzz.growth import work

LABEL = st.text("ab1-", min_size=1, max_size=3)
NAME = st.lists(LABEL, min_size=1, max_size=4).map(".".join)


def ends(**changed: object) -> Ends:
    base: dict[str, object] = {
        "protocol": 6, "client": b"\x0a\0\0\1", "client_port": 4000, "server": b"\x08\x08\x08\x08",
        "server_port": 80, "inside": True,
    }  # fmt: skip
    return Ends(**(base | changed))  # type: ignore[arg-type]


def prefixes(*texts: str) -> Prefixes:
    nets = map(ip_network, texts)
    return Prefixes.of((net.network_address.packed, net.prefixlen) for net in nets)


@given(st.frozensets(NAME, max_size=4), NAME)
def test_suffixes_match_whole_labels(suffixes: frozenset[str], name: str) -> None:
    expected = any(name == one or name.endswith("." + one) for one in suffixes)
    assert Names(suffix=suffixes).find(name) is expected


@pytest.mark.parametrize(
    ("names", "name", "found"),
    [
        (Names(exact=frozenset({"a.example"})), "a.example", True),
        (Names(exact=frozenset({"a.example"})), "b.a.example", False),
        (Names(suffix=frozenset({"a.example"})), "xa.example", False),
        (Names(substring=("919.com",)), "www.919.com.innocent.example", True),
        (Names(substring=("919.com",)), "919.example", False),
        (Names(), "a.example", False),
    ],
)
def test_names(names: Names, name: str, found: bool) -> None:
    assert names.find(name) is found


def test_a_million_names_cost_no_more_than_one() -> None:
    one = Names(suffix=frozenset(["blocked-0.example"]))
    many = Names(suffix=frozenset(f"blocked-{n}.example" for n in range(1_000_000)))
    for name in ("www.blocked-0.example", "www.free-0.example"):
        assert many.find(name) is one.find(name)
        assert 0 < work(many.find, name) <= work(one.find, name)


@given(
    st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)), max_size=6),
    st.integers(0, 2**32 - 1),
)
def test_prefixes_agree_with_the_standard_library(nets: list[tuple[int, int]], at: int) -> None:
    networks = [ip_network((value, bits), strict=False) for value, bits in nets]
    own = Prefixes.of((net.network_address.packed, net.prefixlen) for net in networks)
    assert own.find(ip_address(at).packed) == any(ip_address(at) in net for net in networks)


def test_families_do_not_mix() -> None:
    both = prefixes("0.0.0.0/0", "2600::/16")
    assert both.find(ip_address("9.9.9.9").packed)
    assert both.find(ip_address("2600::1").packed)
    assert not both.find(ip_address("2a00::1").packed)
    assert not prefixes("0.0.0.0/0").find(ip_address("::1").packed)


@pytest.mark.parametrize(
    ("when", "matches"),
    [
        (When(), True),
        (When(protocols=frozenset({17})), False),
        (When(inside=False), False),
        (When(server_ports=frozenset({80, 443})), True),
        (When(client_ports=frozenset({80})), False),
        (When(server=prefixes("8.0.0.0/8"), client=prefixes("10.0.0.1")), True),
        (When(server=prefixes("8.0.0.0/8"), client=prefixes("11.0.0.0/8")), False),
        (When(negated=When(server=prefixes("8.8.8.8"))), False),
        (When(negated=When(server=prefixes("8.8.4.4"))), True),
    ],
)
def test_conditions_on_a_flow(when: When, matches: bool) -> None:
    assert when.reaches(ends()) is matches
    assert when.matches(ends(), None) is matches


def test_conditions_on_a_message_and_their_negation() -> None:
    call = Message(App.SIP, "carrier.example", "INVITE")
    foreign = Message(App.SIP, "else.example", "INVITE")
    own = Names(suffix=frozenset({"carrier.example"}))
    when = When(app=App.SIP, methods=frozenset({"INVITE"}), negated=When(app=App.SIP, name=own))
    assert when.topic is App.SIP
    assert when.reaches(ends())
    assert not when.matches(ends(), call)
    assert when.matches(ends(), foreign)
    assert not when.matches(ends(), Message(App.SIP, "else.example", "BYE"))
    assert not when.matches(ends(), Message(App.HTTP, "else.example", "INVITE"))
    assert not when.matches(ends(), None)


def test_a_negation_alone_still_waits_for_its_message() -> None:
    when = When(negated=When(app=App.TLS, name=Names(exact=frozenset({"a.example"}))))
    assert when.topic is App.TLS
    assert when.reaches(ends())
    assert not when.matches(ends(), Message(App.TLS, "a.example"))
    assert when.matches(ends(), Message(App.TLS, None))


def test_only_rules_that_ask_nothing_of_the_flow_hold_anywhere() -> None:
    assert When(app=App.DNS).anywhere
    assert not When(server_ports=frozenset()).anywhere
    assert not When(inside=True).anywhere
    assert not When(negated=When()).anywhere


RESET = {"inject": "reset"}
DNS = {"dns.name": {"exact": ["a.example"]}}
ANSWER = {"inject": "dns-answer", "rcode": "refused"}
FIRST = {"first.fully_encrypted": True}
INVITE = {"sip.method": ["INVITE"]}
BYE = {"inject": "sip-bye"}
PROBE = {"inject": "probe", "from": ["24.1.1.1"]}


@pytest.mark.parametrize(
    ("then", "more", "timed"),
    [
        (RESET, {}, False),
        (RESET, {"latency": "1 ms"}, True),
        ({**RESET, "latency": "3 ms"}, {}, True),
        ({"drop": "packet", "residual": {"seconds": 9, "then": {**RESET, "latency": 1}}}, {}, True),
        (RESET, {"position": "on-path"}, True),
        (RESET, {"position": "on-path", "latency": 0}, False),
    ],
)
def test_whether_anything_leaves_at_a_stated_time(
    policy: Any, then: dict[str, Any], more: dict[str, Any], timed: bool
) -> None:
    rule = {"id": "r", "when": {"tls.sni": {"exact": ["a.example"]}}, "then": then}
    assert load(policy(rule, **{"position": "in-path", **more})).timed is timed


@pytest.mark.parametrize(
    ("when", "then", "timed"),
    [
        (DNS, ANSWER, False),
        (DNS, {**ANSWER, "when": "with"}, False),
        (DNS, {**ANSWER, "when": "after"}, True),
        (INVITE, BYE, False),
        (INVITE, {**BYE, "after": "3 s"}, True),
        (FIRST, PROBE, True),
        (FIRST, {**PROBE, "after": 0}, False),
    ],
)
def test_what_comes_later_by_its_nature_leaves_at_a_stated_time(
    policy: Any, when: Any, then: Any, timed: bool
) -> None:
    rule = {"id": "r", "when": when, "then": then}
    assert load(policy(rule, position="in-path")).timed is timed
