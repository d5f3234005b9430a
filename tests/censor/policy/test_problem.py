"""Problems: every one at once, each with its place, and a guess at what was meant."""

from __future__ import annotations

from typing import Any

import pytest

from censor.policy.complaint import Problem
from censor.policy.problem import problems

DNS = {"dns.name": {"suffix": ["a.example"]}}
SNI, MITM = {"tls.sni": {"exact": ["a.example"]}}, {"intercept": "tls"}
ANSWER = {"inject": "dns-answer", "addresses": ["1.2.3.4"]}


def rule(**changed: Any) -> dict[str, Any]:
    return {"id": "one", "when": DNS, "then": ANSWER} | changed


def policy(*rules: Any, **changed: Any) -> dict[str, Any]:
    return {"position": "in-path", "rules": list(rules)} | changed


@pytest.mark.parametrize(
    ("document", "path", "found", "expected", "hint"),
    [
        ({}, ("position",), None, "required", None),
        ([], (), [], "a mapping", None),
        (policy(position="on path"), ("position",), "on path", "'on-path' or 'in-path'", "on-path"),
        (policy(latency="2 parsecs"), ("latency",), "2 parsecs", "'2 ms'", None),
        (policy(latency=-1), ("latency",), -1, "'2 ms'", None),
        (policy(latency=True), ("latency",), True, "'2 ms'", None),
        (policy(tcp={"reasemble": True}), ("tcp", "reasemble"), True, "one of", "reassemble"),
        (policy(tcp={"overlap": "frist"}), ("tcp", "overlap"), "frist", "'first'", "first"),
        (policy(tcp={"profile": "geneva-0"}), ("tcp", "profile"), "geneva-0", "geneva-1", None),
        (policy(tcp={"adopt": ["sin"]}), ("tcp", "adopt", 0), "sin", "'syn'", "syn"),
        (policy(tcp={"window": "all"}), ("tcp", "window"), "all", "'any'", None),
        (policy(tcp={"resync": ["syn"]}), ("tcp", "resync"), "syn", "tcp.adopt too", None),
        (policy(tcp={"resync": ["rst"], "teardown": ["rst"]}), ("tcp", "teardown"), "rst",
         "tcp.resync too", None),
        (policy(tcp={"ends_at": "next"}), ("tcp", "ends_at"), "next", "tcp.teardown", None),
        (policy(tcp={"resync_at": "packet"}), ("tcp", "resync_at"), "packet", "tcp.resync", None),
        (policy(tcp={"reads": "both"}), ("tcp", "reads"), "both", "reassemble: false", None),
        (policy(ip={"fragments": "drop"}, position="on-path"), ("ip", "fragments"), "drop",
         "the position is on-path", "an in-path box may drop"),
        (policy(rule(when={"tls": True}, then={"intercept": "tls"}), ip={"fragments": "first"}),
         ("ip", "fragments"), "first", "the kernel joins fragments", None),
        (policy(ip={"overlap": "last"}), ("ip", "overlap"), "last", "fragments: reassemble", None),
        (policy(ip={"fragments": "asemble"}), ("ip", "fragments"), "asemble", "'reassemble'",
         "reassemble"),
        (policy(ip={"most": 99, "fragments": "reassemble"}), ("ip", "most"), 99, "64", None),
        (policy(sees="outbound", tcp={"require_handshake": True}), ("tcp", "require_handshake"),
         True, "both directions", "sees: outbound"),
        (policy(rule(then=ANSWER | {"when": "after", "request": "pass"}), sees="inbound"),
         ("rules", 0, "then", "when"), "dns-answer", "does not wait", "sees: inbound"),
        (policy(tcp={"reassemble": "yes"}), ("tcp", "reassemble"), "yes", "true or false", None),
        (policy(pools={"p": ["1.2.3"]}), ("pools", "p", 0), "1.2.3", "IPv4 or IPv6", None),
        (policy(rule(chance=2)), ("rules", 0, "chance"), 2, "less than or equal to 1", None),
        (policy(rule(chance=0)), ("rules", 0, "chance"), 0, "greater than 0", None),
        (policy(rule(id="a b")), ("rules", 0, "id"), "a b", "pattern", None),
        (policy(rule(fidelity="docmented")), ("rules", 0, "fidelity"), "docmented", "documented",
         "documented"),
        (policy(rule(whne=1)), ("rules", 0, "whne"), 1, "one of", "when"),
        (policy(rule(when={"dns.nam": {}})), ("rules", 0, "when", "dns.nam"), {}, "one of",
         "dns.name"),
        (policy(rule(when={"dns.name": {"sufix": []}})), ("rules", 0, "when", "dns.name", "sufix"),
         [], "exact", "suffix"),
        (policy(rule(when=DNS | {"server.port": [70000]})),
         ("rules", 0, "when", "server.port", 0), 70000, "65535", None),
        (policy(rule(when=DNS | {"server.port": ["90-80"]})),
         ("rules", 0, "when", "server.port", 0), "90-80", "'a-b'", None),
        (policy(rule(when=DNS | {"server.address": ["1.2.3.4/8"]})),
         ("rules", 0, "when", "server.address", 0), "1.2.3.4/8", "host bits", None),
        (policy(rule(when=DNS | {"dns.qtype": ["AAAAA"]})),
         ("rules", 0, "when", "dns.qtype", 0), "AAAAA", "a query type", None),
        (policy(rule(when=DNS | {"http.method": ["GET"]})), ("rules", 0, "when"), "dns and http",
         "one protocol", None),
        (policy(rule(then={"inject": "dns-anser"})), ("rules", 0, "then"),
         {"inject": "dns-anser"}, "inject: reset|dns-answer", "dns-answer"),
        (policy(rule(then={"injct": "reset"})), ("rules", 0, "then"), {"injct": "reset"},
         "inject: reset|dns-answer", "inject"),
        (policy(rule(then="drop")), ("rules", 0, "then"), "drop", "{drop: packet|flow}", "drop"),
        (policy(rule(then=[])), ("rules", 0, "then"), [], "at least 1", None),
        (policy(rule(then={"drop": "packets"})), ("rules", 0, "then", "drop"), "packets",
         "'packet' or 'flow'", "packet"),
        (policy(rule(then={"drop": "flow", "towards": "client"})), ("rules", 0, "then", "towards"),
         "client", "toward", "toward"),
        (policy(rule(then=ANSWER | {"ttl": "miror"})), ("rules", 0, "then", "ttl"), "miror",
         "'mirror'", "mirror"),
        (policy(rule(then=ANSWER | {"ttl": {"random": [1]}})),
         ("rules", 0, "then", "ttl", "random"), [1], "at least 2", None),
        (policy(rule(then={"inject": "reset", "flags": "RX"})), ("rules", 0, "then", "flags"), "RX",
         "FSRPAUEC", None),
        (policy(rule(then={"inject": "dns-answer"})), ("rules", 0, "then"), [],
         "exactly one of addresses, rcode and empty", None),
        (policy(rule(then=ANSWER | {"rcode": "nxdomain"})), ("rules", 0, "then"),
         ["addresses", "rcode"], "exactly one", None),
        (policy(rule(then=ANSWER | {"addresses": "poll"}), pools={"pool": ["1.2.3.4"]}),
         ("rules", 0, "then", "addresses"), "poll", "a pool: pool", "pool"),
        (policy(rule(when={}, then=ANSWER)), ("rules", 0, "then", "inject"), "dns-answer",
         "dns.name", None),
        (policy(rule(then={"inject": "block-page"})), ("rules", 0, "then", "inject"), "block-page",
         "http.host", None),
        (policy(rule(when={"protocol": "udp"}, then={"inject": "reset"})),
         ("rules", 0, "then", "inject"), "reset", "about tcp", None),
        (policy(rule(then=ANSWER | {"residual": {"seconds": 9}})),
         ("rules", 0, "then", "residual"), None, "`then`", None),
        (policy(rule(then={"drop": "flow", "residual": {"seconds": 9, "key": "5-tuple"}})),
         ("rules", 0, "then", "residual", "key"), "5-tuple", "3-tuple", "-tuple"),
        (policy(rule(then=[{"allow": True}, {"drop": "flow"}])), ("rules", 0, "then", 0),
         {"allow": True}, "an exception alone", None),
        (policy(rule(), rule()), ("rules", 1, "id"), "one", "of its own", "rules[0]"),
        (policy(5), ("rules", 0), 5, "a mapping", None),
        (policy(rule(then={"drop": "packet"}), position="on-path"), ("rules", 0, "then", "drop"),
         "packet", "on-path", "in-path"),
        (policy(rule(when={**DNS, "tcp.flags": ["S"]}, then={"allow": True})),
         ("rules", 0, "when", "tcp.flags"), ["S"], "an exception", None),
        (policy(rule(when={**DNS, "not": {"tcp.header_length": [20]}})),
         ("rules", 0, "when", "not", "tcp.header_length"), [20], "`not`", None),
        (policy(rule(when=SNI, then=MITM), position="on-path"),
         ("rules", 0, "then", "intercept"), "tls", "on-path", "stand in for the server"),
        (policy(rule(then=MITM), position="in-path"),
         ("rules", 0, "then", "intercept"), "tls", "tls.sni", None),
        (policy(rule(then={"police": 9}), position="on-path"), ("rules", 0, "then", "police"),
         9, "only injects", "may drop"),
        (policy(rule(then={"rewrite": "reset"}), position="on-path"),
         ("rules", 0, "then", "rewrite"), "reset", "only injects", "may rewrite"),
        (policy(rule(then={"police": "9 kbps"})), ("rules", 0, "then", "police"), "9 kbps",
         "140 kbit/s", None),
        (policy(rule(then={"cut": {}})), ("rules", 0, "then", "cut"), {}, "at least one", None),
        (policy(rule(then={"cut": {"packet": 3}})), ("rules", 0, "then", "cut", "packet"), 3,
         "bytes, packets, seconds", "packets"),
        (policy(rule(then=ANSWER | {"when": "after", "request": "drop"})),
         ("rules", 0, "then", "request"), "drop", "after the real one", None),
        (policy(rule(then=ANSWER | {"cname": "a.example", "empty": True})),
         ("rules", 0, "then"), ["addresses", "empty"], "exactly one", None),
        (policy(rule(then={"inject": "reset", "profile": "gfw-dns-1"})),
         ("rules", 0, "then", "profile"), "gfw-dns-1", "a profile of reset", None),
        (policy(rule(then={"inject": "reset", "profile": "gfw"})),
         ("rules", 0, "then", "profile"), "gfw", "gfw-2023-type-2", None),
        (policy(rule(then={"inject": "reset", "payload": "0x"})),
         ("rules", 0, "then", "payload"), "0x", "hexadecimal", None),
        (policy(rule(then={"rewrite": "dns-anser"})), ("rules", 0, "then"),
         {"rewrite": "dns-anser"}, "rewrite: reset|packet|dns-answer", "dns-answer"),
        (policy(rule(then=ANSWER | {"request": "drop"}), position="on-path"),
         ("rules", 0, "then", "request"), "drop", "on-path", None),
        (policy(rule(then={"inject": "reset",
                           "residual": {"seconds": 1, "then": {"drop": "flow"}}}),
                position="on-path"),
         ("rules", 0, "then", "residual", "then", "drop"), "flow", "on-path", None),
    ],
)  # fmt: skip
def test_each_mistake_is_found(
    document: Any, path: tuple[Any, ...], found: Any, expected: str, hint: str | None
) -> None:
    (problem,) = problems(document)
    assert problem.path == path
    assert problem.found == found
    assert expected in problem.expected
    assert hint is None or hint in (problem.hint or "")


def test_all_are_found_at_once_in_the_order_of_their_places() -> None:
    document = policy(
        rule(then={"drop": "packet"}),
        rule(chance="often", then=ANSWER | {"ttl": 0}),
        {"id": "bare"},
        position="on-path",
        latncy=1,
        limits={"flows": 0},
    )
    assert [problem.place for problem in problems(document)] == [
        "latncy",
        "limits.flows",
        "rules[0].then.drop",
        "rules[1].chance",
        "rules[1].id",
        "rules[1].then.ttl",
        "rules[2].then",
        "rules[2].when",
    ]


def test_a_problem_says_where_what_and_the_cure() -> None:
    problem = Problem(("rules", 3, "when", "dns.nam"), {}, "one of dns.name", "did you mean it?")
    assert str(problem) == (
        "rules[3].when[dns.nam]: found {}, expected one of dns.name; did you mean it?"
    )


def test_good_documents_have_none() -> None:
    assert problems({"position": "on-path"}) == []
    spared = {"dns.name": {"suffix": ["good.a.example"]}}
    assert problems(policy(rule(), rule(id="two", when=spared, then={"allow": True}))) == []
