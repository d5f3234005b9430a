"""Packets rewritten where they stand, read back with scapy."""

from __future__ import annotations

from typing import Any

import pytest
from scapy.layers.dns import DNS, DNSRR
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrHopByHop

from censor.engine.decision import Verdict
from censor.interfere.rewriting import into_reset, set_fields, with_payload
from censor.rule.act import Number, RewriteHeader, Toward
from censor.rule.luck import Luck
from censor.wire import forge
from censor.wire.packet import Packet, parse

ACCEPT, DROPPED, REWRITE = Verdict.ACCEPT, Verdict.DROP, Verdict.REWRITE
SNI = {"tls.sni": {"suffix": ["blocked.example"]}}
NAME = {"dns.name": {"suffix": ["blocked.example"]}}


def policy(then: Any, when: Any, position: str = "in-path") -> dict[str, Any]:
    return {"position": position, "rules": [{"id": "r", "when": when, "then": then}]}


def packet(layers: Any) -> Packet:
    found = parse(bytes(layers))
    assert isinstance(found, Packet)
    return found


def sound(data: bytes) -> Any:
    """Read with scapy what must be whole and right."""
    found = parse(data)
    assert isinstance(found, Packet)
    assert found.intact()
    return IP(data) if data[0] >> 4 == 4 else IPv6(data)


def fields(**given: Any) -> RewriteHeader:
    none: dict[str, Any] = dict.fromkeys(("ttl", "ip_id", "window", "flags"))
    none |= {"spoil": False, "bad_checksum": False}
    return RewriteHeader(toward=Toward.BOTH, lasting=None, **{**none, **given})


def test_tspu_makes_resets_of_the_server_s_own_packets(Talk: Any, hello: Any) -> None:
    """ru-tspu-sni1: truncated, flags replaced; TTL, numbers and IP-ID stay genuine; for 75 s."""
    talk = Talk(policy({"rewrite": "reset", "toward": "client", "for": "75 s"}, SNI))
    tcp = talk.connection(port=443)
    assert tcp.say(hello("www.blocked.example")).verdict is ACCEPT
    expected = tcp.ack
    decision = tcp.say(b"ServerHello" * 50, back=True)
    assert decision.verdict is REWRITE
    came, went = IP(bytes.fromhex(talk.log[-1][1])), sound(decision.data)
    assert str(went[TCP].flags) == "RA"
    assert bytes(went[TCP].payload) == b""
    for field in ("ttl", "id", "flags", "src", "dst"):
        assert getattr(went, field) == getattr(came, field)
    for field in ("seq", "ack", "window", "sport", "dport"):
        assert getattr(went[TCP], field) == getattr(came[TCP], field)
    assert went[TCP].seq == expected
    (event,) = decision.events
    assert (event.event, event.rule) == ("rewritten", "r")
    assert event.detail == {"toward": "client", "packets": [decision.data.hex()]}
    assert not decision.settled
    assert tcp.say(b"x").verdict is ACCEPT  # the client's are left alone
    talk.now += 76
    decision = tcp.say(b"more", back=True)
    assert (decision.verdict, decision.settled) == (ACCEPT, True)


def test_resets_keep_options_and_extension_headers() -> None:
    options = [("Timestamp", (7, 8)), ("NOP", None), ("NOP", None)]
    four = IP(src="1.2.3.4", dst="5.6.7.8", ttl=57, id=9, options=[]) / TCP(
        sport=443, dport=5, flags="PA", seq=77, ack=88, window=501, options=options
    )
    went = sound(into_reset(packet(four / b"data"), 0x14) or b"")
    assert went[TCP].options == options
    assert (went.len, bytes(went[TCP].payload)) == (20 + 32, b"")
    six = IPv6(src="2001:db8::1", dst="2001:db8::2", hlim=57) / IPv6ExtHdrHopByHop()
    went = sound(into_reset(packet(six / four[TCP] / b"data"), 0x14) or b"")
    assert (str(went[TCP].flags), went.plen, went.hlim) == ("RA", 8 + 32, 57)


def test_what_is_no_whole_segment_is_not_rewritten() -> None:
    ip = IP(src="1.2.3.4", dst="5.6.7.8")
    assert into_reset(packet(ip / UDP()), 0x14) is None
    assert into_reset(packet(ip / TCP(flags="R")), 0x14) is None
    part = IP(src="1.2.3.4", dst="5.6.7.8", flags="MF") / TCP() / bytes(64)
    assert into_reset(packet(part), 0x14) is None
    cut = parse(bytes(ip / TCP() / bytes(64))[:60])
    assert isinstance(cut, Packet)
    assert cut.truncated
    assert into_reset(cut, 0x14) is None
    assert set_fields(fields(spoil=True), cut, Luck(0)) is None
    assert with_payload(packet(ip / TCP()), b"") is None


def test_header_fields_are_set_and_sums_are_right() -> None:
    ip = IP(src="1.2.3.4", dst="5.6.7.8", ttl=57, id=9) / TCP(flags="PA", window=9) / b"data"
    act = fields(ttl=Number(1, 1), ip_id=Number(0, 0, mirror=True, shift=5),
                 window=Number(0, 0), flags=0x10)  # fmt: skip
    went = sound(set_fields(act, packet(ip), Luck(0)) or b"")
    assert (went.ttl, went.id, went[TCP].window, str(went[TCP].flags)) == (1, 14, 0, "A")
    assert bytes(went[TCP].payload) == b"data"
    assert set_fields(fields(), packet(ip), Luck(0)) is None
    six = IPv6(src="::1", dst="::2", hlim=9) / UDP(sport=1, dport=2) / b"data"
    assert sound(set_fields(fields(ttl=Number(3, 3)), packet(six), Luck(0)) or b"").hlim == 3


def test_payloads_are_spoilt_and_sums_too_where_asked() -> None:
    for transport in (TCP(flags="PA"), UDP(sport=1, dport=2)):
        ip = IP(src="1.2.3.4", dst="5.6.7.8") / transport / b"\x00\xffdata"
        went = sound(set_fields(fields(spoil=True), packet(ip), Luck(0)) or b"")
        assert bytes(went.payload.payload) == bytes(255 - byte for byte in b"\x00\xffdata")
        wrong = parse(set_fields(fields(bad_checksum=True), packet(ip), Luck(0)) or b"")
        assert isinstance(wrong, Packet)
        assert wrong.intact() is False
        assert wrong.payload == b"\x00\xffdata"


def test_a_rule_s_packets_are_spoilt_one_way(Talk: Any) -> None:
    act = {"rewrite": "packet", "spoil": True, "toward": "client"}
    talk = Talk(policy(act, {"server.port": [9]}))
    assert talk.udp(b"data", port=9).verdict is ACCEPT
    decision = talk.udp(b"data", port=9, back=True)
    assert sound(decision.data)[UDP].payload.load == bytes(255 - byte for byte in b"data")
    assert talk.udp(b"", port=9, back=True).verdict is ACCEPT  # nothing in it to spoil


def test_a_rewritten_packet_may_be_held_too(Talk: Any) -> None:
    acts = [{"rewrite": "packet", "ttl": 9}, {"delay": 1}]
    talk = Talk(policy(acts, {"server.port": [9]}))
    decision = talk.udp(b"data", port=9)
    assert decision.verdict is Verdict.HOLD
    assert (decision.until, sound(decision.data).ttl) == (talk.now + 1, 9)
    assert talk.words() == ["matched", "rewritten", "held"]


# --- DNS -------------------------------------------------------------------------------------


def answer(query: bytes, address: str = "93.184.216.34") -> bytes:
    message = DNS(query)
    message.qr, message.ra = 1, 1
    message.an = [DNSRR(rrname=message.qd[0].qname, rdata=address, ttl=60)]
    return bytes(message)


def test_a_real_answer_is_rewritten(Talk: Any, query: Any) -> None:
    act = {"rewrite": "dns-answer", "addresses": ["10.10.34.36"], "answer_ttl": 7}
    talk = Talk(policy(act, NAME))
    asked = query("wWw.bLocked.example")
    assert talk.udp(asked).verdict is ACCEPT
    other = query("www.blocked.example", number=9)
    assert talk.udp(answer(other), back=True).verdict is ACCEPT  # not the answer to what was asked
    decision = talk.udp(answer(asked), back=True, ttl=44, ip_id=4321)
    assert decision.verdict is REWRITE
    went = sound(decision.data)
    assert (went.ttl, went.id, went[UDP].sport, went[UDP].dport) == (44, 4321, 53, 40000)
    assert (went[DNS].id, went[DNS].qd[0].qname) == (0x1234, b"wWw.bLocked.example.")
    assert [(rr.rdata, rr.ttl) for rr in went[DNS].an] == [("10.10.34.36", 7)]
    assert talk.words() == ["matched", "rewritten"]
    assert talk.events()[1].trigger["dns.name"] == "www.blocked.example"
    assert talk.udp(answer(asked), back=True).verdict is ACCEPT  # once


@pytest.mark.parametrize(("when", "after"), [("with", 0.0), ("after", 0.002)])
def test_answers_with_and_after_the_real_one(
    Talk: Any, query: Any, when: str, after: float
) -> None:
    act = {"inject": "dns-answer", "addresses": ["8.7.198.45"], "when": when, "ttl": "mirror"}
    talk = Talk(policy(act, NAME, "on-path"))
    asked = query("blocked.example")
    assert talk.udp(asked, ttl=41).injections == ()
    assert talk.words() == ["matched"]
    decision = talk.udp(answer(asked), back=True, ttl=9)
    assert decision.verdict is ACCEPT
    (injection,) = decision.injections
    assert (injection.inward, injection.after) == (True, after)
    went = sound(injection.data)
    assert (went.dst, went.ttl, went[DNS].an[0].rdata) == (talk.client, 41, "8.7.198.45")
    assert talk.events()[1].detail["toward"] == "client"
    assert talk.udp(answer(asked), back=True).injections == ()


def test_in_path_the_query_must_pass_for_that(Talk: Any, query: Any) -> None:
    act = {"inject": "dns-answer", "addresses": ["8.7.198.45"], "when": "after"}
    talk = Talk(policy(act, NAME))
    assert talk.udp(query("blocked.example")).verdict is ACCEPT


def test_awaited_answers_are_bounded(Talk: Any, query: Any) -> None:
    act = {"inject": "dns-answer", "addresses": ["8.7.198.45"], "when": "after"}
    talk = Talk(policy(act, NAME, "on-path"))
    for n in range(66):
        talk.udp(query("blocked.example", number=n))
    assert talk.words().count("evicted") == 2
    gone, kept = (answer(query("blocked.example", number=n)) for n in (1, 2))
    assert talk.udp(gone, back=True).injections == ()
    assert len(talk.udp(kept, back=True).injections) == 1


@pytest.mark.parametrize("addresses", [None, ["1.2.3.4"]])
def test_aliases(Talk: Any, query: Any, addresses: list[str] | None) -> None:
    act = {"inject": "dns-answer", "cname": "block.example.net", "answer_ttl": 5}
    if addresses:
        act["addresses"] = addresses
    talk = Talk(policy(act, NAME, "on-path"))
    talk.udp(query("www.blocked.example"))
    (forged,) = talk.forged()
    first, *rest = list(DNS(forged.payload).an)
    assert (first.type, first.rrname, first.rdata, first.ttl) == (
        5, b"www.blocked.example.", b"block.example.net.", 5,
    )  # fmt: skip
    assert [(rr.rrname, rr.rdata) for rr in rest] == [
        (b"block.example.net.", address) for address in addresses or ()
    ]


def test_where_no_resolver_is_an_answer_still_comes(Talk: Any, query: Any) -> None:
    """cn-dns-bidirectional: an address with no host answers; a query from outside does it too."""
    act = {"inject": "dns-answer", "addresses": ["8.7.198.45"]}
    talk = Talk(policy(act, NAME, "on-path"), server="203.0.113.199")
    talk.udp(query("blocked.example"))
    outside = forge.Ip(bytes([9, 9, 9, 9]), bytes([24, 48, 0, 99]))
    talk.give(forge.udp(outside, 4000, 53, query("blocked.example")), inside=False)
    assert [(i.inward, IP(i.data).src) for _, _, d in talk.log for i in d.injections] == [
        (True, "203.0.113.199"),
        (False, "24.48.0.99"),
    ]
