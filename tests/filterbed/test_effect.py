"""What an act can be seen as, and whether that is what a truth declares."""

from __future__ import annotations

from typing import Any

import pytest
from scapy.layers.dns import DNS, DNSQR, DNSRR
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Raw

from filterbed.effect import consistent, effects
from filterbed.header import raw
from scenarios import taxonomy
from scenarios.model import Label

BASE = IP(src="8.8.8.8", dst="202.106.45.2")
QUERY = DNSQR(qname="www.facebook.com")


def injected(packet: Any, **more: Any) -> dict[str, Any]:
    return {"event": "injected", "packets": [bytes(packet).hex()], **more}


def answer(*addresses: str, rcode: int = 0) -> Any:
    records = [DNSRR(rrname="www.facebook.com", rdata=a, ttl=60) for a in addresses]
    message = DNS(id=1, qr=1, qd=[QUERY], an=records, rcode=rcode)
    return BASE / UDP(sport=53, dport=4000) / message


CASES = {
    "a forged address": (injected(answer("8.7.198.45")), "dns.injection.other"),
    "a bogon": (injected(answer("10.10.34.36")), "dns.injection.bogon"),
    "class E": (injected(answer("243.185.187.39")), "dns.injection.bogon"),
    "no such name": (injected(answer(rcode=3)), "dns.nxdomain"),
    "refused": (injected(answer(rcode=5)), "dns.refused"),
    "server failure": (injected(answer(rcode=2)), "dns.servfail"),
    "no address": (injected(answer()), "dns.injection.nodata"),
    "reset on SNI": (
        injected(BASE / TCP(flags="RA"), trigger={"tls.sni": "x.org"}),
        "tls.reset.sni",
    ),
    "reset on Host": (
        injected(BASE / TCP(flags="R"), trigger={"http.host": "x.org"}),
        "http.reset.host",
    ),
    "reset over IPv6": (
        injected(IPv6() / TCP(flags="R"), trigger={"http.host": "x.org"}),
        "http.reset.host",
    ),
    "QUIC lost by its server name": (
        {"event": "dropped", "trigger": {"quic.sni": "x.org", "quic.version": "v1"}},
        "quic.timeout.sni",
    ),
    "reset without a trigger": (injected(BASE / TCP(flags="R")), "tcp.reset"),
    "block page": (
        injected(BASE / TCP(flags="PA") / Raw(b"HTTP/1.1 403 Forbidden\r\n\r\n")),
        "http.blockpage",
    ),
    "redirect": (
        injected(BASE / TCP(flags="PA") / Raw(b"HTTP/1.1 302 Found\r\n\r\n")),
        "http.redirect",
    ),
    "reset in the server's own packet": (
        {**injected(BASE / TCP(flags="RA"), trigger={"tls.sni": "x.org"}), "event": "rewritten"},
        "tls.reset.sni",
    ),
    "answer in the resolver's own packet": (
        {**injected(answer("8.7.198.45")), "event": "rewritten"},
        "dns.injection.other",
    ),
    "SIP refused over TCP": (
        injected(BASE / TCP(flags="PA") / Raw(b"SIP/2.0 403 Forbidden\r\n\r\n")),
        "sip.register.reject",
    ),
    "call ended": (injected(BASE / UDP() / Raw(b"BYE sip:a@b SIP/2.0\r\n\r\n")), "sip.bye"),
    "SYN lost": (
        {"event": "dropped", "flow": {"protocol": "tcp"}},
        "tcp.timeout",
    ),
    "query lost": (
        {"event": "dropped", "flow": {"protocol": "udp"}, "trigger": {"dns.name": "x.org"}},
        "dns.timeout",
    ),
    "leaf forged": (
        {"event": "intercepted", "signed": "ca", "trigger": {"tls.sni": "x.org"}},
        "tls.mitm.ca_signed",
    ),
    "leaf that signs itself": (
        {"event": "intercepted", "signed": "self", "trigger": {"tls.sni": "x.org"}},
        "tls.mitm.self_signed",
    ),
    "REGISTER lost": (
        {"event": "dropped", "flow": {"protocol": "udp"}, "trigger": {"sip.method": "REGISTER"}},
        "sip.register.timeout",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_an_act_is_what_it_looks_like(name: str) -> None:
    event, node = CASES[name]
    assert consistent(Label("blocked", frozenset({node}), "network"), [event])
    assert all(taxonomy.is_node(effect) for effect in effects(event))


#: Without a trigger these can be seen at several layers.
VAGUE = {"SYN lost", "reset without a trigger"}
KINDS = frozenset({
    "dns.injection.other", "dns.nxdomain", "dns.refused", "http.reset.host", "tls.reset.sni",
    "http.blockpage", "sip.register.timeout", "dns.timeout",
})  # fmt: skip


@pytest.mark.parametrize(
    "forged", [answer("8.7.198.45"), answer("10.0.0.1"), answer(rcode=3), answer()]
)
def test_what_a_recursor_cannot_verify_shows_as_its_failure(forged: Any) -> None:
    label = Label("blocked", frozenset({"dns.servfail"}), "network")
    validating = frozenset({raw("61.128.128.67")})
    flow = {"protocol": "udp", "client": "61.128.128.67", "server": "192.5.6.30"}
    asked, other = injected(forged, flow=flow), injected(forged, flow={**flow, "client": "1.2.3.4"})
    assert consistent(label, [asked], None, validating)
    assert not consistent(label, [asked])
    assert not consistent(label, [other], None, validating)
    assert not consistent(label, [injected(forged)], None, validating)
    assert not consistent(label, [injected(BASE / TCP(flags="R"), flow=flow)], None, validating)


@pytest.mark.parametrize("name", sorted(CASES.keys() - VAGUE))
def test_and_nothing_of_another_kind(name: str) -> None:
    event, node = CASES[name]
    others = {kind for kind in KINDS if kind.split(".")[:2] != node.split(".")[:2]}
    assert not consistent(Label("blocked", frozenset(others), "network"), [event])


def test_a_memorys_act_is_residual_too_and_a_match_alone_is_none() -> None:
    event = injected(BASE / TCP(flags="R"), residual=True)
    assert consistent(Label("blocked", frozenset({"residual"}), "network"), [event])
    assert effects({"event": "matched", "rule": "x"}) == frozenset()
    assert not consistent(Label("blocked", frozenset({"dns.nxdomain"}), "network"), [])
    assert consistent(Label("blocked", frozenset(), "network"), [])


def test_of_a_connection_taken_over_the_client_sees_no_reset() -> None:
    reset = injected(BASE / TCP(flags="RA"), trigger={"tls.sni": "x.org"}, n=4)
    taken = {"event": "intercepted", "signed": "ca", "n": 4}
    label = Label("blocked", frozenset({"tls.reset.sni"}), "network")
    assert consistent(label, [reset])
    assert not consistent(label, [reset, taken])
    assert consistent(label, [{**reset, "n": 5}, taken])


@pytest.mark.parametrize("data", ["", "00", "45", "ff" * 60])
def test_bytes_that_are_no_packet_have_no_effect(data: str) -> None:
    assert effects({"event": "injected", "packets": [data]}) == frozenset()


def dropped(trigger: dict[str, Any], **more: Any) -> dict[str, Any]:
    flow = {"protocol": more.pop("protocol", "udp")}
    return {"event": "dropped", "rule": "r", "flow": flow, "trigger": trigger, **more}


MEDIA: dict[str, tuple[dict[str, Any], str]] = {
    "lost": ({"drop": "flow"}, "rtp.timeout"),
    "lost one way": ({"drop": "flow", "toward": "client"}, "rtp.oneway"),
    "thinned": ({"thin": 0.7}, "rtp.loss"),
    "policed": ({"police": "12 kbit/s"}, "rtp.throttle"),
    "cut": ({"cut": {"seconds": 20}}, "rtp.timeout"),
    "cut one way": ({"cut": {"seconds": 20}, "toward": "server"}, "rtp.oneway"),
}


@pytest.mark.parametrize("name", MEDIA)
def test_what_media_suffers_is_told_by_the_rule(name: str) -> None:
    act, node = MEDIA[name]
    for trigger in ({"rtp": 0}, {"rtcp": 200}):
        assert effects(dropped(trigger, toward="client"), {"r": [act]}) == {node}
    assert effects(dropped({"rtp": 0})) == {"rtp"}  # nobody knows the rule


def test_held_media_is_uneven_and_one_way_twice_is_both() -> None:
    held = {**dropped({"rtp": 0}), "event": "held"}
    assert effects(held, {"r": [{"delay": "0 ms", "jitter": "300 ms"}]}) == {"rtp.jitter"}
    rules = {end[0]: [{"drop": "flow", "toward": end}] for end in ("client", "server")}
    acts = [dropped({"rtp": 0}, toward=end, rule=end[0]) for end in ("client", "server")]
    gone = Label("blocked", frozenset({"rtp.timeout"}), "network")
    assert consistent(gone, acts, rules)
    assert not consistent(gone, acts[:1], rules)


LOST: dict[str, tuple[dict[str, Any], set[str], set[str]]] = {
    "QUIC by name": ({"quic.sni": "x.org", "quic.version": "v1"},
                     {"quic.timeout.sni"}, {"quic.timeout", "udp.timeout", "rtp.timeout"}),
    "QUIC": ({"quic.version": "v1"}, {"quic.timeout"}, {"quic.timeout.sni", "dns.timeout"}),
    "DTLS": ({"dtls.sni": None}, {"udp.timeout", "rtp.timeout"}, {"quic.timeout", "stun.timeout"}),
    "STUN": ({"stun.method": "binding"}, {"stun.timeout", "rtp.oneway"}, {"turn.timeout"}),
    "TURN": ({"stun.method": "allocate"}, {"turn.timeout"}, {"stun.timeout", "sip"}),
    "noise": ({"first.like": [], "first.fully_encrypted": True},
              {"proto.timeout.encrypted", "proto.timeout.allowlist"}, {"tls.timeout"}),
    "TLS at first sight": ({"first.like": ["tls"], "first.fully_encrypted": False},
                           {"tls.timeout"}, {"proto.timeout.allowlist", "http.timeout"}),
    "SSH at first sight": ({"first.like": ["ssh"], "first.fully_encrypted": False},
                           {"proto.timeout"}, {"proto.timeout.encrypted"}),
    "ACK": ({"sip.method": "ACK"}, {"sip.invite.timeout"}, {"sip.register.timeout"}),
}  # fmt: skip


@pytest.mark.parametrize("name", LOST)
def test_what_is_lost_is_told_by_the_trigger(name: str) -> None:
    trigger, seen, unseen = LOST[name]
    found = effects(dropped(trigger))
    assert seen <= found
    assert not unseen & found
    assert all(map(taxonomy.is_node, found))


@pytest.mark.parametrize("method", ["REGISTER", "INVITE"])
def test_a_refusal_refuses_what_it_answers(method: str) -> None:
    said = f"SIP/2.0 403 Forbidden\r\nCSeq: 1 {method}\r\n\r\n".encode()
    assert effects(injected(BASE / UDP() / Raw(said))) == {f"sip.{method.lower()}.reject"}


@pytest.mark.parametrize(
    ("act", "slow"), [({"drop": "flow"}, False), ({"police": 128_000}, True), ({"thin": 0.3}, True)]
)
def test_slow_is_what_a_rule_slows_down(act: dict[str, Any], slow: bool) -> None:
    lost = {"event": "dropped", "rule": "r", "flow": {"protocol": "udp", "client": "24.48.0.2"},
            "trigger": {"quic.version": 1, "quic.sni": "www.blocked.example"}}  # fmt: skip
    seen = effects(lost, {"r": [act]})
    assert ("quic.throttle" in seen) is slow
    assert "quic.timeout.sni" in seen
