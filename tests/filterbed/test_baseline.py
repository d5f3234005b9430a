"""Every baseline word, kept and broken."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from filterbed.baseline import holds

HTTP = {"address": "1.1.1.1", "outcome": "ok", "status": 200, "location": None}
DNS = {"name": "a.net", "qtype": "A", "rcode": "NOERROR", "addresses": ["1.1.1.1"], "records": []}
TCP = {"address": "1.1.1.1", "port": 80, "outcome": "ok"}
TLS = {"address": "1.1.1.1", "port": 443, "outcome": "ok", "error": None}
REGISTER: dict[str, Any] = {"outcome": "ok", "code": 200}
CALL = {**REGISTER, "cut": False, "rtp_sent": 100, "rtp_received": 100, "rtp_echoed": 100}
WAY: dict[str, Any] = {"sent": 50, "received": 50, "lost": 0}
TOLD: dict[str, Any] = {**CALL, "account": {"ended_by": "them"}, "end": {"why": "completed"},
        "media": {"to_callee": WAY, "from_callee": WAY}}  # fmt: skip
HUNG_UP = {**TOLD, "cut": True, "account": {"ended_by": "us"}}
TARGETS: dict[str, dict[str, Any]] = {
    "web": {"kind": "web", "url": "http://a.net/"},
    "https": {"kind": "web", "url": "https://a.net/"},
    "dns": {"kind": "dns", "name": "a.net", "qtype": "A"},
    "tcp": {"kind": "tcp", "host": "a.net", "port": 80},
    "udp": {"kind": "udp", "host": "a.net", "port": 53},
    "sip": {"kind": "sip", "registrar": "a.net"},
    "call": {"kind": "call", "registrar": "a.net", "callee": "echo"},
}


def measured(kind: str, **parts: Any) -> dict[str, Any]:
    """Build a measurement of a target that answers, but for the parts said otherwise."""
    row: dict[str, Any] = {"kind": TARGETS[kind]["kind"], "dns": DNS, "tcp": [], "tls": []}
    row |= {"http": [], "udp": [], "sip": {"register": None, "call": None}}
    if kind in ("web", "https", "tcp"):
        row["tcp"] = [TCP]
    if kind == "https":
        row["tls"] = [TLS]
    if kind in ("web", "https"):
        row["http"] = [HTTP]
    if kind == "udp":
        row["udp"] = [TCP]
    if kind in ("sip", "call"):
        row["sip"] = {"register": REGISTER, "call": CALL if kind == "call" else None}
    return row | copy.deepcopy(parts)


def check(
    word: str, kind: str, expected: tuple[str, ...] = ("1.1.1.1",), **parts: Any
) -> list[str]:
    return holds(word, measured(kind, **parts), TARGETS[kind], expected)


def http(**more: Any) -> list[dict[str, Any]]:
    return [{**HTTP, **more}]


def sip(register: Any = REGISTER, call: Any = None) -> dict[str, Any]:
    return {"register": register, "call": call}


def skype(by: str | None = "udp", login: str | None = "ok", sent: int | None = None) -> Any:
    return {
        "bootstrap": {"outcome": "ok" if by else "timeout", "by": by, "steps": []},
        "login": login and {"outcome": login},
        "gateway": sent and {"outcome": "ok", "sent": 25, "received": sent},
    }


@pytest.mark.parametrize(
    ("word", "kind", "parts", "said"),
    [
        ("answers", "skype", skype(), ""),
        ("answers", "skypeout", skype(sent=25), ""),
        ("answers", "skype", skype("tcp-443"), "found by tcp-443, expected by udp"),
        ("answers", "skype", skype(login="timeout"), "skype login: timeout, expected ok"),
        ("answers", "skypeout", skype(), "skype gateway: not tried, expected ok"),
        ("answers", "skypeout", skype(sent=24), "1 datagrams were not answered"),
        ("silent", "skype", skype(login="timeout"), ""),
        ("silent", "skype", skype(None, None), ""),
        ("silent", "skype", skype(), "skype: ok, expected timeout"),
    ],
)
def test_skype(word: str, kind: str, parts: Any, said: str) -> None:
    measurement = {"kind": kind, "dns": None, "skype": parts}
    problems = holds(word, measurement, {"kind": kind}, [])
    assert (said in problems[0]) if said else (problems == [])


def chat(outcome: str, plain: str | None = None, status: int | None = 200) -> Any:
    asked = [{"path": "/list", "outcome": "ok", "status": status}]
    return {
        "client": {"outcome": outcome, "requests": asked},
        "plain": plain and {"outcome": plain},
    }


@pytest.mark.parametrize(
    ("word", "parts", "said"),
    [
        ("answers", chat("ok"), ""),
        ("answers", chat("withheld", "ok"), "chat: withheld, expected ok"),
        ("answers", chat("ok", status=404), "chat /list: ok 404, expected ok 200"),
        ("silent", chat("timeout"), ""),
        ("silent", chat("ok"), "chat: ok, expected timeout"),
        ("filtered", chat("withheld", "ok"), ""),
        ("filtered", chat("ok"), "chat: ok, expected withheld"),
        ("filtered", chat("withheld", "reset"), "ordinary client's: reset, expected ok"),
    ],
)
def test_chat(word: str, parts: Any, said: str) -> None:
    measurement = {"kind": "chat", "dns": None, "chat": parts}
    problems = holds(word, measurement, {"kind": "chat"}, [])
    assert (said in problems[0]) if said else (problems == [])


VIA = {"kind": "dns", "name": "a.net", "qtype": "A", "via": "dot", "resolver": "dns.net"}


@pytest.mark.parametrize(
    ("word", "tcp", "tls", "dns", "said"),
    [
        ("answers", "ok", "ok", DNS, ""),
        ("answers", "timeout", None, None, "tcp 1.1.1.1: timeout, expected ok"),
        ("answers", "ok", "reset", None, "tls 1.1.1.1: reset, expected ok"),
        ("answers", "ok", "ok", {**DNS, "addresses": ["8.7.198.45"]}, "expected 1.1.1.1"),
        ("silent", "timeout", None, None, ""),
        ("silent", "ok", "ok", DNS, "tcp 1.1.1.1: ok, expected timeout"),
    ],
)
def test_a_resolver_over_tls(word: str, tcp: str, tls: str | None, dns: Any, said: str) -> None:
    parts = {"dns": dns, "tcp": [{**TCP, "outcome": tcp}]}
    parts["tls"] = [{**TLS, "outcome": tls}] if tls else []
    problems = holds(word, {"kind": "dns", **parts}, VIA, ["1.1.1.1"])
    assert (said in problems[0]) if said else (problems == [])


@pytest.mark.parametrize(("rcode", "said"), [("SERVFAIL", ""), ("NOERROR", "expected SERVFAIL")])
def test_a_name_nobody_vouches_for(rcode: str, said: str) -> None:
    problems = check("bogus-name", "dns", dns={**DNS, "rcode": rcode})
    assert said in "".join(problems)
    assert bool(said) == bool(problems)


GONE = {"dns": {**DNS, "rcode": "NXDOMAIN", "addresses": []}, "tcp": [], "tls": [], "http": []}
SHUT = {"tcp": [{**TCP, "outcome": "refused"}], "tls": [], "http": []}
MUTE = {"tcp": [{**TCP, "outcome": "timeout"}], "tls": [], "http": []}


@pytest.mark.parametrize("kind", TARGETS)
def test_answers(kind: str) -> None:
    assert check("answers", kind) == []


@pytest.mark.parametrize(
    ("word", "kind", "parts"),
    [
        ("dead-name", "web", GONE),
        ("dead-name", "sip", {**GONE, "sip": sip(None)}),
        ("refused", "web", SHUT),
        ("refused", "tcp", SHUT),
        ("refused", "udp", {"udp": [{**TCP, "outcome": "refused"}]}),
        ("refused", "sip", {"sip": sip({"outcome": "refused", "code": None})}),
        ("refused", "dns", {"dns": {**DNS, "rcode": "REFUSED", "addresses": []}}),
        ("silent", "web", MUTE),
        ("silent", "dns", {"dns": {**DNS, "rcode": "timeout", "addresses": []}}),
        ("silent", "call", {"sip": sip({"outcome": "timeout", "code": None})}),
        ("reset", "web", {"http": http(outcome="reset", status=None)}),
        ("reset", "https", {"tls": [{**TLS, "outcome": "reset"}], "http": []}),
        ("reset", "https", {"http": http(outcome="reset", status=None)}),
        ("status: 403", "web", {"http": http(status=403)}),
        ("status:451", "https", {"http": http(status=451)}),
        ("status: 403", "sip", {"sip": sip({"outcome": "rejected", "code": 403})}),
        ("status: 486", "call", {"sip": sip(call={"outcome": "rejected", "code": 486})}),
        ("redirect: b.net", "web", {"http": http(status=302, location="http://B.net/x")}),
        ("expired", "https", {"tls": [{**TLS, "outcome": "invalid", "error": "expired"}]}),
        ("self-signed", "https", {"tls": [{**TLS, "outcome": "invalid", "error": "self-signed"}]}),
        ("wrong-name", "https", {"tls": [{**TLS, "outcome": "invalid", "error": "wrong-name"}]}),
    ],
)
def test_word_holds_and_nothing_else_does(word: str, kind: str, parts: Any) -> None:
    assert check(word, kind, **parts) == []
    assert check("answers", kind, **parts) != []
    assert check(word, kind) != [], "a target that answers must not pass"


@pytest.mark.parametrize(
    ("word", "kind", "parts", "said"),
    [
        ("answers", "web", GONE, "NXDOMAIN, expected NOERROR"),
        ("answers", "web", {"dns": {**DNS, "addresses": ["6.6.6.6"]}}, "6.6.6.6, expected 1.1.1.1"),
        ("answers", "web", {"dns": {**DNS, "addresses": ["1.1.1.1", "6.6.6.6"]}}, "6.6.6.6"),
        ("answers", "web", SHUT, "tcp 1.1.1.1: refused, expected ok"),
        ("answers", "web", {"tcp": [TCP, {**TCP, "outcome": "timeout"}]}, "timeout, expected ok"),
        ("answers", "web", {"http": http(status=500)}, "status 500, expected 200"),
        ("answers", "web", {"http": http(outcome="reset")}, "reset, expected ok"),
        ("answers", "web", {"http": []}, "http: nothing was tried"),
        ("answers", "https", {"tls": []}, "tls: nothing was tried"),
        (
            "answers",
            "https",
            {"tls": [{**TLS, "outcome": "invalid", "error": "expired"}]},
            "invalid (expired), expected ok",
        ),
        ("answers", "sip", {"sip": sip({"outcome": "timeout", "code": None})}, "register: timeout"),
        ("answers", "sip", {"sip": sip({"outcome": "ok", "code": 202})}, "ok 202, expected ok 200"),
        ("answers", "call", {"sip": sip()}, "call: not tried"),
        ("answers", "call", {"sip": sip(call={**CALL, "rtp_echoed": 70})}, "70 of 100 packets"),
        ("answers", "call", {"sip": sip(call={**CALL, "rtp_sent": 0})}, "packets came back"),
        ("answers", "call", {"sip": sip(call={**CALL, "cut": True})}, "a BYE that was not ours"),
        ("refused", "web", MUTE, "timeout, expected refused"),
        ("silent", "web", SHUT, "refused, expected timeout"),
        ("status: 403", "web", {"http": http(status=404)}, "status 404, expected 403"),
        ("redirect: b.net", "web", {"http": http(status=302, location="http://c.net/")}, "c.net"),
        ("redirect: b.net", "web", {"http": http(location="http://b.net/")}, "200 to http"),
        (
            "expired",
            "https",
            {"tls": [{**TLS, "outcome": "invalid", "error": "self-signed"}]},
            "invalid (self-signed), expected invalid (expired)",
        ),
        ("answer", "web", {}, "no word this can check"),
        ("status: lots", "web", {}, "expected a status"),
    ],
)
def test_problem_names_what_was_found_and_expected(
    word: str, kind: str, parts: Any, said: str
) -> None:
    assert said in "; ".join(check(word, kind, **parts))


def test_addresses_of_families_not_asked_for_are_left_out() -> None:
    both = ("1.1.1.1", "2001:DB8::1")
    assert check("answers", "web", both) == []
    asked = {**TARGETS["dns"], "qtype": "AAAA"}
    dns = {**DNS, "qtype": "AAAA", "addresses": ["2001:db8::1"]}
    assert holds("answers", measured("dns", dns=dns), asked, both) == []
    six = {**TARGETS["web"], "families": [4, 6]}
    assert holds("answers", measured("web"), six, both) != []


def test_what_was_not_measured_holds_nothing() -> None:
    assert holds("silent", {"error": "no sipp"}, TARGETS["call"], ()) == ["not measured: no sipp"]


def ways(call: dict[str, Any], **media: dict[str, Any]) -> dict[str, Any]:
    """Build a call's part of a measurement, some of its media changed."""
    found = {name: {**way, **media.get(name, {})} for name, way in call["media"].items()}
    return {"register": REGISTER, "call": {**call, "media": found}}


UNSAID = {"sent": 0, "received": 0}
UNHEARD = {"received": 0, "lost": 50}


@pytest.mark.parametrize(
    ("word", "sip_part", "problem"),
    [
        ("answers", ways(TOLD), None),
        ("answers", ways(TOLD, to_callee={"received": 49, "lost": 1}), "to callee: 49 of 50"),
        ("answers", ways(TOLD, from_callee=UNSAID), "from callee: 0 of 0"),
        ("answers", ways(HUNG_UP), "a BYE that was not ours"),
        ("hangs-up", ways(HUNG_UP), None),
        ("hangs-up", ways(TOLD), "expected a BYE that the callee says it sent"),
        ("hangs-up", ways({**HUNG_UP, "account": None}), "the callee says it sent"),
        ("hangs-up", ways(HUNG_UP, to_callee={"lost": 2}), "expected all"),
        ("one-way", ways(TOLD, from_callee=UNSAID), None),
        ("lossy", ways(TOLD), None),
        ("lossy", ways(TOLD, to_callee={"received": 40, "lost": 10}), None),
        ("lossy", ways(TOLD, to_callee={"received": 30, "lost": 20}), "at least 70%"),
        ("congested", ways(TOLD, to_callee={"received": 10, "lost": 40}), None),
        ("congested", ways(TOLD, to_callee=UNHEARD), "expected some both ways"),
        ("one-way", ways(TOLD, to_callee=UNHEARD), None),
        ("one-way", ways(TOLD), "expected media one way"),
        ("one-way", ways(TOLD, to_callee=UNHEARD, from_callee=UNSAID), "expected media one way"),
        ("no-answer", ways({**TOLD, "outcome": "timeout", "code": 180}), None),
        ("no-answer", ways({**TOLD, "outcome": "timeout", "code": None}), "expected timeout 180"),
        ("no-answer", ways(TOLD), "ok 200, expected timeout 180"),
        ("one-way", ways({**TOLD, "outcome": "timeout", "code": None}), "expected ok 200"),
        ("hangs-up", {"register": REGISTER, "call": None}, "not tried"),
    ],
)
def test_calls_both_ways(word: str, sip_part: dict[str, Any], problem: str | None) -> None:
    found = check(word, "call", sip=sip_part)
    assert (problem is None) == (found == [])
    assert not problem or problem in found[0]


STALLED = {**HTTP, "outcome": "timeout", "status": None, "after": "request"}
TORN = {**HTTP, "outcome": "fin", "after": "answer"}


@pytest.mark.parametrize(
    ("word", "row", "text"),
    [
        ("stalls", STALLED, None),
        ("truncates", TORN, None),
        ("stalls", TORN, "expected timeout"),
        ("truncates", STALLED, "expected fin"),
        ("truncates", {**HTTP, "after": "answer"}, "expected fin"),
        ("stalls", {**STALLED, "after": "connect"}, "expected after request"),
    ],
)
def test_servers_that_do_not_finish(word: str, row: dict[str, Any], text: str | None) -> None:
    said = check(word, "web", http=[row])
    assert said == [] if text is None else text in " ".join(said)


@pytest.mark.parametrize(("results", "text"), [(0, None), (1, "1 results"), (None, "None results")])
def test_a_search_that_finds_nothing(results: int | None, text: str | None) -> None:
    said = check("delisted", "web", http=http(results=results))
    assert said == [] if text is None else text in " ".join(said)


def over_quic(word: str, quic: dict[str, Any], *page: dict[str, Any]) -> list[str]:
    row = {"address": "1.1.1.1", "port": 443, "outcome": "ok", "error": None, **quic}
    found = {**measured("https", http=list(page)), "tcp": [], "tls": [], "quic": [row]}
    return holds(word, found, {**TARGETS["https"], "via": "h3"}, ("1.1.1.1",))


@pytest.mark.parametrize(
    ("word", "quic", "page"),
    [
        ("answers", {}, HTTP),
        ("status: 503", {}, {**HTTP, "status": 503}),
        ("redirect: b.net", {}, {**HTTP, "status": 301, "location": "https://b.net/"}),
        ("refused", {"outcome": "refused"}, None),
        ("silent", {"outcome": "timeout"}, None),
        ("expired", {"outcome": "invalid", "error": "expired"}, None),
    ],
)
def test_over_quic_each_word_holds_and_no_other(word: str, quic: Any, page: Any) -> None:
    pages = [page] if page else []
    assert over_quic(word, quic, *pages) == []
    assert over_quic("status: 500" if word == "answers" else "answers", quic, *pages) != []


def test_a_page_over_tcp_says_nothing_of_quic() -> None:
    target = {**TARGETS["https"], "via": "h3"}
    problems = holds("answers", {**measured("https"), "quic": []}, target, ("1.1.1.1",))
    assert problems == ["quic: nothing was tried, expected ok"]
