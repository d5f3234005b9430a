"""Calls that end by forgery, as transcripts: responses, BYE and CANCEL, header by header."""

from __future__ import annotations

from typing import Any

import pytest

from censor.dissect import sip
from censor.engine.decision import Verdict
from censor.interfere import telephony

RST, ACK, FIN = 4, 16, 1
CALLER = "24.48.0.2"
DROPPED, ACCEPT = Verdict.DROP, Verdict.ACCEPT


def policy(then: Any, methods: list[str], position: str = "in-path") -> dict[str, Any]:
    rule = {"id": "r", "when": {"sip.method": methods}, "then": then}
    return {"position": position, "rules": [rule]}


def request(method: str, *, number: int = 7, tag: str = "", via: str = ";rport",
            more: str = "") -> bytes:  # fmt: skip
    return (
        f"{method} sip:bob@pbx.example SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {CALLER}:5070;branch=z9hG4bKabc{via}\r\n"
        "v: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKinner\r\n"
        'From: "Alice" <sip:alice@pbx.example>;tag=a1\r\n'
        f"To: <sip:bob@pbx.example>{tag}\r\n"
        f"Call-ID: call-1@{CALLER}\r\nCSeq: {number} {method}\r\n"
        f"Contact: <sip:alice@{CALLER}:5070>\r\nMax-Forwards: 70\r\n{more}Content-Length: 0\r\n\r\n"
    ).encode()


OK = (
    "SIP/2.0 200 OK\r\n"
    f"Via: SIP/2.0/UDP {CALLER}:5070;branch=z9hG4bKabc\r\n"
    "Record-Route: <sip:p2.example;lr>\r\nRecord-Route: <sip:p1.example;lr>\r\n"
    'From: "Alice" <sip:alice@pbx.example>;tag=a1\r\n'
    "To: <sip:bob@pbx.example>;tag=b2\r\n"
    f"Call-ID: call-1@{CALLER}\r\nCSeq: 7 INVITE\r\n"
    "Contact: <sip:bob@192.0.2.7:5080>\r\nContent-Length: 0\r\n\r\n"
).encode()


def headers(data: bytes) -> dict[str, list[str]]:
    found = sip.dissect(data)
    assert isinstance(found, sip.Request | sip.Response)
    assert found.complete
    assert found.content_length == len(data) - found.body == 0
    made: dict[str, list[str]] = {}
    for name, value in found.headers:
        made.setdefault(name, []).append(value)
    return made


@pytest.mark.parametrize("method", ["REGISTER", "INVITE"])
@pytest.mark.parametrize(
    ("status", "reason", "line"),
    [
        (403, None, b"403 Forbidden"),
        (503, None, b"503 Service Unavailable"),
        (699, "No", b"699 No"),
    ],
)
def test_a_forged_response_is_the_one_awaited(
    Talk: Any, method: str, status: int, reason: str | None, line: bytes
) -> None:
    act = {"inject": "sip-response", "status": status} | ({"reason": reason} if reason else {})
    talk = Talk(policy(act, [method]))
    assert talk.udp(request(method), port=5060, sport=5070).verdict is DROPPED
    (packet,) = talk.forged(inward=True)
    assert (packet.sport, packet.dport) == (5060, 5070)
    assert packet.payload.startswith(b"SIP/2.0 " + line + b"\r\n")
    found = headers(packet.payload)
    assert found["Via"] == [
        f"SIP/2.0/UDP {CALLER}:5070;branch=z9hG4bKabc;received={CALLER};rport=5070",
        "SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKinner",
    ]
    assert found["From"] == ['"Alice" <sip:alice@pbx.example>;tag=a1']
    assert found["To"][0].startswith("<sip:bob@pbx.example>;tag=")
    assert len(found["To"][0]) > len("<sip:bob@pbx.example>;tag=")
    assert found["Call-ID"] == [f"call-1@{CALLER}"]
    assert found["CSeq"] == [f"7 {method}"]
    assert talk.words() == ["matched", "injected", "dropped"]


def test_without_rport_it_goes_to_via_s_own_port(Talk: Any) -> None:
    talk = Talk(policy({"inject": "sip-response"}, ["OPTIONS"]))
    talk.udp(request("OPTIONS", via=""), port=5060, sport=40000)
    (packet,) = talk.forged()
    assert packet.dport == 5070
    assert headers(packet.payload)["Via"][0] == f"SIP/2.0/UDP {CALLER}:5070;branch=z9hG4bKabc"


def test_a_tag_that_is_there_stays_and_an_ack_has_no_response(Talk: Any) -> None:
    talk = Talk(policy({"inject": "sip-response"}, ["BYE", "ACK"]))
    talk.udp(request("BYE", tag=";tag=b2"), port=5060)
    (packet,) = talk.forged()
    assert headers(packet.payload)["To"] == ["<sip:bob@pbx.example>;tag=b2"]
    talk.udp(request("ACK"), port=5060)
    assert len(talk.forged()) == 1


def test_over_tcp_the_connection_ends_with_the_response(Talk: Any) -> None:
    talk = Talk(policy({"inject": "sip-response", "status": 503}, ["REGISTER"]))
    tcp = talk.connection(port=5060)
    begin = tcp.seq
    assert tcp.say(request("REGISTER")).verdict is DROPPED
    (packet,) = talk.forged(inward=True)
    assert (packet.seq, packet.ack) == (tcp.ack, tcp.seq)
    assert packet.flags & FIN
    assert packet.payload.startswith(b"SIP/2.0 503 ")
    (reset,) = talk.forged(inward=False)
    assert (reset.flags & RST, reset.seq) == (RST, begin)
    assert tcp.segment(flags=FIN | ACK).verdict is DROPPED


def test_requests_of_the_server_are_answered_too(Talk: Any) -> None:
    talk = Talk(policy({"inject": "sip-response", "status": 486}, ["INVITE"]))
    talk.udp(request("OPTIONS"), port=5060, sport=5070)
    talk.udp(request("INVITE"), port=5060, sport=5070, back=True)
    (packet,) = talk.forged(inward=False)
    assert (packet.sport, packet.dport) == (5070, 5060)
    assert packet.payload.startswith(b"SIP/2.0 486 Busy Here\r\n")


def call(talk: Any, *, answer: bytes = OK) -> None:
    """Alice calls and Bob answers; both over one flow, as through a proxy."""
    talk.udp(request("INVITE"), port=5060, sport=5070)
    talk.udp(answer, port=5060, sport=5070, back=True)
    talk.udp(request("ACK", tag=";tag=b2"), port=5060, sport=5070)


def test_a_bye_to_each_end_in_the_other_s_name(Talk: Any) -> None:
    talk = Talk(policy({"inject": "sip-bye"}, ["ACK"], "on-path"))
    call(talk)
    (to_caller,), (to_callee,) = talk.forged(inward=True), talk.forged(inward=False)
    assert (to_caller.sport, to_caller.dport) == (5060, 5070)
    assert to_caller.payload.startswith(f"BYE sip:alice@{CALLER}:5070 SIP/2.0\r\n".encode())
    found = headers(to_caller.payload)
    assert found["From"] == ["<sip:bob@pbx.example>;tag=b2"]
    assert found["To"] == ['"Alice" <sip:alice@pbx.example>;tag=a1']
    assert found["Via"][0].startswith(f"SIP/2.0/UDP {talk.server}:5060;branch=z9hG4bK")
    assert "Route" not in found
    assert (to_callee.sport, to_callee.dport) == (5070, 5060)
    assert to_callee.payload.startswith(b"BYE sip:bob@192.0.2.7:5080 SIP/2.0\r\n")
    other = headers(to_callee.payload)
    assert other["From"] == ['"Alice" <sip:alice@pbx.example>;tag=a1']
    assert other["To"] == ["<sip:bob@pbx.example>;tag=b2"]
    assert other["Via"][0].startswith(f"SIP/2.0/UDP {CALLER}:5070;branch=z9hG4bK")
    assert other["Route"] == ["<sip:p1.example;lr>", "<sip:p2.example;lr>"]
    for one in (found, other):
        assert (one["Call-ID"], one["CSeq"]) == ([f"call-1@{CALLER}"], ["8 BYE"])
    assert found["Via"] != other["Via"]
    assert talk.words() == ["matched", "injected", "injected"]


def test_calls_that_come_in_end_too(Talk: Any) -> None:
    """The flow's server calls: its client is the callee."""
    talk = Talk(policy({"inject": "sip-bye", "toward": "client"}, ["ACK"], "on-path"))
    talk.udp(request("OPTIONS"), port=5060, sport=5070)
    talk.udp(request("INVITE"), port=5060, sport=5070, back=True)
    talk.udp(OK, port=5060, sport=5070)
    talk.udp(request("ACK", tag=";tag=b2"), port=5060, sport=5070, back=True)
    (packet,) = talk.forged(inward=True)
    assert packet.payload.startswith(b"BYE sip:bob@192.0.2.7:5080 SIP/2.0\r\n")


def test_an_unanswered_or_unknown_call_gets_no_bye(Talk: Any) -> None:
    talk = Talk(policy({"inject": "sip-bye"}, ["ACK"], "on-path"))
    call(talk, answer=OK.replace(b"200 OK", b"486 Busy Here"))
    talk.udp(request("ACK"), port=5060, sport=5099)
    assert talk.forged() == []


def test_a_bye_over_tcp_has_the_numbers_the_end_expects(Talk: Any) -> None:
    talk = Talk(policy({"inject": "sip-bye", "toward": "client"}, ["ACK"], "on-path"))
    tcp = talk.connection(port=5060)
    tcp.say(request("INVITE"))
    tcp.say(OK, back=True)
    tcp.say(request("ACK", tag=";tag=b2"))
    (packet,) = talk.forged()
    assert (packet.seq, packet.ack, packet.flags) == (tcp.ack, tcp.seq, ACK | 8)
    assert headers(packet.payload)["Via"][0].startswith("SIP/2.0/TCP ")


@pytest.mark.parametrize("back", [False, True])
def test_a_cancel_goes_where_the_invite_went(Talk: Any, back: bool) -> None:
    talk = Talk(policy({"inject": "sip-cancel"}, ["INVITE"], "on-path"))
    talk.udp(request("OPTIONS"), port=5060, sport=5070)
    talk.udp(request("INVITE", more="Route: <sip:p1.example;lr>\r\n"), port=5060, sport=5070,
             back=back)  # fmt: skip
    (packet,) = talk.forged(inward=back)
    assert packet.payload.startswith(b"CANCEL sip:bob@pbx.example SIP/2.0\r\n")
    found = headers(packet.payload)
    assert found["Via"] == [f"SIP/2.0/UDP {CALLER}:5070;branch=z9hG4bKabc;rport"]
    assert (found["CSeq"], found["To"]) == (["7 CANCEL"], ["<sip:bob@pbx.example>"])
    assert found["Route"] == ["<sip:p1.example;lr>"]


def test_dialogues_are_bounded_and_junk_teaches_nothing() -> None:
    known: telephony.Dialogues = {}
    for n in range(telephony.DIALOGUES + 4):
        data = request("INVITE").replace(b"call-1", f"call-{n}".encode())
        known = telephony.learn(known, data, True)
    assert len(known) == telephony.DIALOGUES
    assert f"call-3@{CALLER}" not in known
    for junk in (b"", b"SIP/2.0 200 OK\r\n\r\n", OK[:99], request("REGISTER"), bytes(99)):
        assert telephony.learn(known, junk, False) is known


def test_policies_without_such_an_act_follow_no_calls(Talk: Any) -> None:
    talk = Talk(policy({"drop": "packet"}, ["BYE"]))
    call(talk)
    (case,) = talk.engine._table.flows()
    assert case.dossier.dialogues == {}


def test_a_call_too_many_to_follow_is_said(Talk: Any) -> None:
    talk = Talk(policy({"inject": "sip-bye"}, ["ACK"]))
    for n in range(17):
        one = request("INVITE").replace(b"call-1@", b"call-%d@" % n)
        talk.udp(one, port=5060, sport=5070)
    (gone,) = [event for event in talk.events() if event.event == "evicted"]
    assert gone.detail == {"what": "call", "call": f"call-0@{CALLER}", "limit": 16}
