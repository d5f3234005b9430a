"""Acts as transcripts: what is dropped, and what stays dropped."""

from __future__ import annotations

from typing import Any

import pytest

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


BEHIND: list[tuple[dict[str, Any], int]] = [
    ({"delay": "300 ms", "for": "2 s"}, 100),
    ({"shape": "80 kbit/s", "burst": 1000, "queue": "1 s", "for": "2 s"}, 200),
]


@pytest.mark.parametrize(("burden", "size"), BEHIND)
@pytest.mark.parametrize("back", [False, True])
def test_no_packet_overtakes_one_that_is_held_when_the_burden_ends(
    policy: Any, SNI: Any, Talk: Any, hello: Any, burden: Any, size: int, back: bool
) -> None:
    talk = Talk(policy({**SNI, "then": burden}, position="in-path"))
    tcp = talk.connection(port=443)
    tcp.say(hello("blocked.example"))
    begin = len(talk.log)
    for _ in range(300):
        tcp.say(bytes(size), back=back)
    log = [(when, one) for when, _, one in talk.log[begin:] if one.verdict is not DROP]
    leaves = [when if one.until is None else one.until for when, one in log]
    assert leaves == sorted(leaves)
    held = [one for _, one in log if one.verdict is Verdict.HOLD]
    assert {one.events[-1].rule for one in held} == {"r0"}
    settled = [when for when, one in log if one.settled]
    assert settled
    assert settled[0] == min(when for when, _ in log if when >= held[-1].until)


def test_an_acknowledgment_stands_in_line_though_nothing_is_borne_any_more(
    policy: Any, SNI: Any, Talk: Any, hello: Any
) -> None:
    rule = {**SNI, "then": {"delay": 1, "for": 2}}
    talk = Talk(policy(rule, position="in-path"))
    tcp = talk.connection(port=443)
    tcp.say(hello("blocked.example"))
    talk.now += 1.95
    until = tcp.segment().until
    assert tcp.segment(back=True).until == pytest.approx(until + 0.01)
    talk.now += 0.1
    other = tcp.segment(back=True).until
    assert [tcp.segment().until, tcp.segment(back=True).until] == [until, other]
    talk.now += 1
    assert tcp.segment().settled
