"""Hoards as transcripts: many flows that never finish a message, and what the box keeps of them."""

from __future__ import annotations

from typing import Any

import pytest

from censor.engine.budget import Budget, kept

BLOCKED: dict[str, Any] = {"suffix": ["blocked.example"]}
RULE: dict[str, Any] = {"id": "host", "when": {"http.host": BLOCKED}, "then": {"inject": "reset"}}
QUIC: dict[str, Any] = {"id": "quic", "when": {"dtls.sni": BLOCKED}, "then": {"drop": "packet"}}


def policy(limit: int) -> dict[str, Any]:
    return {"position": "in-path", "rules": [RULE, QUIC], "limits": {"buffers": limit}}


def test_all_flows_together_keep_no_more_than_the_limit(Talk: Any) -> None:
    talk = Talk(policy(10_000))
    for port in range(50_000, 50_050):
        talk.connection(sport=port).say(b"GET / HTTP/1.1\r\nX: " + b"a" * 1_000)
        assert talk.engine._budget.total <= 10_000
        assert sum(map(kept, talk.engine._table.flows())) <= 10_000
    gone = [event for event in talk.events() if event.event == "evicted"]
    assert [event.flow["client_port"] for event in gone] == list(range(50_000, 50_041))
    assert {(event.detail["what"], event.detail["limit"]) for event in gone} == {("stream", 10_000)}


def test_what_comes_ahead_of_a_gap_counts_too(Talk: Any) -> None:
    talk = Talk(policy(20_000))
    one = talk.connection()
    one.say(b"GET / ")
    one.segment(b"x", seq=one.seq + 12_000)
    assert talk.engine._budget.total > 12_000


def test_who_loses_what_was_said_is_read_no_more_and_the_others_are(Talk: Any) -> None:
    talk = Talk(policy(3_000))
    one, two = talk.connection(sport=50_001), talk.connection(sport=50_002)
    for tcp in (one, two):
        tcp.say(b"GET / HTTP/1.1\r\nX: " + b"a" * 2_000)
    ending = b"\r\nHost: blocked.example\r\n\r\n"
    assert one.say(ending).injections == ()
    assert len(two.say(ending).injections) == 2


def test_what_is_settled_or_forgotten_is_not_counted(Talk: Any, get: Any) -> None:
    talk = Talk({**policy(9_000), "limits": {"flows": 2, "idle": 60}})
    for port in range(50_000, 50_010):
        talk.connection(sport=port).say(b"GET / HTTP/1.1\r\nX: " + b"a" * 1_000)
        talk.connection(sport=port, port=8080).say(get("free.example"))
    assert talk.engine._budget.total <= 1_100
    talk.now += 100
    talk.connection(sport=60_000).say(get("free.example"))
    assert talk.engine._budget.total == 0


@pytest.mark.parametrize("again", [1, 2, 9])
def test_a_flow_is_counted_once_however_often_it_speaks(Talk: Any, again: int) -> None:
    talk = Talk(policy(1_000_000))
    one = talk.connection()
    one.say(b"GET / HTTP/1.1\r\n")
    for _ in range(again):
        one.say(b"a: b\r\n")
    assert talk.engine._budget.total == 16 + 6 * again


def test_an_empty_hoard_forgets_nothing(Talk: Any) -> None:
    budget = Budget(1)
    state = next(iter((talk := Talk(policy(9))).connection() and talk.engine._table.flows()))
    budget.forget(state)
    assert budget.note(state) == []
    assert budget.total == 0


def test_what_is_read_no_more_is_not_counted_though_the_flow_goes_on(Talk: Any) -> None:
    talk = Talk(policy(9_000))
    for start in (0, 300):
        piece = b"\1" + b"\0\2\x58" + b"\0\0" + start.to_bytes(3, "big") + b"\0\1\x2c" + bytes(300)
        record = b"\x16\xfe\xff" + bytes(8) + len(piece).to_bytes(2, "big") + piece
        talk.udp(record, port=4433)
        assert (talk.engine._budget.total > 0) is (start == 0)
