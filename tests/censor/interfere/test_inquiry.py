"""Real answers to DNS queries, and what is said with, after and instead of them."""

from __future__ import annotations

from typing import Any

import pytest
from scapy.layers.dns import DNS, DNSRR, DNSRROPT
from scapy.layers.inet import IP, TCP, UDP

from censor.engine.decision import Verdict
from censor.interfere.inquiry import LATE, PENDING

ACCEPT, DROP = Verdict.ACCEPT, Verdict.DROP
NAME = {"dns.name": {"suffix": ["blocked.example"]}}
FORGED = "8.7.198.45"


def policy(*acts: Any, position: str = "in-path", **more: Any) -> dict[str, Any]:
    rule = {"id": "r", "when": NAME, "then": list(acts)}
    return {"position": position, "rules": [rule], **more}


def answer(query: bytes, address: str = "93.184.216.34") -> bytes:
    message = DNS(query)
    message.qr, message.ra = 1, 1
    message.an = [DNSRR(rrname=message.qd[0].qname, rdata=address, ttl=60)]
    return bytes(message)


def framed(message: bytes) -> bytes:
    return len(message).to_bytes(2, "big") + message


@pytest.mark.parametrize(("when", "after"), [("with", 0.0), ("after", 0.002)])
def test_with_and_after_the_real_answer_over_tcp(
    Talk: Any, query: Any, when: str, after: float
) -> None:
    act = {"inject": "dns-answer", "addresses": [FORGED], "when": when, "over_tcp": "answer"}
    talk = Talk(policy(act, position="on-path"))
    tcp = talk.connection(port=53)
    tcp.say(framed(query("free.example")))
    tcp.say(framed(answer(query("free.example"))), back=True)
    asked = query("wWw.blocked.example")
    assert tcp.say(framed(asked)).injections == ()
    real = framed(answer(asked))
    begin, client = tcp.ack, tcp.seq
    assert tcp.say(real[:20], back=True).injections == ()
    begin = tcp.ack
    to_client, to_server = tcp.say(real[20:], back=True).injections
    assert (to_client.inward, to_client.after, to_server.inward) == (True, after, False)
    segment = IP(to_client.data)
    assert (segment[TCP].seq, segment[TCP].ack) == (begin, client)  # it loses: those bytes are told
    forged = DNS(bytes(segment[TCP].payload)[2:])
    assert (forged.an[0].rdata, forged.qd[0].qname) == (FORGED, b"wWw.blocked.example.")
    assert (IP(to_server.data)[TCP].seq, str(IP(to_server.data)[TCP].flags)) == (client, "RA")
    assert talk.words() == ["matched", "injected", "injected"]


def test_a_reset_after_the_real_answer(Talk: Any, query: Any) -> None:
    act = {"inject": "dns-answer", "empty": True, "when": "after", "over_tcp": "reset"}
    talk = Talk(policy(act, position="on-path"))
    tcp = talk.connection(port=53)
    tcp.say(framed(query("blocked.example")))
    both = tcp.say(framed(answer(query("blocked.example"))), back=True).injections
    assert [str(IP(one.data)[TCP].flags) for one in both] == ["RA", "RA"]


def test_another_answer_stands_where_the_real_one_stood(Talk: Any, query: Any) -> None:
    act = {"rewrite": "dns-answer", "addresses": ["10.10.34.36"], "over_tcp": "answer"}
    talk = Talk(policy(act))
    tcp = talk.connection(port=53)
    asked = query("blocked.example")
    assert tcp.say(framed(asked)).verdict is ACCEPT
    begin = tcp.ack
    decision = tcp.say(framed(answer(asked)), back=True)
    assert decision.verdict is DROP
    packet = IP(decision.injections[0].data)
    assert (packet.ttl, packet.id, packet[TCP].seq) == (57, 777, begin)  # the real one's
    assert DNS(bytes(packet[TCP].payload)[2:]).an[0].rdata == "10.10.34.36"
    assert talk.words() == ["matched", "injected", "injected", "dropped"]
    assert tcp.say(b"more", back=True).verdict is DROP  # both ends were told that it is over


def test_an_answer_whose_beginning_has_passed_stays(Talk: Any, query: Any) -> None:
    act = {"rewrite": "dns-answer", "addresses": ["10.10.34.36"], "over_tcp": "answer"}
    talk = Talk(policy(act))
    tcp = talk.connection(port=53)
    asked = query("blocked.example")
    tcp.say(framed(asked))
    real = framed(answer(asked))
    assert tcp.say(real[:9], back=True).verdict is ACCEPT
    assert tcp.say(real[9:], back=True).verdict is ACCEPT
    assert talk.forged() == []


@pytest.mark.parametrize("act", [
    {"rewrite": "dns-answer", "addresses": ["10.10.34.36"]},
    {"inject": "dns-answer", "addresses": [FORGED], "when": "after"},
])  # fmt: skip
def test_over_tcp_nothing_happens_unless_asked_for(Talk: Any, query: Any, act: Any) -> None:
    talk = Talk(policy(act))
    tcp = talk.connection(port=53)
    asked = query("blocked.example")
    tcp.say(framed(asked))
    assert tcp.say(framed(answer(asked)), back=True).verdict is ACCEPT
    assert talk.words() == ["matched"]


def test_awaited_answers_over_tcp_are_bounded(Talk: Any, query: Any) -> None:
    act = {"inject": "dns-answer", "addresses": [FORGED], "when": "after", "over_tcp": "answer"}
    talk = Talk(policy(act, position="on-path"))
    tcp = talk.connection(port=53)
    for n in range(PENDING + 2):
        tcp.say(framed(query("blocked.example", number=n)))
    assert talk.words().count("evicted") == 2
    assert tcp.say(framed(answer(query("blocked.example", number=1))), back=True).injections == ()
    assert tcp.say(framed(answer(query("blocked.example", number=2))), back=True).injections


# --- injectors side by side -------------------------------------------------------------------


def test_injectors_with_latencies_of_their_own(Talk: Any, query: Any) -> None:
    """Source: facts cn-dns-injector-1 to -3: one query, several boxes, each with its quirks."""
    pool = {"inject": "dns-answer", "addresses": [FORGED]}
    acts = [{**pool, "profile": f"gfw-dns-{n}", "latency": f"{late} ms"}
            for n, late in ((1, 3), (2, 1), (3, 5))]  # fmt: skip
    late = {"inject": "dns-answer", "rcode": "refused", "when": "after", "latency": "9 ms"}
    talk = Talk(policy(*acts, late, position="on-path"))
    asked = query("blocked.example")
    assert [one.after for one in talk.udp(asked).injections] == [0.003, 0.001, 0.005]
    (last,) = talk.udp(answer(asked), back=True).injections
    assert (last.after, DNS(IP(last.data)[UDP].payload.original).rcode) == (0.009, 5)


def test_after_is_after_in_path_too(Talk: Any, query: Any) -> None:
    """What is sent at once is on its way before the packet that it was decided upon."""
    act = {"inject": "dns-answer", "addresses": [FORGED]}
    for when, late, expected in (
        ("after", None, LATE),
        ("after", "3 ms", 0.003),
        ("with", None, 0),
    ):
        own = {} if late is None else {"latency": late}
        talk = Talk(policy({**act, "when": when, **own}))
        talk.udp(query("blocked.example"))
        (one,) = talk.udp(answer(query("blocked.example")), back=True).injections
        assert one.after == expected


def test_a_query_with_edns_and_odd_casing(Talk: Any, query: Any) -> None:
    """What a resolver of today asks; injectors answer without EDNS (fact cn-dns-injector-1)."""
    talk = Talk(policy({"inject": "dns-answer", "addresses": [FORGED]}, position="on-path"))
    message = DNS(query("wWw.BlOcKeD.eXample"))
    message.ar = [DNSRROPT(rclass=1232, z=0x8000)]
    talk.udp(bytes(message))
    (packet,) = talk.forged()
    forged = DNS(packet.payload)
    assert (forged.qd[0].qname, forged.arcount) == (b"wWw.BlOcKeD.eXample.", 0)
    assert (forged.rcode, forged.an[0].rdata, forged.rd) == (0, FORGED, 1)
