"""Calls before the law: what rules see of SIP, as transcripts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from censor.engine.decision import Verdict
from censor.engine.engine import Engine
from censor.policy.loader import InvalidPolicy, load
from censor.rule.rules import App

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


# --- applications by their bytes --------------------------------------------------------------


def test_skype_s_login_of_2005_is_stopped_by_its_server_s_answer(Talk: Any, hello: Any) -> None:
    """Source: fact dpi-skype-login-sig."""
    talk = Talk(policy({"signature": ["skype-login"], "server.port": [80, 443, 33033]}))
    tcp = talk.connection(port=33033)
    assert tcp.say(bytes.fromhex("1703010000"), back=True).verdict is DROP
    tcp.ack -= 5
    assert tcp.say(bytes.fromhex("1703010000"), back=True).verdict is DROP  # sent again
    real = talk.connection(port=443, sport=50001)
    real.say(hello("www.example.org"))
    assert real.say(b"\x16\x03\x03\0\x04abcd", back=True).verdict is ACCEPT
    assert real.say(bytes.fromhex("1703010020") + bytes(32), back=True).verdict is ACCEPT
    assert talk.events()[0].trigger == {"signature": ["skype-login"]}


def test_naive_skype_rule_looks_at_four_datagrams(Talk: Any) -> None:
    """Source: fact dpi-skype-udp-som."""
    when = {"signature": ["skype-udp"], "not": {"server.port": [80, 1119]}}
    probe = b"\x12\x34\x02" + bytes(13)
    talk = Talk(policy(when, {"drop": "flow"}))
    assert talk.udp(probe, port=33033, back=False).verdict is DROP
    assert talk.udp(b"anything", port=33033, back=True).verdict is DROP
    assert talk.udp(probe, port=1119, sport=40001).verdict is ACCEPT
    for n in range(4):
        settled = talk.udp(b"other %d" % n, port=33033, sport=40002, back=n % 2 == 1).settled
        assert settled is (n == 3)
    assert talk.udp(probe, port=33033, sport=40002).verdict is ACCEPT


def test_calls_dead_while_chat_lives(Talk: Any) -> None:
    """Source: fact dpi-whatsapp."""
    chat = bytes.fromhex("4544000100000408")
    calls = Talk(policy({"stun.application": ["whatsapp"]}, {"drop": "flow"}))
    assert calls.connection(port=443).say(chat).verdict is ACCEPT
    chats = Talk(policy({"signature": ["whatsapp-chat"]}, {"inject": "reset"}))
    assert [p.flags & 4 for p in (chats.connection(port=443).say(chat), chats.forged())[1]] == [
        4,
        4,
    ]


# --- what a relay carries ---------------------------------------------------------------------


def rtp(number: int) -> bytes:
    return (
        b"\x80\0" + number.to_bytes(2, "big") + (160 * number).to_bytes(4, "big") + b"\0\0\0\7"
        + bytes(160)
    )  # fmt: skip


def channel(data: bytes) -> bytes:
    return b"\x40\x01" + len(data).to_bytes(2, "big") + data


def indication(data: bytes, kind: int) -> bytes:
    body = b"\0\x13" + len(data).to_bytes(2, "big") + data + bytes(-len(data) % 4)
    head = kind.to_bytes(2, "big") + len(body).to_bytes(2, "big")
    return head + b"\x21\x12\xa4\x42" + bytes(12) + body


@pytest.mark.parametrize("wrap", [channel, lambda data: indication(data, 0x0016)])
def test_media_through_a_relay(Talk: Any, wrap: Any) -> None:
    """Source: RFC 7983, RFC 8656; fact dpi-sip (ChannelData is looked into)."""
    for looks, expected in ((True, [ACCEPT, ACCEPT, DROP, DROP]), (False, [ACCEPT] * 4)):
        talk = Talk(policy({"rtp": True}, stun={"relayed": looks}))
        found = [talk.udp(wrap(rtp(n)), port=3478).verdict for n in range(4)]
        assert found == expected


def test_sip_in_a_channel_and_the_relay_itself(Talk: Any) -> None:
    """Source: fact dpi-sip."""
    rules = [
        {"id": "sip", "when": {"sip.method": ["INVITE"]}, "then": {"drop": "packet"}},
        {"id": "turn", "when": {"stun.turn": True}, "then": {"drop": "packet"}, "chance": 1e-9},
    ]
    talk = Talk({"position": "in-path", "stun": {"relayed": True}, "rules": rules})
    assert talk.udp(channel(TO_PC), port=3478).verdict is DROP
    assert [(one.event, one.rule) for one in talk.events()] == [
        ("matched", "turn"), ("matched", "sip"), ("dropped", "sip"),
    ]  # fmt: skip
    assert talk.udp(channel(ACKED), port=3478).verdict is ACCEPT
    elsewhere = {"relayed": True, "ports": [3478]}
    talk = Talk({"position": "in-path", "stun": elsewhere, "rules": rules[:1]})
    assert talk.udp(channel(TO_PC), port=3479).verdict is ACCEPT


def test_no_datagram_is_a_relays_where_stun_is_looked_for_over_tcp_alone(Talk: Any) -> None:
    """A document that says so is refused: tests/censor/policy/test_disuse.py."""
    rule = {"id": "sip", "when": {"sip.method": ["INVITE"]}, "then": {"drop": "packet"}}
    talk = Talk({"position": "in-path", "stun": {"relayed": True}, "rules": [rule]})
    compiled = load(talk.document)
    reading = replace(compiled.readings[App.STUN], protocols=frozenset({6}))
    readings = {**compiled.readings, App.STUN: reading}
    talk.engine = Engine(replace(compiled, readings=readings))
    assert talk.udp(channel(TO_PC), port=3478).verdict is ACCEPT


# --- media in streams -------------------------------------------------------------------------


def frame(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


OVER_TCP: dict[str, Any] = {"rtp": {"over": ["udp", "tcp"]}}


def test_media_over_tcp(Talk: Any) -> None:
    """Source: fact dpi-rtp (RFC 4571 framed TCP)."""
    talk = Talk(policy({"rtp": True}, {"drop": "flow"}, **OVER_TCP))
    tcp = talk.connection(port=5004)
    assert tcp.say(frame(rtp(1)) + frame(rtp(2))[:9]).verdict is ACCEPT
    assert tcp.say(frame(rtp(2))[9:]).verdict is ACCEPT
    assert tcp.say(frame(rtp(3))).verdict is DROP
    assert talk.events()[0].trigger == {"rtp": 0}


def test_media_over_tcp_that_the_server_sends(Talk: Any) -> None:
    talk = Talk(policy({"rtp": True}, {"police": "12 kbit/s", "burst": "1 kB"}, **OVER_TCP))
    tcp = talk.connection(port=5004)
    tcp.say(frame(b"\0\1\0\0\x21\x12\xa4\x42" + bytes(12)))  # a check of ICE comes first: RFC 6544
    verdicts = [tcp.say(frame(rtp(n)), back=True).verdict for n in range(200)]
    assert verdicts[:2] == [ACCEPT, ACCEPT]
    assert verdicts.count(DROP) > 150  # beyond what a stream is kept of, too


def test_reports_over_tcp(Talk: Any) -> None:
    talk = Talk(policy({"rtcp": True}, **OVER_TCP))
    tcp = talk.connection(port=5004)
    for n in range(3):
        tcp.say(frame(rtp(n)))
    assert tcp.say(frame(rtp(3))).verdict is ACCEPT
    assert tcp.say(frame(b"\x80\xc9\0\1\0\0\0\7")).verdict is DROP


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\0\1\0\1", b"\0\0", b"\0\x0c\x80\x50" * 9]
)
def test_other_streams_are_settled_soon(Talk: Any, data: bytes) -> None:
    talk = Talk(policy({"rtp": True}, **OVER_TCP))
    tcp = talk.connection(port=5004)
    for _ in range(100):
        if tcp.say(data).settled:
            break
    assert talk.log[-1][2].settled
    assert talk.words() == []
    assert not Talk(policy({"rtp": True})).connection(port=5004).say(data).injections
