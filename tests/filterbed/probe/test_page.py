"""Whose page is it? A table of cases, and the evidence one by one."""

from __future__ import annotations

from typing import Any

import pytest

from filterbed.probe.judge import judge
from filterbed.probe.page import faster

GOOD = {"tcp": "ok", "http": 200}
KEPT = {"connect": 0.04, "first": 0.045, "status": 403, "closing": False, "kept": True}
DEAD = {**KEPT, "kept": False}
CLOSING = {**DEAD, "closing": True}
GONE = {"connect": None, "first": None, "status": None, "closing": False, "kept": False}
SWIFT = {**DEAD, "first": 0.004}
MUTE = {**GONE, "connect": 0.001}
REFUSED = {"status": 403, "title": "No"}
FORGED = {"status": 403, "title": "M1-6", "server": None}
PROXY = {"via": "1.1 gw1 (squid/5.7)", "title": "E"}
MOVED = {"status": 302, "title": None, "location": "http://tom.a.net/"}
OTHER = {"outcome": "ok", "status": 404, "server": "front"}
THERE = {"other_name": OTHER | {"status": 503, "server": "squid", "via": PROXY["via"]}}
NET, OWN, OPEN = "network", "server_side", "unknown"

#: name: (page here, page there, proof, verdict, mechanisms, locus)
CASES: dict[str, tuple[Any, Any, Any, str, list[str], str | None]] = {
    "same": (200, 200, {}, "ok", [], None),
    "same-redirect": (MOVED, MOVED, {}, "ok", [], None),
    "same-refusal": (403, 403, {}, "down", [], None),
    "same-refusal-other-words": (403, REFUSED, {}, "down", [], None),
    "refused-differently": (451, 403, {}, "down", [], None),
    "same-but-for-a-date": (
        {"status": 200, "title": None, "length": 100, "sha256": "a"},
        {"status": 200, "title": None, "length": 110, "sha256": "b"}, {}, "ok", [], None,
    ),
    # no answer
    "reset": ("reset", 200, {}, "blocked", ["http.reset"], NET),
    "reset-host": (
        "reset", 200, {"other_name": OTHER, "same_name": {"outcome": "reset"}},
        "blocked", ["http.reset.host"], NET,
    ),
    "reset-once": (
        "reset", 200, {"other_name": OTHER, "same_name": {"outcome": "ok"}},
        "blocked", ["http.reset"], NET,
    ),
    "reset-before-the-request": (
        {"outcome": "reset", "status": None, "after": "connect"}, 200,
        {"other_name": OTHER, "same_name": {"outcome": "reset"}}, "blocked", ["tcp.reset"], NET,
    ),
    "delisted": (
        {"status": 200, "title": None, "results": 0}, {"status": 200, "title": None, "results": 2},
        {"again": [KEPT, KEPT]}, "blocked", ["app.store.delisted"], OWN,
    ),
    "found-here-too": (
        {"status": 200, "title": None, "results": 1}, {"status": 200, "title": None, "results": 2},
        {"again": [KEPT, KEPT]}, "ok", [], None,
    ),
    "delisted-everywhere": (
        {"status": 200, "title": None, "results": 0}, {"status": 200, "title": None, "results": 0},
        {}, "down", [], None,
    ),
    "torn-for-all": (
        {"outcome": "fin", "status": 200}, {"outcome": "fin", "status": 200}, {}, "down", [], None,
    ),
    "torn-here": (
        {"outcome": "fin", "status": 200}, 200, {}, "blocked", ["http.fin"], NET,
    ),
    "reset-for-all": ("reset", "reset", {}, "down", [], None),
    "timeout": ("timeout", 200, {}, "blocked", ["http.timeout"], NET),
    "fin": ("fin", 200, {}, "blocked", ["http.fin"], NET),
    "noise": ("invalid", 200, {}, "blocked", ["http"], NET),
    "both-fail-differently": ("timeout", "reset", {}, "unknown", [], None),
    "only-the-control-fails": (200, "reset", {}, "ok", [], None),
    "only-the-control-fails-refused": (403, "reset", {}, "unknown", [], None),
    "cut-short": (
        {"status": 200, "outcome": "reset", "length": 9}, 200, {}, "blocked", ["http.reset"], NET,
    ),
    # the network's
    "swift": (FORGED | {"first": 0.004}, 200, {"again": [SWIFT] * 2},
              "blocked", ["http.blockpage"], NET),
    "swift-redirect": (
        MOVED | {"first": 0.004}, 200, {"again": [SWIFT]}, "blocked", ["http.redirect"], NET,
    ),
    "swift-and-empty": (
        {"status": 403, "length": 0, "title": None, "first": 0.004}, 200, {"again": [SWIFT]},
        "blocked", ["http.error"], NET,
    ),
    "swift-200": (
        {"status": 200, "title": "Blocked", "first": 0.004}, 200, {"again": [SWIFT]},
        "blocked", ["http.blockpage"], NET,
    ),
    "dead-unannounced": (FORGED, 200, {"again": [DEAD] * 2}, "blocked", ["http.blockpage"], NET),
    "dead-announced-alien": (
        FORGED, 200, {"again": [CLOSING] * 2, "other_name": OTHER},
        "blocked", ["http.blockpage"], NET,
    ),
    "nothing-gets-through-after": (
        FORGED, 200, {"again": [GONE] * 2}, "blocked", ["http.blockpage"], NET,
    ),
    "block-page-where-the-control-is-refused": (
        FORGED | {"first": 0.004}, 404, {"again": [SWIFT]}, "blocked", ["http.blockpage"], NET,
    ),
    # the server's
    "geo-refusal": (REFUSED, 200, {"again": [KEPT] * 2}, "blocked", ["http.error.geo"], OWN),
    "geo-451": (
        {"status": 451, "title": "Law"}, 200, {"again": [KEPT]}, "blocked", ["http.error.geo"], OWN,
    ),
    "geo-redirect": (MOVED, 200, {"again": [KEPT] * 2}, "blocked", ["http.redirect.geo"], OWN),
    "another-edition": (
        {"status": 200, "title": "Zeitung"}, 200, {"again": [KEPT] * 2}, "ok", [], None,
    ),
    "control-is-refused": (200, 403, {"again": [KEPT]}, "ok", [], None),
    # a proxy's on the way
    "proxy-speaks": (PROXY | {"status": 502}, 200, THERE, "blocked", ["http"], NET),
    "proxy-speaks-of-a-dead-server": (PROXY | {"status": 502}, "reset", THERE, "down", [], None),
    "proxy-speaks-of-a-refusal": (PROXY | {"status": 503}, 403, THERE, "down", [], None),
    "proxy-speaks-and-falls-silent": (
        PROXY | {"status": 502}, 200, THERE | {"again": [MUTE] * 2}, "blocked", ["http"], NET,
    ),
    "proxy-not-shown": (PROXY | {"status": 502}, 200, {}, "unknown", [], None),
    "proxy-not-on-our-way": (
        PROXY | {"status": 502}, 200, {"other_name": OTHER}, "unknown", [], None,
    ),
    "another-proxy": (
        PROXY | {"status": 502}, 200, {"other_name": OTHER | {"via": "1.1 edge"}},
        "unknown", [], None,
    ),
    "via-forged": (
        PROXY | {"status": 503, "server": None}, 200,
        {"other_name": OTHER, "again": [DEAD] * 2}, "blocked", ["http.blockpage"], NET,
    ),
    "via-forged-swiftly-for-all": (
        PROXY | {"status": 503, "first": 0.004}, 200, THERE | {"again": [SWIFT] * 2},
        "blocked", ["http.blockpage"], NET,
    ),
    "via-forged-before-a-refusal": (
        PROXY | {"status": 503, "server": None}, 403, THERE | {"again": [DEAD] * 2},
        "blocked", ["http.blockpage"], NET,
    ),
    "proxy-before-the-server": (PROXY | {"status": 502}, PROXY | {"status": 200, "title": "Y"}, {},
                                "unknown", [], None),
    "proxy-hands-on": (PROXY | {"status": 500}, 200, {}, "unknown", [], None),
    # neither can be shown
    "no-evidence": (REFUSED, 200, {}, "blocked", ["http"], OPEN),
    "no-evidence-redirect": (MOVED, 200, {}, "blocked", ["http.redirect"], OPEN),
    "kept-but-alien": (FORGED, 200, {"again": [KEPT] * 2}, "blocked", ["http"], OPEN),
    "kept-once": (REFUSED, 200, {"again": [KEPT, CLOSING]}, "blocked", ["http"], OPEN),
    "announced-by-kin": (REFUSED, 200, {"again": [CLOSING] * 2}, "blocked", ["http"], OPEN),
    "other-200-no-evidence": ({"status": 200, "title": "X"}, 200, {}, "unknown", [], None),
    "server-error-here": (500, 200, {"again": [KEPT]}, "unknown", [], None),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_page(build: Any, case: str) -> None:
    here, there, proof, verdict, mechanisms, locus = CASES[case]
    found = judge(build("web", tcp="ok", http=here), build("web", tcp="ok", http=there), proof)
    assert (found.verdict, list(found.mechanisms), found.locus) == (verdict, mechanisms, locus)
    assert found.detail


def test_a_valid_certificate_speaks_for_the_server(build: Any) -> None:
    local = build("web", tcp="ok", tls="ok", http=REFUSED | {"first": 0.001})
    found = judge(local, build("web", tcp="ok", tls="ok", http=200), {})
    assert (found.mechanisms, found.locus) == (("http.error.geo",), OWN)


@pytest.mark.parametrize("over", ["tls", "quic"])
def test_a_certified_edge_that_says_via_is_no_proxy_on_our_way(build: Any, over: str) -> None:
    shaken = {over: [{"address": "1.1.1.1", "outcome": "ok"}]}
    local = build("web", http=PROXY | {"status": 502}) | shaken
    found = judge(local, build("web", http=200) | shaken, THERE)
    assert found.verdict == "unknown", found


@pytest.mark.parametrize(
    ("trips", "firsts", "expected"),
    [
        ([0.040], [0.002], True),
        ([0.040, 0.090], [0.002, 0.020], True),
        ([0.090, 0.040], [0.002, 0.035], False),  # one copy took as long as the server would
        ([0.002], [0.001], False),  # too near to tell
        ([0.040], [0.045], False),
    ],
)
def test_faster(build: Any, trips: list[float], firsts: list[float], expected: bool) -> None:
    local = build("web", tcp="ok", http=REFUSED | {"first": firsts[0]})
    local["tcp"][0]["seconds"] = trips[0]
    again = zip(trips[1:], firsts[1:], strict=True)
    rounds = [{**DEAD, "connect": trip, "first": first} for trip, first in again]
    assert faster(local["http"][0], local, rounds) is expected


@pytest.mark.parametrize(
    ("here", "there", "verdict"),
    [
        ("timeout", {"tcp": "timeout"}, "down"),
        ("reset", {"tcp": "refused"}, "down"),
        (503, {"tcp": "refused"}, "unknown"),  # somebody's page, but whose?
        (PROXY | {"status": 503}, {"tcp": "refused"}, "down"),
        ("timeout", {"tcp": "ok"}, "unknown"),  # the control got further than that
    ],
)
def test_who_opened_a_connection_that_nobody_else_gets(
    build: Any, here: Any, there: Any, verdict: str
) -> None:
    found = judge(build("web", tcp="ok", http=here), build("web", **there), THERE)
    assert found.verdict == verdict, found
