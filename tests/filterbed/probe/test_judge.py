"""The verdict as a whole: total, pure, and in the taxonomy's words."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import pytest

from filterbed.probe.judge import judge
from scenarios.taxonomy import is_node

DNS: list[Any] = [["1.1.1.1"], ["8.7.198.45"], ["10.0.0.1"], [], "NXDOMAIN", "timeout", "SERVFAIL"]
TCP = ["ok", "timeout", "refused", "reset", "unreachable"]
TLS: list[Any] = [
    None,
    "ok",
    ("reset", None, "connect"),
    ("reset", None, "hello"),
    ("alert", None, "answer"),
    ("invalid", None, "answer"),
    ("invalid", "expired", "answer"),
    ("invalid", "wrong-name", "answer"),
]
HTTP: list[Any] = [None, 200, 302, 403, 503, "reset", "timeout", "invalid"]
REGISTER: list[Any] = [None, 200, 403, "timeout", "refused"]
CALL: list[Any] = [None, 200, 486, "timeout", {"rtp_received": 0, "rtp_echoed": 0}, {"cut": True}]


def webs(build: Any) -> list[Any]:
    made = [build("web", dns=dns) for dns in DNS]
    made += [build("web", tcp=tcp) for tcp in TCP]
    for tls, http in itertools.product(TLS, HTTP):
        spec = {"tls": tls} if tls else {}
        made.append(build("web", tcp="ok", **spec, **({"http": http} if http else {})))
    return made


def calls(build: Any) -> list[Any]:
    pairs = itertools.product(REGISTER, CALL)
    return [build("call", register=one, call=two) for one, two in pairs]


@pytest.mark.parametrize("make", [webs, calls])
def test_total_and_in_the_taxonomy(build: Any, make: Any) -> None:
    """Every pair gets a verdict; alike is never blocked; mechanisms are nodes; locus fits."""
    for here, there in itertools.product(make(build), repeat=2):
        before = copy.deepcopy((here, there))
        found = judge(here, there)
        assert (here, there) == before
        assert found.verdict in ("ok", "down", "blocked", "unknown")
        assert all(map(is_node, found.mechanisms)), found
        assert (found.locus is not None) == (found.verdict == "blocked")
        assert found.detail
        if here == there:
            assert found.verdict != "blocked", (here, found)


@pytest.mark.parametrize("where", ["here", "at the control"])
def test_not_measured_is_unknown_with_the_reason(build: Any, where: str) -> None:
    good, bad = build("web", tcp="ok", http=200), {"error": "timed out"}
    found = judge(bad, good) if where == "here" else judge(good, bad)
    assert found.verdict == "unknown"
    assert where in found.detail
    assert "timed out" in found.detail


@pytest.mark.parametrize(
    ("here", "there", "verdict", "mechanisms"),
    [
        ({}, {}, "ok", ()),
        ({"tcp": "timeout"}, {}, "blocked", ("tcp.timeout",)),
        ({"tls": ("timeout", None, "hello")}, {}, "blocked", ("tls.timeout",)),
        ({"tls": ("reset", None, "hello")}, {}, "blocked", ("tls.reset",)),
        ({"tls": ("invalid", "self-signed", "answer")}, {}, "blocked", ("tls.mitm.self_signed",)),
        ({"resolver": "NXDOMAIN"}, {}, "blocked", ("dns.nxdomain",)),
        ({"dns": "timeout"}, {}, "blocked", ("dns.timeout",)),
        ({"tcp": "timeout"}, {"tcp": "timeout"}, "down", ()),
    ],
)
def test_a_resolver_over_tls(
    build: Any, here: Any, there: Any, verdict: str, mechanisms: tuple[str, ...]
) -> None:
    def measured(spec: Any) -> Any:
        good = {"dns": ["1.1.1.1"], "tcp": "ok", "tls": "ok"}
        row = build("dns", **{**good, **spec_of(spec)})
        row["resolver"] = build("dns", dns=spec.get("resolver", ["1.1.1.1"]))["dns"]
        if set(spec) & {"tcp", "tls", "resolver"}:
            row["dns"] = None
        return row

    def spec_of(spec: Any) -> Any:
        gone = {"tcp": None, "tls": None} if "resolver" in spec else {}
        gone |= {"tls": None} if "tcp" in spec else {}
        kept = {key: value for key, value in spec.items() if key != "resolver"}
        return {**gone, **kept}

    found = judge(measured(here), measured(there))
    assert (found.verdict, found.mechanisms) == (verdict, mechanisms)
