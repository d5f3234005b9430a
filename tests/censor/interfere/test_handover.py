"""Connections of names that are meant go to somebody else; others, and their bytes, do not."""

from __future__ import annotations

from typing import Any

from censor.engine.decision import Verdict
from censor.rule.takeover import Forgery

FORGERY = Forgery("Qaznet Trust Network")
MITM = {
    "position": "in-path",
    "rules": [
        {
            "id": "mitm",
            "when": {"tls.sni": {"exact": ["blocked.example"]}},
            "then": {"intercept": "tls", "issuer": "Qaznet Trust Network"},
        }
    ],
}


def test_the_engine_takes_a_named_connection_over_and_no_other(Talk: Any, hello: Any) -> None:
    talk = Talk(MITM)
    talk.connection(port=443, sport=50001).say(hello("free.example"))
    assert talk.words() == []
    said = hello("blocked.example")
    tcp = talk.connection(port=443)
    decision = tcp.say(said)
    assert decision.verdict is Verdict.DROP
    found = decision.takeover
    assert (found.received, found.first, found.next) == (said, 1001, 9001)
    assert found.forgery == FORGERY
    assert talk.words() == ["matched", "intercepted", "injected"]
    (farewell,) = talk.forged()
    assert (farewell.seq, farewell.dport, farewell.flags) == (1001, 443, 0x14)
    assert decision.injections[0].inward is False


def test_a_hello_over_segments_is_had_whole(Talk: Any, hello: Any) -> None:
    talk = Talk(MITM)
    said = hello("blocked.example")
    tcp = talk.connection(port=443)
    assert tcp.say(said[:100]).verdict is Verdict.ACCEPT
    found = tcp.say(said[100:]).takeover
    assert (found.received, found.first) == (said, 1001)
    (farewell,) = talk.forged()
    assert farewell.seq == 1101  # what the server has had is the first segment


def test_what_the_server_still_says_does_not_arrive(Talk: Any, hello: Any) -> None:
    talk = Talk(MITM)
    tcp = talk.connection(port=443)
    tcp.say(hello("blocked.example"))
    assert tcp.say(b"late", back=True).verdict is Verdict.DROP
    assert tcp.say(hello("blocked.example")).takeover is None


def test_what_cannot_be_done_is_said(Talk: Any, hello: Any) -> None:
    talk = Talk(MITM)
    tcp = talk.connection(port=443, shake=False)
    tcp.segment(flags=2)
    assert tcp.say(hello("blocked.example")).verdict is Verdict.ACCEPT
    assert talk.words() == ["matched", "unable"]
    assert talk.events()[-1].detail["reason"] == "the handshake was not seen in both directions"


def test_without_joining_a_split_hello_evades(Talk: Any, hello: Any) -> None:
    talk = Talk({**MITM, "tcp": {"reassemble": False}})
    said = hello("blocked.example")
    tcp = talk.connection(port=443)
    tcp.say(said[:5])
    assert tcp.say(said[5:]).takeover is None
    assert talk.connection(port=443, sport=50002).say(said).takeover.received == said
