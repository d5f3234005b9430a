"""Hearings as transcripts: which rule wins, how traffic is read, what memories reach."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from censor.engine.decision import PASS, SETTLED, Verdict
from censor.wire import forge
from censor.wire.packet import parse

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
ACCEPT, DROP = Verdict.ACCEPT, Verdict.DROP


# --- SIP -------------------------------------------------------------------------------------


def test_sip_but_toward_a_carrier_is_dropped(
    policy: Any, CARRIERS: Any, Talk: Any, invite: Any
) -> None:
    talk = Talk(policy(CARRIERS, position="in-path"))
    assert talk.udp(invite("foreign.example"), port=5060, sport=5060).verdict is DROP
    assert talk.udp(invite("foreign.example", method="INVITE"), port=5060).verdict is DROP
    assert talk.udp(invite("voip.carrier.example"), port=5060).verdict is ACCEPT
    assert talk.udp(invite("foreign.example", method="OPTIONS"), port=5060).verdict is ACCEPT
    assert talk.udp(b"SIP/2.0 200 OK\r\n\r\n", port=5060, back=True).verdict is ACCEPT
    assert talk.events()[0].trigger == {"sip.method": "REGISTER", "sip.host": "foreign.example"}


def test_sip_over_tcp_message_by_message(
    policy: Any, CARRIERS: Any, Talk: Any, invite: Any
) -> None:
    talk = Talk(policy(CARRIERS, position="in-path"))
    tcp = talk.connection(port=5060)
    assert tcp.say(invite("carrier.example")).verdict is ACCEPT
    assert tcp.say(b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", back=True).verdict is ACCEPT
    assert tcp.say(invite("foreign.example", method="INVITE")).verdict is DROP


def test_a_call_that_comes_back_over_the_same_connection_is_read(
    policy: Any, CARRIERS: Any, Talk: Any, invite: Any
) -> None:
    talk = Talk(policy(CARRIERS, position="in-path"))
    tcp = talk.connection(port=5060)
    tcp.say(invite("carrier.example"))
    assert tcp.say(invite("foreign.example", method="INVITE"), back=True).verdict is DROP


# --- exceptions and order --------------------------------------------------------------------


def test_exceptions_win_wherever_they_stand(
    policy: Any, names: Any, POISON: Any, SNI: Any, Talk: Any, query: Any, hello: Any
) -> None:
    rules = [
        POISON,
        SNI,
        {"when": {"client.address": ["24.48.0.9"]}, "then": {"allow": True}},
        {"when": {"dns.name": names("ok.blocked.example")}, "then": {"allow": True}},
        {"when": {"tls.sni": names("ok.blocked.example")}, "then": {"allow": True}},
    ]
    talk = Talk(policy(*rules))
    talk.udp(query("ok.blocked.example"))
    talk.connection(port=443).say(hello("ok.blocked.example"))
    assert talk.words() == []
    talk.udp(query("blocked.example"))
    assert talk.words() == ["matched", "injected"]
    talk.client = "24.48.0.9"
    assert talk.udp(query("blocked.example"), sport=40001).settled


def test_the_first_rule_that_matches_wins(policy: Any, POISON: Any, Talk: Any, query: Any) -> None:
    refusing = {"when": {"dns.name": {"substring": ["blocked"]}},
                "then": {"inject": "dns-answer", "rcode": "refused"}}  # fmt: skip
    talk = Talk(policy(refusing, POISON))
    talk.udp(query("blocked.example"))
    assert {event.rule for event in talk.events()} == {"r0"}


def test_several_acts_of_one_rule(policy: Any, HOST: Any, Talk: Any, get: Any) -> None:
    acts = [{"inject": "reset", "flags": "R"}, {"inject": "reset", "count": 3}]
    talk = Talk(policy({**HOST, "then": acts}))
    talk.connection().say(get("blocked.example"))
    assert [p.flags for p in talk.forged(inward=True)] == [RST] + [RST | ACK] * 3


# --- chance ----------------------------------------------------------------------------------


def test_chance_fires_now_and_then_and_says_when_it_does_not(
    policy: Any, POISON: Any, Talk: Any, query: Any
) -> None:
    talk = Talk(policy({**POISON, "chance": 0.25}), seed=3)
    for port in range(1000):
        talk.udp(query("blocked.example"), sport=30000 + port)
    assert 180 < talk.words().count("injected") < 320
    spared = [e for e in talk.events() if e.detail.get("fired") is False]
    assert len(spared) + talk.words().count("injected") == 1000


def test_certainty_makes_every_chance_come_true(
    policy: Any, POISON: Any, Talk: Any, query: Any
) -> None:
    talk = Talk(policy({**POISON, "chance": 0.01}), certain=True)
    for port in range(50):
        talk.udp(query("blocked.example"), sport=30000 + port)
    assert talk.words().count("injected") == 50


def test_what_chance_spares_the_next_rule_may_still_hit(
    policy: Any, POISON: Any, Talk: Any, query: Any
) -> None:
    talk = Talk(policy({**POISON, "chance": 1e-9}, POISON))
    talk.udp(query("blocked.example"))
    assert [(e.event, e.rule) for e in talk.events()] == [
        ("matched", "r0"), ("matched", "r1"), ("injected", "r1"),
    ]  # fmt: skip


# --- memories --------------------------------------------------------------------------------


def test_a_memory_hits_the_innocent_until_it_is_over(
    policy: Any, remembering: Any, Talk: Any, hello: Any
) -> None:
    talk = Talk(policy(remembering()))
    talk.connection(port=443).say(hello("blocked.example"))
    set_at = talk.now
    assert talk.words() == ["matched", "injected", "injected", "residual"]
    assert talk.engine.due() == set_at + 90
    tcp = talk.connection(port=443, sport=50001)
    assert len(talk.words()) == 4  # the handshake passes
    decision = tcp.say(hello("free.example"))
    assert [e.event for e in decision.events] == ["injected", "injected"]
    assert all(e.detail["residual"] is True for e in decision.events)
    assert decision.events[0].trigger == {"tls.sni": "free.example"}
    talk.connection(port=80, sport=50002).say(b"GET / HTTP/1.1\r\nHost: free.example\r\n\r\n")
    assert len(talk.words()) == 6  # another port is not reached
    talk.now = set_at + 89.9
    late = talk.connection(port=443, sport=50003)
    assert late.say(hello("free.example")).injections
    talk.now = set_at + 90
    again = talk.connection(port=443, sport=50004)
    assert [e.event for e in talk.log[-3][2].events] == ["forgotten"]
    assert talk.log[-3][2].events[0].t == set_at + 90
    assert not again.say(hello("free.example")).injections
    assert talk.engine.due() is None


@pytest.mark.parametrize(
    ("key", "hits"),
    [("3-tuple", (True, False, False)), ("pair", (True, True, False)),
     ("4-tuple", (False, False, False))],
)  # fmt: skip
def test_what_a_memory_reaches(
    policy: Any, remembering: Any, Talk: Any, hello: Any, key: str, hits: tuple[bool, ...]
) -> None:
    talk = Talk(policy(remembering(key=key)))
    talk.connection(port=443).say(hello("blocked.example"))
    found = [
        bool(talk.connection(port=443, sport=50001).say(hello("free.example")).injections),
        bool(talk.connection(port=8443, sport=50002).say(hello("free.example")).injections),
    ]
    talk.server = "93.184.216.35"
    found.append(bool(talk.connection(port=443, sport=50003).say(hello("a.example")).injections))
    assert tuple(found) == hits


def test_a_memory_on_any_packet_answers_the_syn(
    policy: Any, remembering: Any, Talk: Any, hello: Any
) -> None:
    talk = Talk(policy(remembering(on="any")))
    talk.connection(port=443).say(hello("blocked.example"))
    decision = talk.connection(port=443, sport=50001, shake=False).segment(flags=SYN)
    assert [parse(i.data).flags for i in decision.injections] == [RST | ACK] * 2  # type: ignore[union-attr]


def test_a_memory_is_renewed_only_if_it_says_so(
    policy: Any, remembering: Any, Talk: Any, hello: Any
) -> None:
    for renew, hit in ((False, False), (True, True)):
        talk = Talk(policy(remembering(renew=renew)))
        talk.connection(port=443).say(hello("blocked.example"))
        for n, moment in enumerate((60.0, 120.0)):
            talk.now = moment
            tcp = talk.connection(port=443, sport=50001 + n)
            decision = tcp.say(hello("free.example"))
        assert bool(decision.injections) is hit


def test_a_memory_with_an_act_of_its_own(
    policy: Any, remembering: Any, Talk: Any, hello: Any
) -> None:
    rule = remembering(on="any", then={"drop": "packet"})
    talk = Talk(policy(rule, position="in-path"))
    tcp = talk.connection(port=443)
    tcp.say(hello("blocked.example"))
    assert talk.verdicts() == [ACCEPT] * 4
    assert tcp.segment().verdict is DROP
    assert talk.connection(port=443, sport=50001, shake=False).segment(flags=SYN).verdict is DROP


def test_settled_flows_are_woken_by_a_memory(
    policy: Any, remembering: Any, Talk: Any, hello: Any
) -> None:
    talk = Talk(policy(remembering()))
    old = talk.connection(port=443, sport=50001)
    assert old.say(hello("free.example")).settled
    assert old.say(b"encrypted") is SETTLED
    trigger = talk.connection(port=443, sport=50002)
    assert trigger.say(hello("blocked.example")).unsettle
    assert not old.segment().settled
    assert old.say(b"encrypted").injections
    talk.now += 100
    assert old.say(b"encrypted").settled


def test_exceptions_are_out_of_a_memory_s_reach(
    policy: Any, names: Any, remembering: Any, Talk: Any, hello: Any
) -> None:
    allow = {"when": {"tls.sni": names("carrier.example")}, "then": {"allow": True}}
    talk = Talk(policy(remembering(), allow))
    talk.connection(port=443).say(hello("blocked.example"))
    tcp = talk.connection(port=443, sport=50001)
    assert not tcp.say(hello("carrier.example")).injections
    assert not tcp.say(b"encrypted").injections


def test_memories_are_bounded_and_evictions_are_said(
    policy: Any, remembering: Any, Talk: Any, hello: Any
) -> None:
    talk = Talk(policy(remembering(), limits={"residual": 2}))
    for n in range(3):
        talk.server = f"93.184.216.{n}"
        talk.connection(port=443, sport=50000 + n).say(hello("blocked.example"))
    (evicted,) = (e for e in talk.events() if e.event == "evicted")
    assert evicted.detail["key"]["server"] == "93.184.216.0"


def test_a_memory_ends_at_its_time_whoever_looks_when(
    policy: Any, remembering: Any, Talk: Any, hello: Any
) -> None:
    talk = Talk(policy(remembering()))
    talk.connection(port=443).say(hello("blocked.example"))
    due = talk.engine.due()
    assert due is not None
    assert talk.engine.tick(now=due - 0.001).events == ()
    (event,) = talk.engine.tick(now=due + 50).events
    assert (event.event, event.t, event.n) == ("forgotten", due, None)


# --- how it reads ----------------------------------------------------------------------------


def pieces(data: bytes, cuts: list[int]) -> list[tuple[int, bytes]]:
    edges = sorted({0, len(data), *(cut % len(data) for cut in cuts)})
    return [(a, data[a:b]) for a, b in pairwise(edges)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_any_segmentation_gives_the_same_events(
    policy: Any,
    BLOCKED: Any,
    HOST: Any,
    SNI: Any,
    Talk: Any,
    get: Any,
    hello: Any,
    invite: Any,
    data: st.DataObject,
) -> None:
    rules = policy(HOST, SNI, {"when": {"sip.host": BLOCKED}, "then": {"inject": "reset"}})
    stream = data.draw(
        st.sampled_from(
            [get("www.blocked.example"), hello("www.blocked.example"), invite("blocked.example")]
        )
    )
    parts = pieces(stream, data.draw(st.lists(st.integers(0, 2000), max_size=8)))
    order = data.draw(st.permutations(parts))
    whole, cut = Talk(rules), Talk(rules)
    whole.connection().say(stream)
    tcp = cut.connection()
    base = tcp.seq
    for offset, piece in order:
        tcp.segment(piece, PSH | ACK, seq=base + offset)
    assert [(e.event, e.rule, e.trigger) for e in cut.events()] == [
        (e.event, e.rule, e.trigger) for e in whole.events()
    ]
    assert len(whole.forged()) == 2
    for one, other in zip(whole.forged(), cut.forged(), strict=True):
        assert (one.seq, one.ack, one.flags) == (other.seq, other.ack, other.flags)


def test_without_reassembly_a_cut_evades(policy: Any, HOST: Any, Talk: Any, get: Any) -> None:
    request = get("blocked.example")
    middle = request.index(b"blocked") + 3
    blind = {"reassemble": False}
    talk = Talk(policy(HOST, tcp=blind))
    tcp = talk.connection()
    tcp.say(request[:middle])
    tcp.say(request[middle:])
    assert talk.words() == []
    whole = Talk(policy(HOST, tcp=blind))
    whole.connection().say(request)
    assert "injected" in whole.words()


def test_whose_copy_of_a_byte_counts(policy: Any, HOST: Any, Talk: Any, get: Any) -> None:
    bad, good = get("blocked.example"), get("innocent.examp")[: len(get("blocked.example"))]
    assert len(bad) - len(good) == 1
    for overlap, words in (("first", 3), ("last", 0)):
        talk = Talk(policy(HOST, tcp={"overlap": overlap}))
        tcp = talk.connection()
        base = tcp.seq
        tcp.segment(bad[16:], PSH | ACK, seq=base + 16)
        tcp.segment(good[16:-2] + b"\r\n\r", PSH | ACK, seq=base + 16)
        tcp.segment(bad[:16], PSH | ACK, seq=base)
        assert len(talk.words()) == words, str(talk)


@pytest.mark.parametrize(
    ("require", "syn", "synack", "reads"),
    [
        ("syn", True, True, True), ("syn", True, False, True), ("syn", False, False, False),
        (True, True, True, True), (True, True, False, False), (False, False, False, True),
    ],
)  # fmt: skip
def test_how_much_handshake_it_needs(
    policy: Any, HOST: Any, Talk: Any, get: Any, require: Any, syn: bool, synack: bool, reads: bool
) -> None:
    talk = Talk(policy(HOST, tcp={"require_handshake": require}))
    tcp = talk.connection(shake=False)
    if syn:
        tcp.segment(flags=SYN)
    if synack:
        tcp.segment(flags=SYN | ACK, back=True)
    tcp.say(get("blocked.example"))
    assert ("injected" in talk.words()) is reads


def test_checksums_are_ignored_unless_the_box_verifies(
    policy: Any, POISON: Any, Talk: Any, query: Any
) -> None:
    packet = bytearray(
        forge.udp(forge.Ip(b"\x18\x30\0\2", b"\x08\x08\x08\x08"), 40000, 53,
                  query("blocked.example"))
    )  # fmt: skip
    packet[26] ^= 0xFF
    lax, strict = Talk(policy(POISON)), Talk(policy(POISON, tcp={"verify_checksum": True}))
    assert lax.give(bytes(packet)).injections
    assert strict.give(bytes(packet)) is PASS


def test_only_the_first_request_unless_all_are_read(
    policy: Any, HOST: Any, Talk: Any, get: Any
) -> None:
    for requests, hit in (("first", False), ("all", True)):
        talk = Talk(policy(HOST, http={"requests": requests}))
        tcp = talk.connection()
        tcp.say(get("free.example", more="Content-Length: 5\r\n") + b"12345")
        tcp.say(get("blocked.example"))
        assert ("injected" in talk.words()) is hit


def test_a_hello_over_two_records_evades_a_box_that_reads_one(
    policy: Any, SNI: Any, Talk: Any, hello: Any
) -> None:
    whole = hello("blocked.example")
    body = whole[5:]
    cut = body.index(b"blocked") + 3
    parts = [whole[:3] + len(p).to_bytes(2, "big") + p for p in (body[:cut], body[cut:])]
    for joins in (True, False):
        talk = Talk(policy(SNI, tls={"join_records": joins}))
        talk.connection(port=443).say(b"".join(parts))
        assert ("injected" in talk.words()) is joins


def test_ports_a_protocol_is_looked_for_on(policy: Any, HOST: Any, Talk: Any, get: Any) -> None:
    talk = Talk(policy(HOST, http={"ports": [80, "8000-8999"]}))
    for n, (port, hit) in enumerate(((80, True), (8080, True), (81, False))):
        before = len(talk.words())
        talk.connection(port=port, sport=50000 + n).say(get("blocked.example"))
        assert (len(talk.words()) > before) is hit


def test_flows_are_forgotten_when_idle(policy: Any, HOST: Any, Talk: Any, get: Any) -> None:
    talk = Talk(policy(HOST, limits={"idle": 30}))
    tcp = talk.connection()
    talk.now += 31
    tcp.say(get("blocked.example"))
    assert talk.words() == []  # no handshake any more: the classic evasion by waiting
