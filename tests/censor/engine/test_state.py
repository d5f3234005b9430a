"""Cases as transcripts: when a flow is settled, and when it is not."""

from __future__ import annotations

from typing import Any

import pytest

from censor.engine.decision import Verdict

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


@pytest.mark.parametrize(
    ("payload", "settled"),
    [(b"SSH-2.0-x\r\n", True), (b"GET / HT", False), (b"\x16\x03\x01\x02\0\1", False),
     (b"GET / HTTP/1.1\r\nHost: free.example\r\n\r\n", True)],
)  # fmt: skip
def test_a_connection_settles_once_nothing_can_match(
    policy: Any, HOST: Any, SNI: Any, Talk: Any, payload: bytes, settled: bool
) -> None:
    talk = Talk(policy(HOST, SNI))
    tcp = talk.connection()
    assert not any(decision.settled for _, _, decision in talk.log)
    assert tcp.say(payload).settled is settled
    assert tcp.segment(b"x" * 1000, back=True).settled is settled


def test_what_no_rule_can_reach_is_settled_at_once(
    policy: Any, HOST: Any, Talk: Any, query: Any
) -> None:
    talk = Talk(policy({**HOST, "when": {**HOST["when"], "server.port": [80]}}))
    assert talk.udp(b"x", port=5000).settled
    assert talk.connection(port=81, shake=False).segment(flags=SYN).settled
    assert not talk.connection(port=80, shake=False, sport=50001).segment(flags=SYN).settled


def test_rules_about_every_packet_keep_their_flows(policy: Any, Talk: Any) -> None:
    rule = {"when": {"server.port": [9]}, "then": {"drop": "packet"}, "chance": 0.5}
    talk = Talk(policy(rule, position="in-path"), seed=1)
    assert not any(talk.udp(b"x", port=9).settled for _ in range(50))
    assert talk.udp(b"x", port=10).settled


def test_datagrams_nobody_knows_are_given_up_on(
    policy: Any, BLOCKED: Any, Talk: Any, invite: Any
) -> None:
    rule = {"when": {"sip.host": BLOCKED}, "then": {"drop": "packet"}}
    talk = Talk(policy(rule, position="in-path"))
    assert [talk.udp(b"\x80\0rtp", port=4000).settled for _ in range(9)] == [False] * 7 + [True] * 2
    sip = [talk.udp(invite("free.example"), port=5060).settled for _ in range(20)]
    assert sip == [False] * 20


def test_a_telephone_may_be_silent_for_long_between_two_calls(
    policy: Any, Talk: Any, invite: Any
) -> None:
    rule = {"when": {"sip.method": ["INVITE"]}, "then": {"drop": "packet"}}
    talk = Talk(policy(rule, position="in-path"))
    talk.udp(invite("free.example"), port=5060, sport=5060)
    kept = [talk.udp(b"\r\n\r\n", port=5060, sport=5060).settled for _ in range(20)]
    assert not any(kept)
    call = invite("free.example", method="INVITE")
    assert talk.udp(call, port=5060, sport=5060).verdict is Verdict.DROP


def test_a_request_behind_a_long_answer_is_read_segment_by_segment_too(
    policy: Any, HOST: Any, Talk: Any, get: Any
) -> None:
    tcp = {"profile": "stateless"}
    talk = Talk(policy(HOST, tcp=tcp, http={"requests": "all"}))
    one = talk.connection()
    one.say(get("free.example"))
    for _ in range(20):
        assert not one.say(b"x" * 1000, back=True).settled
    one.say(get("blocked.example"))
    assert talk.words() == ["matched", "injected", "injected"]


def test_a_server_that_speaks_first_is_no_web_server(policy: Any, HOST: Any, Talk: Any) -> None:
    talk = Talk(policy(HOST))
    tcp = talk.connection(port=25)
    assert [tcp.say(b"220 hi\r\n", back=True).settled for _ in range(8)][-1]


def test_a_new_connection_on_settled_ports_is_asked_about(
    policy: Any, HOST: Any, Talk: Any, get: Any
) -> None:
    talk = Talk(policy(HOST))
    first = talk.connection()
    assert first.say(get("free.example")).settled
    first.segment(flags=RST)
    again = talk.connection()
    again.seq = 5000
    again.shake()
    assert not talk.log[-1][2].settled
    assert again.say(get("blocked.example")).injections
