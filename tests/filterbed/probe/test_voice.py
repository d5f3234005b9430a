"""Registrations, calls, media and datagrams: a table of cases."""

from __future__ import annotations

from typing import Any

import pytest

from filterbed.probe import voice
from filterbed.probe.judge import judge

NET, OWN, OPEN = "network", "server_side", "unknown"
UP = {"register": 200, "call": 200}
TWICE = {"answers": [{"cseq": "1", "code": 403}, {"cseq": "1", "code": 401}]}
ONCE = {"answers": [{"cseq": "1", "code": 401}, {"cseq": "2", "code": 403}]}
BOTH = [{"cseq": "1", "code": code, "seconds": 0.1} for code in (403, 407)]
LEFT = {"reason": "the other side hung up", "before_ours": True}


def refusal(**more: Any) -> dict[str, Any]:
    return {"outcome": "rejected", "code": 403, "server": "registrar", **more}


def answers(*seconds: float) -> list[dict[str, Any]]:
    return [{"cseq": "1", "code": 401, "ttl": 61, "seconds": one} for one in seconds]


CASES: dict[str, tuple[str, Any, Any, Any, str, list[str], str | None]] = {
    "registered": ("sip", {"register": 200}, {"register": 200}, {}, "ok", [], None),
    "only-here": ("sip", {"register": 200}, {"register": "timeout"}, {}, "ok", [], None),
    "dead-name": ("sip", {"dns": "NXDOMAIN"}, {"dns": "NXDOMAIN"}, {}, "down", [], None),
    "poisoned": (
        "sip", {"dns": ["8.7.198.45"], "register": "timeout"}, {"register": 200},
        {"answers": [{"addresses": ["8.7.198.45"]}, {"addresses": ["1.1.1.1"]}]},
        "blocked", ["dns.injection.other"], NET,
    ),
    "another-registrar-of-theirs": (
        "sip", {"dns": ["2.2.2.2"], "register": 200}, {"register": 200}, {}, "ok", [], None,
    ),
    "timeout": (
        "sip", {"register": "timeout"}, {"register": 200}, {},
        "blocked", ["sip.register.timeout"], NET,
    ),
    "timeout-of-a-refusal": (
        "sip", {"register": "timeout"}, {"register": 403}, {},
        "blocked", ["sip.register.timeout"], NET,
    ),
    "silent-to-all": (
        "sip", {"register": "timeout"}, {"register": "timeout"}, {}, "down", [], None,
    ),
    "refused-to-all": ("sip", {"register": 403}, {"register": 403}, {}, "down", [], None),
    "closed-to-all": (
        "sip", {"register": "refused"}, {"register": "refused"}, {}, "down", [], None,
    ),
    "differently": ("sip", {"register": 403}, {"register": 503}, {}, "unknown", [], None),
    "closed-here": (
        "sip", {"register": "refused"}, {"register": 200}, {}, "blocked", ["ip.unreachable"], NET,
    ),
    "control-never-asked": (
        "sip", {"register": "timeout"}, {"register": None}, {}, "unknown", [], None,
    ),
    "rejected-twice-over": (
        "sip", {"register": 403}, {"register": 200}, {"sip_again": TWICE},
        "blocked", ["sip.register.reject"], NET,
    ),
    "rejected-by-somebody-else": (
        "sip", {"register": {"outcome": "rejected", "code": 403, "server": None}},
        {"register": 200}, {"sip_again": ONCE}, "blocked", ["sip.register.reject"], NET,
    ),
    "rejected-by-the-registrar": (
        "sip", {"register": 403}, {"register": 200}, {"sip_again": ONCE}, "blocked", [], OWN,
    ),
    "rejected-by-nobody-known": (
        "sip", {"register": 403}, {"register": {"server": None}}, {},
        "blocked", ["sip.register"], OPEN,
    ),
    # calls
    "call": ("call", UP, UP, {}, "ok", [], None),
    "call-never-registered": (
        "call", {"register": "timeout"}, UP, {}, "blocked", ["sip.register.timeout"], NET,
    ),
    "invite-timeout": (
        "call", {**UP, "call": "timeout"}, UP, {}, "blocked", ["sip.invite.timeout"], NET,
    ),
    "invite-timeout-for-all": (
        "call", {**UP, "call": "timeout"}, {**UP, "call": "timeout"}, {}, "down", [], None,
    ),
    "callee-unknown-to-all": (
        "call", {**UP, "call": 404}, {**UP, "call": 404}, {}, "down", [], None,
    ),
    "invite-rejected": (
        "call", {**UP, "call": {"outcome": "rejected", "code": 603, "server": "box"}}, UP, {},
        "blocked", ["sip.invite.reject"], NET,
    ),
    "cut-by-bye": ("call", {**UP, "call": {"cut": True}}, UP, {}, "blocked", ["sip.bye"], NET),
    "cut-for-all": (
        "call", {**UP, "call": {"cut": True}}, {**UP, "call": {"cut": True}}, {}, "ok", [], None,
    ),
    "cut-by-the-callee": (
        "call", {**UP, "call": {"cut": True, "account": {"ended_by": "us"}}}, UP, {},
        "ok", [], None,
    ),
    "cut-at-both-ends": (
        "call", {**UP, "call": {"cut": True, "account": {"ended_by": "them"}}},
        {**UP, "call": {"cut": True}}, {}, "blocked", ["sip.bye"], NET,
    ),
    "cut-and-goes-on-talking": (
        "call", {**UP, "call": {"cut": True, "after_bye": 12}}, {**UP, "call": {"cut": True}}, {},
        "blocked", ["sip.bye"], NET,
    ),
    "cut-with-stragglers": (
        "call", {**UP, "call": {"cut": True, "after_bye": 2}}, {**UP, "call": {"cut": True}}, {},
        "ok", [], None,
    ),
    "callee-was-sent-a-bye": (
        "call", {**UP, "call": {"rtcp_bye": LEFT}}, UP, {}, "blocked", ["sip.bye"], NET,
    ),
    "callee-left-after-ours": (
        "call", {**UP, "call": {"rtcp_bye": {**LEFT, "before_ours": False}}}, UP, {},
        "ok", [], None,
    ),
    "refused-from-another-hop": (
        "call", {"register": {"ttl": 61}, "call": refusal(ttl=64)}, UP, {},
        "blocked", ["sip.invite.reject"], NET,
    ),
    "refused-from-elsewhere": (
        "call", {"register": {"answered_by": "1.1.1.1:5060"},
                 "call": refusal(answered_by="9.9.9.9:5060")}, UP, {},
        "blocked", ["sip.invite.reject"], NET,
    ),
    "refused-too-soon": (
        "call", {"register": {"ttl": 61, "answers": answers(0.041, 0.043)},
                 "call": refusal(ttl=61, answers=[{"cseq": "1", "code": 403, "seconds": 0.02}])},
        UP, {}, "blocked", ["sip.invite.reject"], NET,
    ),
    "refused-and-then-answered": (
        "call", {**UP, "call": refusal(answers=BOTH)},
        UP, {}, "blocked", ["sip.invite.reject"], NET,
    ),
    "refused-by-the-registrar": (
        "call", {"register": {"ttl": 61, "answers": answers(0.041)}, "call": refusal(ttl=61)},
        {**UP, "call": {"server": None}}, {}, "blocked", [], OWN,
    ),
    "refused-by-nobody-known": (
        "call", {"register": {"ttl": 61}, "call": refusal(ttl=61, server=None)},
        {**UP, "call": {"server": None}}, {}, "blocked", ["sip.invite"], OPEN,
    ),
    "refused-as-the-control-is": (
        "call", {"register": {"ttl": 61}, "call": refusal(ttl=64)}, {**UP, "call": refusal()}, {},
        "down", [], None,
    ),
    "registration-refused-from-another-hop": (
        "sip", {"register": refusal(ttl=64, answers=[{"cseq": "1", "code": 401, "ttl": 61},
                                                      {"cseq": "2", "code": 403, "ttl": 64}])},
        {"register": 200}, {}, "blocked", ["sip.register.reject"], NET,
    ),
    "no-media": (
        "call", {**UP, "call": {"rtp_received": 0, "rtp_echoed": 0}}, UP, {},
        "blocked", ["rtp.timeout"], NET,
    ),
    "no-media-for-all": (
        "call", {**UP, "call": {"rtp_received": 0, "rtp_echoed": 0}},
        {**UP, "call": {"rtp_received": 0, "rtp_echoed": 0}}, {}, "down", [], None,
    ),
    "one-way": (
        "call", {**UP, "call": {"rtp_received": 90, "rtp_echoed": 0}}, UP, {},
        "blocked", ["rtp.oneway"], NET,
    ),
    "thinned": (
        "call", {**UP, "call": {"rtp_received": 30, "rtp_echoed": 30}}, UP, {},
        "blocked", ["rtp.loss"], NET,
    ),
    "lossy-for-all": (
        "call", {**UP, "call": {"rtp_received": 30, "rtp_echoed": 30}},
        {**UP, "call": {"rtp_received": 60, "rtp_echoed": 60}}, {}, "unknown", [], None,
    ),
    "control-cannot-call": (
        "call", {**UP, "call": {"rtp_received": 0, "rtp_echoed": 0}}, {**UP, "call": 404}, {},
        "unknown", [], None,
    ),
    # datagrams and bare connections
    "udp": ("udp", {"udp": "ok"}, {"udp": "ok"}, {}, "ok", [], None),
    "udp-timeout": ("udp", {"udp": "timeout"}, {"udp": "ok"}, {}, "blocked", ["udp.timeout"], NET),
    "udp-icmp": ("udp", {"udp": "refused"}, {"udp": "ok"}, {}, "blocked", ["ip.unreachable"], NET),
    "udp-silent": ("udp", {"udp": "timeout"}, {"udp": "timeout"}, {}, "down", [], None),
    "udp-differently": ("udp", {"udp": "timeout"}, {"udp": "refused"}, {}, "unknown", [], None),
    "tcp": ("tcp", {"tcp": "ok"}, {"tcp": "ok"}, {}, "ok", [], None),
    "tcp-timeout": ("tcp", {"tcp": "timeout"}, {"tcp": "ok"}, {}, "blocked", ["tcp.timeout"], NET),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_case(build: Any, case: str) -> None:
    kind, here, there, proof, verdict, mechanisms, locus = CASES[case]
    found = judge(build(kind, **here), build(kind, **there), proof)
    assert (found.verdict, list(found.mechanisms), found.locus) == (verdict, mechanisms, locus)
    assert found.detail


def cornered(how: str, offered: str, **asked: str) -> dict[str, Any]:
    """A call that was heard and heard nothing, with what helpers said."""
    helpers: dict[str, Any] = {"stun": None, "turn": None}
    helpers |= {name: {"outcome": word, "mapping": None} for name, word in asked.items()}
    return {
        "path": {"how": how, "offered": offered, **helpers},
        "media": {"to_callee": {"received": 50}, "from_callee": {"received": 0}},
    }


PRIVATE, PUBLIC = "192.168.1.2:4000", "202.106.45.2:4000"


@pytest.mark.parametrize(
    ("here", "there", "found"),
    [
        (cornered("direct", PRIVATE), cornered("direct", PUBLIC), ("down", ())),
        (cornered("direct", PUBLIC), cornered("direct", PUBLIC), None),
        (cornered("turn", PRIVATE, turn="ok"), cornered("direct", PUBLIC), None),
        (
            cornered("direct", PRIVATE, stun="timeout"),
            cornered("direct", PUBLIC, stun="ok"),
            ("blocked", ("stun.timeout",)),
        ),
        (
            cornered("direct", PRIVATE, stun="timeout", turn="timeout"),
            cornered("direct", PUBLIC, stun="ok", turn="ok"),
            ("blocked", ("turn.timeout",)),
        ),
        (
            cornered("direct", PRIVATE, stun="timeout", turn="timeout"),
            cornered("direct", PUBLIC, stun="timeout", turn="timeout"),
            ("down", ()),
        ),
    ],
)
def test_an_address_that_leads_to_nobody(here: Any, there: Any, found: Any) -> None:
    verdict = voice._cornered(here, there)
    assert (verdict and (verdict.verdict, verdict.mechanisms)) == found


def test_behind_a_symmetric_translator_what_stun_saw_leads_to_nobody() -> None:
    here = cornered("stun", PUBLIC, stun="ok")
    here["path"]["stun"]["mapping"] = "dependent"
    verdict = voice._cornered(here, None)
    assert verdict is not None
    assert verdict.verdict == "down"


REFERRED, LOST = {"outcome": "ok", "code": 202}, {"outcome": "timeout", "code": None}
DENIED = {"outcome": "rejected", "code": 405}


@pytest.mark.parametrize(
    ("here", "there", "found"),
    [
        (None, None, None),
        (REFERRED, None, None),
        (LOST, REFERRED, ("blocked", ("sip",))),
        (LOST, DENIED, ("blocked", ("sip",))),
        (LOST, LOST, ("down", ())),
        (DENIED, DENIED, ("down", ())),
        (DENIED, REFERRED, ("unknown", ())),
        (LOST, None, ("unknown", ())),
    ],
)
def test_who_could_not_be_asked_to_ring(here: Any, there: Any, found: Any) -> None:
    verdict = voice._unasked({"refer": here}, {"refer": there})
    assert (verdict and (verdict.verdict, verdict.mechanisms)) == found
