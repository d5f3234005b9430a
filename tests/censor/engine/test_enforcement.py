"""Acts as transcripts: what is dropped, and what stays dropped."""

from __future__ import annotations

from typing import Any

from censor.engine.decision import Verdict

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
ACCEPT, DROP = Verdict.ACCEPT, Verdict.DROP


def test_drops_every_packet_of_an_address(policy: Any, Talk: Any, query: Any) -> None:
    rule = {"when": {"server.address": ["93.184.0.0/16"]}, "then": {"drop": "packet"}}
    talk = Talk(policy(rule, position="in-path"))
    for _ in range(3):
        assert talk.udp(query("a.example")).verdict is DROP
    assert talk.connection().segment().verdict is DROP
    assert talk.words().count("matched") == 2  # once a flow
    assert talk.words().count("dropped") == len(talk.log)
    free = Talk(policy(rule, position="in-path"), server="93.185.0.1")
    assert free.udp(query("a.example")).verdict is ACCEPT


def test_drops_toward_one_end(policy: Any, Talk: Any) -> None:
    rule = {"when": {"server.port": [443]}, "then": {"drop": "packet", "toward": "client"}}
    talk = Talk(policy(rule, position="in-path"))
    tcp = talk.connection(port=443)
    assert talk.verdicts() == [ACCEPT, DROP, ACCEPT]
    tcp.segment(flags=SYN | ACK, back=True)
    assert talk.verdicts()[-1] is DROP
    assert {e.detail.get("toward") for e in talk.events() if e.event == "dropped"} == {"client"}


def test_a_dropped_request_stays_dropped_when_it_is_repeated(
    policy: Any, HOST: Any, Talk: Any, get: Any
) -> None:
    talk = Talk(policy({**HOST, "then": {"drop": "packet"}}, position="in-path"))
    tcp = talk.connection()
    request = get("blocked.example")
    start = tcp.seq
    tcp.say(request[:10])
    assert tcp.say(request[10:]).verdict is DROP
    for seq, piece in ((start + 10, request[10:]), (start, request), (start + 20, request[20:])):
        assert tcp.segment(piece, PSH | ACK, seq=seq).verdict is DROP
    assert tcp.segment().verdict is ACCEPT  # acknowledgments pass
    assert tcp.segment(b"x", back=True).verdict is ACCEPT
    assert talk.words() == ["matched"] + ["dropped"] * 4


def test_drops_a_flow_from_then_on(policy: Any, SNI: Any, Talk: Any, hello: Any) -> None:
    talk = Talk(policy({**SNI, "then": {"drop": "flow"}}, position="in-path"))
    tcp = talk.connection(port=443)
    assert tcp.say(hello("blocked.example")).verdict is DROP
    assert tcp.segment().verdict is DROP
    assert tcp.segment(b"x", back=True).verdict is DROP
    assert talk.connection(port=443, sport=50001).say(hello("free.example")).verdict is ACCEPT


def test_drops_the_answers_of_a_flow(policy: Any, SNI: Any, Talk: Any, hello: Any) -> None:
    talk = Talk(policy({**SNI, "then": {"drop": "flow", "toward": "client"}}, position="in-path"))
    tcp = talk.connection(port=443)
    assert tcp.say(hello("blocked.example")).verdict is ACCEPT
    assert tcp.segment(b"x", back=True).verdict is DROP
    assert tcp.segment().verdict is ACCEPT


def test_drops_datagrams_by_name(policy: Any, BLOCKED: Any, Talk: Any, query: Any) -> None:
    rule = {"when": {"dns.name": BLOCKED, "dns.qtype": ["AAAA"]}, "then": {"drop": "packet"}}
    talk = Talk(policy(rule, position="in-path"))
    assert talk.udp(query("blocked.example", 28)).verdict is DROP
    assert talk.udp(query("blocked.example", 1)).verdict is ACCEPT
    assert talk.udp(query("blocked.example", 28)).verdict is DROP
