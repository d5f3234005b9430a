"""Calls before the law: what rules see of SIP, as transcripts."""

from __future__ import annotations

from typing import Any

import pytest

from censor.decision import Verdict
from censor.policy import InvalidPolicy, load

ACCEPT, DROP = Verdict.ACCEPT, Verdict.DROP
PHONE = "SIP/2.0/UDP 24.48.0.2:5060;branch=z9hG4bK1"


def policy(when: dict[str, Any], then: Any = None, **more: Any) -> dict[str, Any]:
    rule = {"id": "r", "when": when, "then": then or {"drop": "packet"}}
    return {"position": "in-path", "rules": [rule], **more}


def sip(start: str, *, method: str = "INVITE", more: str = "") -> bytes:
    return (
        f"{start}\r\nVia: {PHONE}\r\nFrom: <sip:a@x.example>;tag=1\r\nTo: <sip:b@x.example>;tag=2"
        f"\r\nCall-ID: 1\r\nCSeq: 1 {method}\r\n{more}Content-Length: 0\r\n\r\n"
    ).encode()


TO_PHONE = sip("INVITE sip:+8613800000000@gw.example SIP/2.0", more="User-Agent: X-Lite 3.0\r\n")
TO_PC = sip("INVITE sip:bob@x.example;transport=udp SIP/2.0", more="User-Agent: Twinkle/1.4\r\n")
RINGING = sip("SIP/2.0 180 Ringing", more="Server: X-Lite 3.0\r\n")
ANSWER = sip("SIP/2.0 200 OK")
REGISTERED = sip("SIP/2.0 200 OK", method="REGISTER")
BUSY = sip("SIP/2.0 486 Busy Here")


@pytest.mark.parametrize(
    ("when", "dropped"),
    [
        ({"sip.uri": {"regex": [r"^sip:\+?[0-9]+@"]}}, {TO_PHONE}),
        ({"sip.uri": {"exact": ["sip:BOB@x.example;transport=udp"]}}, {TO_PC}),
        ({"sip.uri": {"exact": ["sip:BOB@x.example;transport=udp"], "case": True}}, set()),
        ({"sip.user_agent": {"prefix": ["x-lite"]}}, {TO_PHONE, RINGING}),
        ({"sip.user_agent": {"prefix": ["x-lite"]}, "sip.method": ["INVITE"]}, {TO_PHONE}),
        ({"sip.method": ["INVITE"]}, {TO_PHONE, TO_PC}),
        ({"sip.status": ["2xx"], "sip.method": ["INVITE"]}, {ANSWER}),
        ({"sip.status": ["1xx", 486]}, {RINGING, BUSY}),
        ({"sip.status": [200], "not": {"sip.method": ["INVITE"]}}, {REGISTERED}),
        ({"sip": True}, {TO_PHONE, TO_PC, RINGING, ANSWER, REGISTERED, BUSY}),
        ({"sip": True, "not": {"sip.host": {"suffix": ["x.example"]}}}, {TO_PHONE}),
    ],
)
def test_what_rules_see_of_sip(Talk: Any, when: dict[str, Any], dropped: set[bytes]) -> None:
    """Requests one way, responses the other, over UDP and over TCP."""
    for message in (TO_PHONE, TO_PC, RINGING, ANSWER, REGISTERED, BUSY):
        talk = Talk(policy(when))
        back = message.startswith(b"SIP/2.0")
        talk.udp(sip("OPTIONS sip:x.example SIP/2.0", method="OPTIONS"), port=5060, sport=5060)
        tcp = talk.connection(port=5060)
        tcp.say(sip("OPTIONS sip:x.example SIP/2.0", method="OPTIONS"))
        if back and when == {"sip": True}:  # the connection's own first request was dropped
            continue
        expected = DROP if message in dropped else ACCEPT
        assert talk.udp(message, port=5060, sport=5060, back=back).verdict is expected, message
        assert tcp.say(message, back=back).verdict is expected, message


def test_a_lost_answer_is_named_by_what_it_answers(Talk: Any) -> None:
    """Source: fact voip-interference-menu ("drop 200 OK: rings, never connects")."""
    talk = Talk(policy({"sip.status": [200], "sip.method": ["INVITE"]}))
    for message, back in ((TO_PC, False), (RINGING, True), (ANSWER, True), (ANSWER, True)):
        talk.udp(message, port=5060, sport=5060, back=back)
    assert talk.verdicts() == [ACCEPT, ACCEPT, DROP, DROP]
    assert talk.events()[0].trigger == {"sip.status": 200, "sip.method": "INVITE"}


def test_sip_over_tls_by_name_and_port(Talk: Any, hello: Any) -> None:
    """Source: fact dpi-sip (SIP over TLS is invisible); RFC 3261 section 19.1.2 (port 5061)."""
    when = {"tls.sni": {"suffix": ["voip.example"]}, "server.port": [5061]}
    talk = Talk(policy(when, {"drop": "flow"}))
    assert talk.connection(port=5061, sport=50001).say(hello("sip.voip.example")).verdict is DROP
    assert talk.connection(port=443, sport=50002).say(hello("sip.voip.example")).verdict is ACCEPT
    assert talk.connection(port=5061, sport=50003).say(hello("sip.free.example")).verdict is ACCEPT
    by_port = Talk(policy({"protocol": "tcp", "server.port": [5061]}, {"drop": "flow"}))
    assert by_port.connection(port=5061, shake=False).segment(flags=2).verdict is DROP


def test_nobody_answers_a_response(Talk: Any) -> None:
    talk = Talk(policy({"sip": True}, {"inject": "sip-response"}))
    talk.udp(TO_PC, port=5060, sport=5060)
    assert talk.udp(BUSY, port=5060, sport=5060, back=True).verdict is ACCEPT
    assert len(talk.forged()) == 1


@pytest.mark.parametrize(
    ("when", "then", "place"),
    [
        ({"sip.status": [99]}, None, "sip.status"),
        ({"sip.status": ["7xx"]}, None, "sip.status"),
        ({"sip.status": [200], "sip.uri": {"prefix": ["sip:"]}}, None, "sip.uri"),
        ({"sip.status": [200]}, {"inject": "sip-cancel"}, "inject"),
        ({"sip.method": ["INVITE"]}, {"inject": "syn-ack"}, "inject"),
    ],
)
def test_what_cannot_be_meant(when: dict[str, Any], then: Any, place: str) -> None:
    with pytest.raises(InvalidPolicy, match=place.replace(".", r"\.")):
        load(policy(when, then))


# --- forged ends, later -----------------------------------------------------------------------

ACKED = sip("ACK sip:b@x.example SIP/2.0", method="ACK")


def test_a_bye_comes_so_many_seconds_after_the_call_began(Talk: Any) -> None:
    """Source: fact voip-interference-menu (cut at n seconds)."""
    then = {"inject": "sip-bye", "after": "20 s", "latency": "3 ms"}
    talk = Talk(policy({"sip.method": ["ACK"]}, then))
    for message, back in ((TO_PC, False), (ANSWER, True), (ACKED, False)):
        talk.udp(message, port=5060, sport=5060, back=back)
    to_caller, to_callee = talk.log[-1][2].injections
    assert [one.after for one in (to_caller, to_callee)] == [20.003, 20.003]
    assert to_caller.data[28:].startswith(b"BYE sip:")
    assert talk.events()[-1].detail["after"] == 20.003


def test_the_answer_itself_may_draw_the_bye(Talk: Any) -> None:
    talk = Talk(policy({"sip.status": ["2xx"], "sip.method": ["INVITE"]}, {"inject": "sip-bye"}))
    talk.udp(TO_PC, port=5060, sport=5060)
    talk.udp(ANSWER, port=5060, sport=5060, back=True)
    assert [b"BYE" in packet.payload[:4] for packet in talk.forged()] == [True, True]


def test_a_cancel_lets_it_ring_for_a_while(Talk: Any) -> None:
    talk = Talk(policy({"sip.method": ["INVITE"]}, {"inject": "sip-cancel", "after": 5}))
    (sent,) = talk.udp(TO_PC, port=5060, sport=5060).injections
    assert (sent.after, b"CANCEL sip:bob@x.example" in sent.data) == (5.0, True)
