"""Memories: found by their key, gone at their own time, never more than allowed."""

from __future__ import annotations

from math import inf
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP

from censor.engine.decision import Verdict
from censor.interfere.residual import Memories, Memory, key, spell
from censor.rule.act import Residual
from censor.rule.rules import Ends

ENDS = Ends(6, b"\x0a\0\0\1", 4000, b"\x08\x08\x08\x08", 80, True)
NINETY = Residual("3-tuple", 90.0, False, True, ())


def memory(until: float, port: int = 80, seconds: float = 90.0) -> Memory:
    ends = Ends(6, ENDS.client, 4000, ENDS.server, port, True)
    return Memory(
        key("3-tuple", ends), "rule", until, Residual("3-tuple", seconds, False, True, ())
    )


def test_keys_leave_out_the_ports_they_do_not_hold() -> None:
    other = Ends(6, ENDS.client, 4001, ENDS.server, 80, True)
    elsewhere = Ends(6, ENDS.client, 4000, ENDS.server, 81, True)
    assert key("3-tuple", ENDS) == key("3-tuple", other) != key("3-tuple", elsewhere)
    assert key("pair", ENDS) == key("pair", elsewhere)
    assert key("4-tuple", ENDS) != key("4-tuple", other)
    assert spell(key("pair", ENDS)) == {
        "kind": "pair", "protocol": 6, "client": "10.0.0.1", "server": "8.8.8.8",
    }  # fmt: skip


def test_forgets_in_the_order_of_time_and_not_before() -> None:
    memories = Memories(10)
    late, soon = memory(20.0, 1), memory(10.0, 2)
    memories.set(late)
    memories.set(soon)
    assert memories.next == 10.0
    assert list(memories.expire(9.999)) == []
    assert list(memories.expire(30.0)) == [soon, late]
    assert memories.next == inf
    assert memories.find([late.key, soon.key]) is None


def test_a_renewed_memory_outlives_its_first_time() -> None:
    memories = Memories(10)
    one = memory(90.0)
    memories.set(one)
    memories.renew(one, 50.0)
    assert list(memories.expire(90.0)) == []
    assert memories.next == 140.0
    assert list(memories.expire(140.0)) == [one]


def test_a_memory_set_anew_has_the_new_time_even_if_it_is_shorter() -> None:
    memories = Memories(10)
    memories.set(memory(90.0))
    short = memory(20.0)
    memories.set(short)
    assert list(memories.expire(20.0)) == [short]
    assert list(memories.expire(1000.0)) == []
    assert len(memories) == 0


def test_the_oldest_goes_when_there_is_no_room() -> None:
    memories = Memories(2)
    first = memory(90.0, 1)
    assert memories.set(first) is None
    assert memories.set(memory(90.0, 2)) is None
    assert memories.set(memory(91.0, 2)) is None
    assert memories.set(memory(90.0, 3)) is first
    assert len(memories) == 2


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 50)), max_size=200))
def test_what_is_kept_stays_bounded_however_often_it_is_set(
    steps: list[tuple[int, int]],
) -> None:
    memories = Memories(3)
    now = 0.0
    alive: dict[int, float] = {}
    for port, seconds in steps:
        now += 1
        for gone in memories.expire(now):
            assert alive.pop(gone.key[-1]) == gone.until <= now
        evicted = memories.set(memory(now + seconds, port))
        if evicted is not None:
            del alive[evicted.key[-1]]
        alive[port] = now + seconds
        assert len(memories) == len(alive) <= 3
        assert len(memories._heap) <= 2 * 3 + 65
    assert all(until > now for until in alive.values())


# --- as transcripts ---------------------------------------------------------------------------


def remembering(position: str = "on-path", **residual: Any) -> dict[str, Any]:
    act = {"inject": "reset", "residual": {"seconds": 90, **residual}}
    rule = {"id": "r", "when": {"tls.sni": {"suffix": ["blocked.example"]}}, "then": act}
    return {"position": position, "rules": [rule]}


def test_a_memory_may_begin_some_time_after_it_was_set(Talk: Any, hello: Any) -> None:
    talk = Talk(remembering(after="5 s"))
    old = talk.connection(port=443, sport=50001)
    assert old.say(hello("free.example")).settled
    talk.connection(port=443).say(hello("blocked.example"))
    event = next(one for one in talk.events() if one.event == "residual")
    begin = event.t + 5
    assert (event.detail["since"], event.detail["until"]) == (begin, begin + 90)
    talk.now = begin - 0.2
    assert not old.say(b"still").injections
    talk.now = begin
    assert old.say(b"now").injections  # although it was settled before
    talk.now = begin + 90
    assert not old.say(b"over").injections


def test_what_has_begun_goes_on_when_it_is_set_again(Talk: Any, hello: Any) -> None:
    talk = Talk(remembering(after=5))
    talk.connection(port=443).say(hello("blocked.example"))
    talk.now += 6
    talk.connection(port=443, sport=50001).say(hello("blocked.example"))
    third = talk.connection(port=443, sport=50002)
    assert third.say(hello("free.example")).injections


def test_who_is_told_what_by_a_memory(Talk: Any, hello: Any) -> None:
    then = [{"inject": "reset", "toward": "client", "flags": "R"},
            {"drop": "packet", "toward": "server"}]  # fmt: skip
    talk = Talk(remembering("in-path", then=then))
    talk.connection(port=443).say(hello("blocked.example"))
    before = len(talk.forged())
    tcp = talk.connection(port=443, sport=50001)
    decision = tcp.say(hello("free.example"))
    assert decision.verdict is Verdict.DROP
    assert [(one.inward, one.data[33]) for one in decision.injections] == [(True, 4)]
    assert tcp.say(b"answer", back=True).verdict is Verdict.ACCEPT
    assert [packet.flags for packet in talk.forged()[before:]] == [4, 4]


def test_classic_type_2_answers_a_syn_with_a_wrong_number(Talk: Any, get: Any) -> None:
    """Source: fact cn-rst-type1-type2-classic."""
    again = {"inject": "reset", "profile": "gfw-classic-type-2"}
    greeting = {"inject": "syn-ack", "profile": "gfw-classic-type-2-syn"}
    rule = {
        "id": "type-2",
        "when": {"http.host": {"suffix": ["blocked.example"]}},
        "then": {**again, "residual": {"seconds": 90, "then": [again, greeting]}},
    }
    talk = Talk({"position": "on-path", "rules": [rule]})
    talk.connection().say(get("blocked.example"))
    tcp = talk.connection(sport=50001, shake=False)
    decision = tcp.segment(flags=2)
    (injection,) = decision.injections
    packet = IP(injection.data)
    assert injection.inward
    assert (packet.src, packet.dst) == (talk.server, talk.client)
    assert (packet.sport, packet.dport, str(packet[TCP].flags)) == (80, 50001, "SA")
    assert packet[TCP].ack == tcp.seq  # what a client accepts
    assert packet[TCP].seq != tcp.ack  # and what its server never said
    assert decision.events[-1].detail["toward"] == "client"
    assert not tcp.segment(flags=18, back=True).injections
    six = tcp.say(get("free.example")).injections
    assert [IP(one.data)[TCP].flags for one in six] == ["RA"] * 6
    following = [IP(i.data).ttl for _, _, d in talk.log for i in d.injections if i.data[33] == 18]
    assert following == [64]


def test_a_rule_may_greet_every_caller(Talk: Any) -> None:
    when = {"protocol": "tcp", "server.port": [23], "tcp.flags": ["S"]}
    rule = {"id": "r", "when": when, "then": {"inject": "syn-ack", "request": "drop"}}
    talk = Talk({"position": "in-path", "rules": [rule]})
    decision = talk.connection(port=23, shake=False).segment(flags=2)
    assert (decision.verdict, len(decision.injections)) == (Verdict.DROP, 1)
    assert IP(decision.injections[0].data)[TCP].window == 64240
    assert not talk.connection(port=23, shake=False, sport=50009).segment(flags=18).injections
