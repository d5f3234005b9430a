"""Forged packets as transcripts: DNS answers, resets, block pages, from trigger to wire."""

from __future__ import annotations

from typing import Any

import pytest
from scapy.layers.dns import DNS

from censor.engine.decision import Verdict
from censor.wire import forge
from censor.wire.packet import Malformed, parse

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
ACCEPT, DROP = Verdict.ACCEPT, Verdict.DROP


# --- DNS -------------------------------------------------------------------------------------


def test_poisons_a_query_and_lets_it_pass(policy: Any, POISON: Any, Talk: Any, query: Any) -> None:
    talk = Talk(policy(POISON))
    decision = talk.udp(query("wWw.bLocked.example"))
    assert decision.verdict is ACCEPT
    assert [(i.inward, i.after) for i in decision.injections] == [(True, 0.002)]
    (packet,) = talk.forged()
    assert (packet.src, packet.dst) == (bytes([93, 184, 216, 34]), bytes([24, 48, 0, 2]))
    assert (packet.sport, packet.dport, packet.ttl) == (53, 40000, 99)
    answer = DNS(packet.payload)
    assert (answer.id, answer.qr, answer.ra, answer.rd) == (0x1234, 1, 1, 1)
    assert [rr.rdata for rr in answer.an] == ["8.7.198.45"]
    matched, injected = decision.events
    assert (matched.event, injected.event) == ("matched", "injected")
    assert injected.n == 1
    assert injected.flow == {
        "protocol": "udp", "client": "24.48.0.2", "client_port": 40000,
        "server": "93.184.216.34", "server_port": 53,
    }  # fmt: skip
    assert injected.trigger == {"dns.name": "www.blocked.example", "dns.qtype": "A"}
    assert injected.detail["packets"] == [decision.injections[0].data.hex()]
    assert injected.detail["toward"] == "client"


def test_leaves_other_names_ports_and_answers_alone(
    policy: Any, POISON: Any, Talk: Any, query: Any
) -> None:
    talk = Talk(policy(POISON))
    talk.udp(query("free.example"))
    talk.udp(query("xblocked.example"))
    talk.udp(query("blocked.example"), port=80)
    talk.udp(query("blocked.example", flags=0x8180), back=True)
    assert talk.words() == []
    assert talk.forged() == []


@pytest.mark.parametrize(
    ("act", "qtype", "rcode", "addresses"),
    [
        ({"addresses": ["1.2.3.4"]}, 1, 0, ["1.2.3.4"]),
        ({"addresses": ["1.2.3.4", "2001:db8::1"]}, 28, 0, ["2001:db8::1"]),
        ({"addresses": ["1.2.3.4"]}, 28, 0, []),
        ({"addresses": ["1.2.3.4"]}, 15, 0, []),
        ({"addresses": ["1.2.3.4"], "otherwise": "a"}, 28, 0, ["1.2.3.4"]),
        ({"addresses": ["1.2.3.4"], "otherwise": "nothing"}, 28, None, []),
        ({"addresses": ["1.2.3.4", "1.2.3.5"], "pick": "all"}, 1, 0, ["1.2.3.4", "1.2.3.5"]),
        ({"addresses": ["1.2.3.4", "1.2.3.4", "1.2.3.4"], "pick": 2}, 1, 0, ["1.2.3.4"] * 2),
        ({"rcode": "nxdomain"}, 1, 3, []),
        ({"rcode": "refused"}, 28, 5, []),
        ({"rcode": "servfail"}, 1, 2, []),
        ({"empty": True}, 1, 0, []),
    ],
)
def test_answers(
    policy: Any,
    BLOCKED: Any,
    Talk: Any,
    query: Any,
    act: Any,
    qtype: int,
    rcode: int | None,
    addresses: list[str],
) -> None:
    talk = Talk(policy({"when": {"dns.name": BLOCKED}, "then": {"inject": "dns-answer", **act}}))
    talk.udp(query("blocked.example", qtype))
    if rcode is None:
        assert talk.words() == ["matched"]
        return
    (packet,) = talk.forged()
    answer = DNS(packet.payload)
    assert answer.rcode == rcode
    assert [rr.rdata for rr in answer.an or []] == addresses


def test_header_quirks_of_forged_answers(policy: Any, POISON: Any, Talk: Any, query: Any) -> None:
    act = {**POISON["then"], "ttl": "mirror", "ip_id": "mirror", "df": False, "aa": True,
           "answer_ttl": 60}  # fmt: skip
    talk = Talk(policy({**POISON, "then": act}))
    talk.udp(query("blocked.example"), ttl=41, ip_id=0)
    (packet,) = talk.forged()
    assert (packet.ttl, packet.ip_id, packet.df) == (41, 0, False)
    assert DNS(packet.payload).an[0].ttl == 60
    assert DNS(packet.payload).aa == 1


def test_queries_over_ipv6(policy: Any, POISON: Any, Talk: Any, query: Any) -> None:
    talk = Talk(policy(POISON), client="2600::2", server="2001:db8:53::1")
    talk.udp(query("blocked.example", 28))
    (packet,) = talk.forged()
    assert (packet.version, packet.ttl, packet.sport) == (6, 99, 53)
    assert [rr.rdata for rr in DNS(packet.payload).an] == ["2001:db8::1"]


def test_queries_that_come_in(policy: Any, POISON: Any, Talk: Any, query: Any) -> None:
    talk = Talk(policy(POISON))
    packet = forge.udp(forge.Ip(bytes([9, 9, 9, 9]), bytes([24, 48, 0, 9])), 4000, 53,
                       query("blocked.example"))  # fmt: skip
    decision = talk.give(packet, inside=False)
    assert [i.inward for i in decision.injections] == [False]  # the client is outside
    outbound = Talk(policy({**POISON, "when": {**POISON["when"], "direction": "outbound"}}))
    assert outbound.give(packet, inside=False).injections == ()


def test_in_path_the_query_does_not_reach_the_server(
    policy: Any, POISON: Any, Talk: Any, query: Any
) -> None:
    talk = Talk(policy(POISON, position="in-path"))
    decision = talk.udp(query("blocked.example"))
    assert decision.verdict is DROP
    assert [i.after for i in decision.injections] == [0.0]
    assert talk.words() == ["matched", "injected", "dropped"]


def test_two_questions_evade_a_box_that_reads_one(
    policy: Any, POISON: Any, Talk: Any, query: Any
) -> None:
    one = query("blocked.example")
    two = one[:5] + b"\2" + one[6:] + one[12:]
    talk = Talk(policy(POISON))
    talk.udp(two)
    assert talk.words() == []
    talk = Talk(policy(POISON, dns={"several_questions": True}))
    talk.udp(two)
    assert "injected" in talk.words()


@pytest.mark.parametrize(
    ("over_tcp", "flags"),
    [("nothing", []), ("reset", [RST | ACK, RST | ACK]), ("answer", [ACK | PSH | FIN, RST | ACK])],
)
def test_dns_over_tcp(
    policy: Any, POISON: Any, Talk: Any, query: Any, over_tcp: str, flags: list[int]
) -> None:
    act = {**POISON["then"], "over_tcp": over_tcp}
    talk = Talk(policy({**POISON, "then": act}))
    tcp = talk.connection(port=53)
    asked = query("blocked.example")
    stream = len(asked).to_bytes(2, "big") + asked
    tcp.say(stream[:9])
    tcp.say(stream[9:])
    assert talk.words()[:1] == ["matched"]
    assert [packet.flags for packet in talk.forged()] == flags
    if over_tcp == "answer":
        (page,) = talk.forged(inward=True)
        assert (page.seq, page.ack) == (tcp.ack, tcp.seq)
        assert DNS(page.payload[2:]).an[0].rdata == "8.7.198.45"


def test_later_queries_of_one_connection_are_read_too(
    policy: Any, BLOCKED: Any, Talk: Any, query: Any
) -> None:
    talk = Talk(policy({"when": {"dns.name": BLOCKED}, "then": {"inject": "reset"}}))
    tcp = talk.connection(port=53)
    for name in ("a.example", "b.example", "blocked.example"):
        asked = query(name)
        tcp.say(len(asked).to_bytes(2, "big") + asked)
    assert talk.words() == ["matched", "injected", "injected"]


# --- resets ----------------------------------------------------------------------------------


def test_resets_both_ends_with_the_numbers_they_expect(
    policy: Any, HOST: Any, Talk: Any, get: Any
) -> None:
    act = {"inject": "reset", "offsets": [0, 1460, 4380], "ttl": {"random": [39, 238]},
           "ip_id": {"random": [163, 65119]}, "window": "mirror"}  # fmt: skip
    talk = Talk(policy({**HOST, "then": act}))
    tcp = talk.connection()
    decision = tcp.say(get("www.blocked.example"))
    assert decision.verdict is ACCEPT
    to_client, to_server = talk.forged(inward=True), talk.forged(inward=False)
    assert [p.seq for p in to_client] == [tcp.ack, tcp.ack + 1460, tcp.ack + 4380]
    assert [p.seq for p in to_server] == [tcp.seq, tcp.seq + 1460, tcp.seq + 4380]
    assert {p.ack for p in to_client} == {tcp.seq}
    assert {p.ack for p in to_server} == {tcp.ack}
    assert {p.flags for p in talk.forged()} == {RST | ACK}
    assert {p.window for p in talk.forged()} == {500}
    assert len({(p.ttl, p.ip_id) for p in to_client}) == 1  # copies of one another
    assert 39 <= to_client[0].ttl <= 238
    assert talk.words() == ["matched", "injected", "injected"]


@pytest.mark.parametrize("toward", ["client", "server"])
def test_resets_one_end_only(policy: Any, HOST: Any, Talk: Any, get: Any, toward: str) -> None:
    talk = Talk(policy({**HOST, "then": {"inject": "reset", "toward": toward, "flags": "R"}}))
    tcp = talk.connection()
    tcp.say(get("blocked.example"))
    (packet,) = talk.forged()
    assert talk.forged(inward=toward == "client") == [] or packet.flags == RST
    assert packet.ack == 0
    assert [e.detail["toward"] for e in talk.events() if e.event == "injected"] == [toward]


def test_resets_on_a_server_name(policy: Any, SNI: Any, Talk: Any, hello: Any) -> None:
    talk = Talk(policy(SNI))
    tcp = talk.connection(port=443)
    tcp.say(hello("www.blocked.example"))
    assert talk.words() == ["matched", "injected", "injected"]
    assert talk.events()[0].trigger == {"tls.sni": "www.blocked.example"}
    other = talk.connection(port=443, sport=50001)
    other.say(hello("free.example"))
    nameless = talk.connection(port=443, sport=50002)
    nameless.say(hello(None))
    assert len(talk.words()) == 3


@pytest.mark.parametrize("on", [SYN, SYN | ACK])
def test_resets_during_the_handshake(policy: Any, Talk: Any, on: int) -> None:
    talk = Talk(policy({"when": {"server.port": [443]}, "then": {"inject": "reset"}}))
    tcp = talk.connection(port=443, shake=False)
    decision = tcp.segment(flags=SYN)
    packets = [parse(i.data) for i in decision.injections]
    assert not any(isinstance(p, Malformed) for p in packets)
    to_client, to_server = talk.forged(inward=True), talk.forged(inward=False)
    assert [(p.seq, p.ack, p.flags) for p in to_client] == [(0, 1001, RST | ACK)]
    assert [(p.seq, p.flags) for p in to_server] == [(1001, RST | ACK)]
    if on == SYN | ACK:
        decision = tcp.segment(flags=SYN | ACK, back=True)
        sides = {i.inward: parse(i.data) for i in decision.injections}
        assert (sides[True].seq, sides[True].ack) == (9001, 1001)  # type: ignore[union-attr]
        assert (sides[False].seq, sides[False].ack) == (1001, 9001)  # type: ignore[union-attr]


def test_rst_segments_draw_no_resets(policy: Any, Talk: Any) -> None:
    talk = Talk(policy({"when": {"server.port": [443]}, "then": {"inject": "reset"}}))
    tcp = talk.connection(port=443, shake=False)
    tcp.segment(flags=RST)
    assert talk.words() == []


# --- block pages -----------------------------------------------------------------------------


def test_a_page_on_path_races_the_server(policy: Any, PAGE: Any, Talk: Any, get: Any) -> None:
    talk = Talk(policy(PAGE))
    tcp = talk.connection()
    decision = tcp.say(get("blocked.example"))
    assert decision.verdict is ACCEPT
    page = talk.forged(inward=True)
    assert page[0].seq == tcp.ack
    assert b"".join(p.payload for p in page).endswith(b"\r\n\r\n" + b"no" * 1000)
    assert all(p.ack == tcp.seq and p.flags & ACK for p in page)
    assert [bool(p.flags & FIN) for p in page] == [False] * (len(page) - 1) + [True]
    (reset,) = talk.forged(inward=False)
    assert (reset.seq, reset.ack, reset.flags) == (tcp.seq, tcp.ack, RST | ACK)


def test_a_page_in_path_stands_for_the_server(policy: Any, PAGE: Any, Talk: Any, get: Any) -> None:
    talk = Talk(policy({**PAGE, "then": {**PAGE["then"], "then": "reset"}}, position="in-path"))
    tcp = talk.connection()
    before = tcp.seq
    assert tcp.say(get("blocked.example")).verdict is DROP
    *page, end = talk.forged(inward=True)
    assert not any(p.flags & (FIN | RST) for p in page)
    assert (end.flags, end.seq) == (RST | ACK, page[-1].seq + page[-1].payload_length)
    (reset,) = talk.forged(inward=False)
    assert reset.seq == before  # the server never saw the request
    assert tcp.segment(flags=FIN | ACK).verdict is DROP
    assert tcp.segment(flags=ACK, back=True).verdict is DROP
    other = talk.connection(sport=50009)
    assert other.say(get("free.example")).verdict is ACCEPT
