"""Fragments: put together within bounds, as scapy cuts them, in both families."""

from __future__ import annotations

from ipaddress import ip_address
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet import fragment as cut_up
from scapy.layers.inet6 import (
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    fragment6,
)
from scapy.packet import Raw

from censor.engine.decision import Verdict
from censor.engine.engine import Engine
from censor.follow.fragment import Fragments, Ip
from censor.policy.loader import load
from censor.wire import forge
from censor.wire.packet import Packet, parse

CLIENT, SERVER = "24.48.0.2", "93.184.216.34"
CLIENT6, SERVER6 = "2600:1::2", "2606:2800:220:1::34"
ASK = b"GET / HTTP/1.1\r\nHost: www.blocked.example\r\n\r\n"
OTHER = ASK.replace(b"blocked", b"allowed")
TO_PORT = TCP(sport=4000, dport=80, flags="PA", seq=1001, ack=1)
PACKET = IP(src=CLIENT, dst=SERVER, id=7) / TO_PORT / Raw(ASK)
HOST = {"http.host": {"suffix": ["blocked.example"]}}


def fragment(packet: Any, size: int) -> list[Any]:
    return list(cut_up(packet, size))  # type: ignore[no-untyped-call]


def read(packet: Any) -> Packet:
    parsed = parse(bytes(packet))
    assert isinstance(parsed, Packet)
    return parsed


def piece(
    offset: int, payload: bytes, *, more: bool = True, number: int = 7, proto: int = 6
) -> Any:
    """Return a fragment of PACKET with another payload at an offset in bytes."""
    head = IP(src=CLIENT, dst=SERVER, id=number, proto=proto, frag=offset // 8, flags="MF" * more)
    return head / Raw(payload)


def six(ahead: Any = None) -> list[Any]:
    """Return PACKET's twin in IPv6, in fragments, with headers ahead of the fragment's own."""
    inner = IPv6(src=CLIENT6, dst=SERVER6)
    whole = (inner / ahead if ahead else inner) / IPv6ExtHdrFragment(id=9) / TO_PORT
    return list(fragment6(whole / Raw(ASK * 40), 1280))  # type: ignore[no-untyped-call]


# --- putting together --------------------------------------------------------------------------


@pytest.mark.parametrize("size", [8, 16, 24, 32])
def test_what_scapy_cuts_is_put_together(size: int) -> None:
    fragments = Fragments(Ip("reassemble"))
    parts = fragment(PACKET, size)
    assert [fragments.feed(read(part), 0.0) for part in parts[1:]] == [None] * (len(parts) - 1)
    whole = fragments.feed(read(parts[0]), 0.0)
    assert whole is not None
    assert whole.joined
    assert whole.data == bytes(PACKET)
    assert whole.intact()
    assert len(fragments) == 0


@pytest.mark.parametrize(
    "ahead",
    [
        None,
        IPv6ExtHdrHopByHop(),
        IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / IPv6ExtHdrRouting(segleft=0),
    ],
    ids=["none", "hop-by-hop", "three"],
)
def test_ipv6_too_whatever_stands_ahead(ahead: Any) -> None:
    fragments = Fragments(Ip("reassemble"))
    parts = six(ahead)
    assert len(parts) > 1
    found = [fragments.feed(read(part), 0.0) for part in reversed(parts)]
    assert found[:-1] == [None] * (len(parts) - 1)
    whole = found[-1]
    assert whole is not None
    assert whole.joined
    assert whole.payload == ASK * 40
    assert whole.intact()
    assert (whole.sport, whole.dport) == (4000, 80)


@given(
    st.lists(st.tuples(st.integers(0, 12), st.binary(min_size=8, max_size=40)), max_size=12),
    st.sampled_from(["first", "last"]),
    st.randoms(use_true_random=False),
)
def test_overlaps_are_settled_as_told(
    extra: list[tuple[int, bytes]], overlap: Any, luck: Any
) -> None:
    """Against a model that keeps every byte by its place."""
    data = bytes(PACKET)[20:]
    pieces = [(offset, data[offset : offset + 16]) for offset in range(0, len(data), 16)]
    pieces += [(8 * place, junk) for place, junk in extra if 8 * place + len(junk) < len(data)]
    luck.shuffle(pieces)
    fragments = Fragments(Ip("reassemble", overlap))
    kept: dict[int, int] = {}
    for offset, payload in pieces:
        more = offset + len(payload) < len(data)
        payload = payload[: len(payload) & ~7] if more else payload
        for place, byte in enumerate(payload, offset):
            if overlap == "last" or place not in kept:
                kept[place] = byte
        whole = fragments.feed(read(piece(offset, payload, more=more, proto=99)), 0.0)
        if len(kept) == len(data):
            assert whole is not None
            assert whole.data[20:] == bytes(kept[place] for place in range(len(data)))
            return
        assert whole is None


def test_fragments_of_others_are_not_mixed() -> None:
    fragments = Fragments(Ip("reassemble"))
    parts = fragment(PACKET, 32)
    for part in parts[:-1]:
        fragments.feed(read(part), 0.0)
    last = parts[-1].copy()
    last.id = 8
    assert fragments.feed(read(last), 0.0) is None
    assert fragments.feed(read(parts[-1]), 0.0) is not None
    assert len(fragments) == 1


def test_what_waits_too_long_is_forgotten() -> None:
    for wait, whole in ((30.0, True), (30.1, False)):
        fragments = Fragments(Ip("reassemble"))
        first, second = fragment(PACKET, 40)
        fragments.feed(read(first), 0.0)
        assert (fragments.feed(read(second), wait) is not None) is whole


def test_there_are_never_too_many() -> None:
    fragments = Fragments(Ip("reassemble", limit=3, most=2))
    for number in range(5):
        fragments.feed(read(piece(0, bytes(8), number=number)), 0.0)
    assert len(fragments) == 3
    assert fragments.evicted == [("datagram", 3)] * 2
    for _ in range(2):
        fragments.feed(read(piece(16, bytes(8), number=4)), 0.0)
    assert fragments.evicted[2:] == [("fragments of a datagram", 2)]
    assert len(fragments) == 2


def test_what_is_too_long_for_a_packet_is_none() -> None:
    fragments = Fragments(Ip("reassemble"))
    for offset in range(0, 65528, 8192):
        fragments.feed(read(piece(offset, bytes(8192), proto=99)), 0.0)
    assert fragments.feed(read(piece(65528, bytes(64), more=False, proto=99)), 0.0) is None


# --- what the box does -----------------------------------------------------------------------


def engine(fragments: str, then: Any = None, *, when: Any = None, **more: Any) -> Engine:
    rule = {"id": "r", "when": when or HOST, "then": then or {"drop": "packet"}}
    ip = {"fragments": fragments, **more}
    document = {"position": "in-path", "ip": ip, "tcp": {"require_handshake": False}}
    return Engine(load({**document, "rules": [rule]}))


def give(box: Engine, parts: Any, *, now: float = 0.0) -> list[str]:
    return [box.receive(bytes(part), now=now, inside=True).verdict.value for part in parts]


@pytest.mark.parametrize(
    ("mode", "verdicts"),
    [
        ("as-they-come", ["accept", "accept"]),
        ("first", ["accept", "accept"]),
        ("ignore", ["accept", "accept"]),
        ("reassemble", ["accept", "drop"]),
        ("drop", ["drop", "drop"]),
    ],
)
def test_a_request_in_fragments(mode: str, verdicts: list[str]) -> None:
    assert give(engine(mode), fragment(PACKET, 40)) == verdicts


@pytest.mark.parametrize(("mode", "seen"), [("first", True), ("ignore", False)])
def test_a_request_whole_in_its_first_fragment(mode: str, seen: bool) -> None:
    parts = fragment(PACKET / Raw(bytes(100)), 120)
    assert give(engine(mode), parts) == ["drop" if seen else "accept", "accept"]


def test_in_ipv6() -> None:
    for mode, verdict in (("first", "accept"), ("reassemble", "drop"), ("drop", "drop")):
        whole = IPv6(src=CLIENT6, dst=SERVER6) / IPv6ExtHdrFragment(id=9) / TO_PORT
        text = b"GET /" + b"x" * 1300 + ASK[5:]
        parts = fragment6(whole / Raw(text), 1280)  # type: ignore[no-untyped-call]
        assert give(engine(mode), parts)[-1] == verdict


@pytest.mark.parametrize(("overlap", "verdict"), [("first", "accept"), ("last", "drop")])
def test_overlapping_fragments_evade_who_keeps_the_other_copy(overlap: str, verdict: str) -> None:
    data, junk = bytes(PACKET)[20:], bytes(IP() / TO_PORT / Raw(OTHER))[20:]
    parts = [piece(40, junk[40:], more=False), piece(40, data[40:], more=False),
             piece(0, data[:40])]  # fmt: skip
    assert give(engine("reassemble", overlap=overlap), parts)[-1] == verdict


def test_a_refused_datagram_is_not_completed_behind_the_box() -> None:
    box = engine("reassemble")
    first, second = fragment(PACKET, 40)
    assert give(box, [first, second, second, first, second]) == ["accept"] + ["drop"] * 4
    assert give(box, [first, second], now=31.0) == ["accept", "drop"]
    decision = box.receive(bytes(second), now=31.0, inside=True)
    assert [(event.event, event.rule) for event in decision.events] == [("dropped", "r")]


def test_rules_about_addresses_hold_for_every_fragment() -> None:
    when = {"server.address": [SERVER]}
    for mode in ("first", "reassemble"):
        assert give(engine(mode, when=when), fragment(PACKET, 40)) == ["drop", "drop"]


def test_what_was_put_together_is_not_rewritten() -> None:
    box = engine("reassemble", {"rewrite": "packet", "ttl": 9})
    for part in fragment(PACKET, 40):
        assert box.receive(bytes(part), now=0.0, inside=True).data is None
    assert box.receive(bytes(PACKET), now=0.0, inside=True).verdict is Verdict.REWRITE


def test_a_reset_for_a_request_in_fragments_has_the_requests_numbers() -> None:
    box = engine("reassemble", {"inject": "reset", "toward": "client"})
    decision = [box.receive(bytes(part), now=0.0, inside=True) for part in fragment(PACKET, 40)][-1]
    (injection,) = decision.injections
    forged = IP(injection.data)
    assert (forged.src, forged[TCP].dport, forged[TCP].seq) == (SERVER, 4000, 1)
    assert forged[TCP].ack == 1001 + len(ASK)


def test_giving_up_is_said() -> None:
    box = engine("reassemble", most=2)
    parts = fragment(PACKET, 24)
    words = [e.detail for p in parts for e in box.receive(bytes(p), now=0.0, inside=True).events]
    assert words == [{"what": "fragments of a datagram", "limit": 2}]


@pytest.mark.parametrize("header", [IPv6ExtHdrHopByHop, IPv6ExtHdrDestOpt, IPv6ExtHdrRouting])
@pytest.mark.parametrize(("habit", "verdict"), [("walk", "drop"), ("blind", "accept")])
def test_extension_headers_are_walked_or_not(header: Any, habit: str, verdict: str) -> None:
    packet = IPv6(src=CLIENT6, dst=SERVER6) / header() / TO_PORT / Raw(ASK)
    box = engine("as-they-come", extension_headers=habit)
    assert give(box, [packet]) == [verdict]
    assert give(box, [IPv6(src=CLIENT6, dst=SERVER6) / TO_PORT / Raw(ASK)]) == ["drop"]


def test_a_blind_box_still_sees_addresses() -> None:
    box = engine("first", when={"server.address": [SERVER6]}, extension_headers="blind")
    packet = IPv6(src=CLIENT6, dst=SERVER6) / IPv6ExtHdrHopByHop() / TO_PORT
    assert give(box, [packet]) == ["drop"]


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 0xFFFF), st.integers(0, 3), st.sampled_from([0, 6, 17, 44, 60]),
            st.binary(max_size=80), st.booleans(), st.floats(0, 20),
        ),
        max_size=30,
    ),
    st.sampled_from(["first", "ignore", "reassemble", "drop"]),
    st.sampled_from(["walk", "blind"]),
)  # fmt: skip
def test_any_fragments_give_a_decision(
    steps: list[tuple[int, int, int, bytes, bool, float]], mode: str, habit: str
) -> None:
    box = engine(mode, extension_headers=habit, when={"not": {"protocol": "icmp"}})
    now = 0.0
    for field, number, protocol, payload, later, step in steps:
        now += step
        if later:
            body = bytes((protocol, 0)) + field.to_bytes(2, "big") + number.to_bytes(4, "big")
            head = b"\x60\0\0\0" + len(body + payload).to_bytes(2, "big") + b"\x2c\x40"
            ends = ip_address(CLIENT6).packed + ip_address(SERVER6).packed
            data = head + ends + body + payload
        else:
            made = forge.udp(forge.Ip(b"\1\1\1\1", b"\2\2\2\2", ip_id=number), 4, 53, payload)
            data = made[:6] + field.to_bytes(2, "big") + made[8:9] + bytes((protocol,)) + made[10:]
        box.receive(data, now=now, inside=True)
        assert len(box._fragments) <= 256


def test_a_cut_anywhere_is_seen_through() -> None:
    data = bytes(PACKET)[20:]
    for cut in range(8, len(data), 8):
        parts = [
            piece(start, data[start:stop], more=stop < len(data))
            for start, stop in pairwise([0, cut, len(data)])
        ]
        for order in (parts, parts[::-1]):
            assert give(engine("reassemble"), order) == ["accept", "drop"]


def test_udp_in_fragments_is_one_datagram() -> None:
    packet = IP(src=CLIENT, dst=SERVER, id=3) / UDP(sport=5, dport=9) / Raw(bytes(100))
    fragments = Fragments(Ip("reassemble"))
    whole = [fragments.feed(read(part), 0.0) for part in fragment(packet, 48)][-1]
    assert whole is not None
    assert (whole.dport, whole.payload_length) == (9, 100)
