"""Every packet of a control pass has its owners; one that has none says so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import dns.message
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Packet, Raw

from filterbed.attribution import Owner, of_measurements
from filterbed.header import flow_key, raw
from filterbed.pcapng import Frame
from filterbed.question import Question
from scenarios.model import Label, Target, Truth

CLIENT, SIX, RESOLVER, SERVER = "1.2.3.4", "2001:db8::4", "8.8.0.53", "5.6.7.8"
OK = Label("ok")
QUESTION = Question(
    ("bj", "sh"),
    (
        Target("one", "web", {"url": "http://www.one.example/"}, {}),
        Target("two", "web", {"url": "http://two.example/"}, {}),
    ),
    {(v, t): Truth(OK, OK) for v in ("bj", "sh") for t in ("one", "two")},
    {raw(CLIENT): "bj", raw(SIX): "bj"},
    {raw(RESOLVER): ("bj", "sh")},
    {},
)


def measured(target: str, *flows: list[Any], start: float = 0.0, end: float = 9.0) -> Any:
    return {"target": target, "t_start": start, "t_end": end, "flows": list(flows)}


def owners(packets: list[tuple[float, Packet]], *measurements: Any) -> list[tuple[Owner, ...]]:
    frames = [Frame(round(at * 1e9), 0, bytes(p), len(p)) for at, p in packets]
    return of_measurements(QUESTION, {"bj": measurements}).sort(frames)


def query(name: str, src: str = RESOLVER, port: int = 999) -> Packet:
    wire = dns.message.make_query(name, "A").to_wire()
    return IP(src=src, dst="9.9.0.53") / UDP(sport=port, dport=53) / Raw(wire)


OUT = IP(src=CLIENT, dst=SERVER) / TCP(sport=4000, dport=80)
BACK = IP(src=SERVER, dst=CLIENT) / TCP(sport=80, dport=4000)


def test_both_directions_of_a_measured_flow() -> None:
    flow = ["tcp", CLIENT, 4000, SERVER, 80]
    assert owners([(1, OUT), (2, BACK)], measured("one", flow)) == [(("bj", "one"),)] * 2


def test_a_flow_that_a_gateway_translated() -> None:
    flow = ["udp", "192.168.1.2", 4000, SERVER, 80]
    far = (raw(SERVER), 80)
    inner, seen = (flow_key(17, end, far) for end in ((raw("192.168.1.2"), 4000), (raw(CLIENT), 9)))
    packet = IP(src=CLIENT, dst=SERVER) / UDP(sport=9, dport=80)
    frame = Frame(10**9, 0, bytes(packet), len(packet))
    measurements = {"bj": [measured("one", flow)]}
    found = of_measurements(QUESTION, measurements, {inner: (seen,)}).sort([frame])
    assert found == [(("bj", "one"),)]
    assert of_measurements(QUESTION, measurements).sort([frame]) == [(seen,)]


def test_a_helper_is_the_target_that_stands_there_unless_the_call_is_blocked() -> None:
    helper = Target("helper", "udp", {"host": SERVER, "port": 3478}, {})
    packet = IP(src=CLIENT, dst=SERVER) / UDP(sport=4000, dport=3478)
    frame = Frame(10**9, 0, bytes(packet), len(packet))
    measurement = {**measured("one"), "aside": [["udp", CLIENT, 4000, SERVER, 3478]]}

    def owner(label: Label, *targets: Target) -> Owner:
        asked = replace(
            QUESTION,
            targets=(*QUESTION.targets, *targets),
            truths={**QUESTION.truths, ("bj", "one"): Truth(label, OK)},
        )
        (found,) = of_measurements(asked, {"bj": [measurement]}).sort([frame])
        return found[0]

    blocked = Label("blocked", frozenset({"turn.timeout"}), "network")
    assert owner(OK, helper) == ("bj", "helper")
    assert owner(blocked, helper) == ("bj", "one")
    assert owner(OK) == ("bj", "one")


def test_an_unbound_local_address_is_any_of_the_vantages() -> None:
    six = IPv6(src=SIX, dst="2001:db8::8") / UDP(sport=7, dport=8)
    flow = ["udp", "::", 7, "2001:db8::8", 8]
    assert owners([(1, six)], measured("one", flow)) == [(("bj", "one"),)]


def test_one_port_for_two_targets_is_told_apart_by_time() -> None:
    flow = ["tcp", CLIENT, 4000, SERVER, 80]
    first, second = measured("one", flow, end=2), measured("two", flow, start=5)
    found = owners([(1, OUT), (3, BACK), (4.5, OUT), (6, BACK)], first, second)
    assert found == [(("bj", t),) for t in ("one", "one", "two", "two")]


def test_an_error_belongs_to_what_it_is_about() -> None:
    error = IP(src="7.7.7.7", dst=CLIENT) / ICMP(type=11) / Raw(bytes(OUT)[:28])
    flow = ["tcp", CLIENT, 4000, SERVER, 80]
    assert owners([(1, error)], measured("one", flow)) == [(("bj", "one"),)]


def test_fragments_belong_to_their_first() -> None:
    whole: Any = IP(src=CLIENT, dst=SERVER, id=7) / UDP(sport=7, dport=8) / Raw(b"x" * 3000)
    pieces = [(1.0, piece) for piece in whole.fragment(fragsize=1400)]
    flow = ["udp", CLIENT, 7, SERVER, 8]
    assert owners(pieces, measured("one", flow)) == [(("bj", "one"),)] * 3


def test_a_recursors_question_belongs_to_all_who_may_have_caused_it() -> None:
    packet = query("www.one.example")
    answer = IP(src="9.9.0.53", dst=RESOLVER) / UDP(sport=53, dport=999)
    everyone = (("bj", "one"), ("sh", "one"))
    assert owners([(1, packet), (2, answer)]) == [everyone, everyone]
    assert owners([(1, query("one.example"))]) == [everyone]


def test_a_question_about_no_target_belongs_to_none() -> None:
    (found,) = owners([(1, query("example"))])
    assert found[0] is not None
    assert found[0][0] == 17


def test_a_vantages_own_question_needs_no_measured_flow() -> None:
    assert owners([(1, query("two.example", src=CLIENT))]) == [(("bj", "two"),)]


def test_what_is_no_ip_belongs_to_nobody() -> None:
    assert of_measurements(QUESTION, {}).sort([Frame(0, 0, b"\0\0", 2)]) == [(None,)]


@given(st.lists(st.binary(max_size=60)))
def test_any_bytes_have_owners(packets: list[bytes]) -> None:
    frames = [Frame(n, 0, data, len(data)) for n, data in enumerate(packets)]
    found = of_measurements(QUESTION, {}).sort(frames)
    assert len(found) == len(packets)
    assert all(found)
