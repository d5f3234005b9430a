"""Followers as transcripts: DTLS, calls' media, and first impressions."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censor.dissect.outcome import Foreign, Incomplete
from censor.engine.decision import Verdict
from censor.policy.document import PolicyDocument
from censor.policy.loader import load
from censor.policy.meaning import readings
from censor.read.follower import FOLLOWERS, REPEATS, Follower, SignatureFollower, glance
from censor.read.found import Found
from censor.rule.rules import App, Reading
from tests.censor.initial import connect, make_hello
from tests.censor.transcript import policy, triggers

V1, V2 = 1, 0x6B3343CF
ACCEPT, DROP = Verdict.ACCEPT, Verdict.DROP
BLOCKED: dict[str, Any] = {"suffix": ["blocked.example"]}
MEDIA: dict[str, Any] = {"when": {"rtp": True}, "then": {"drop": "packet"}}


# --- media -----------------------------------------------------------------------------------


def rtp(number: int, *, ssrc: int = 7, kind: int = 0) -> bytes:
    return (
        bytes((0x80, kind)) + number.to_bytes(2, "big") + (160 * number).to_bytes(4, "big")
        + ssrc.to_bytes(4, "big") + bytes(160)
    )  # fmt: skip


REPORT = b"\x80\xc9\x00\x01\x00\x00\x00\x07"


def test_media_are_told_by_how_they_behave_and_dropped_from_then_on(Talk: Any) -> None:
    talk = Talk(policy(MEDIA))
    verdicts = [talk.udp(rtp(n), port=4000).verdict for n in range(50)]
    assert verdicts == [ACCEPT, ACCEPT] + [DROP] * 48
    assert talk.words().count("matched") == 1  # said once a flow
    assert talk.udp(rtp(9, ssrc=8), port=4000, back=True).verdict is DROP
    assert talk.udp(REPORT, port=4000).verdict is ACCEPT
    assert triggers(talk) == [{"rtp": 0}]


def test_reports_are_another_matter(Talk: Any) -> None:
    talk = Talk(policy({"when": {"rtcp": True}, "then": {"drop": "packet"}}))
    assert talk.udp(REPORT, port=4000).verdict is ACCEPT
    for n in range(5):
        assert talk.udp(rtp(n), port=4000).verdict is ACCEPT
    assert talk.udp(REPORT, port=4000).verdict is DROP


def test_random_bytes_are_no_media(Talk: Any) -> None:
    luck = random.Random(1)
    talk = Talk(policy(MEDIA))
    settled = [talk.udp(luck.randbytes(172), port=4000).settled for _ in range(64)]
    back = [talk.udp(luck.randbytes(172), port=4000, back=True).settled for _ in range(33)]
    assert not any(settled)  # the server may still begin
    assert back.index(True) == 31
    assert talk.words() == []


def sdp(address: str, port: int) -> bytes:
    return (
        f"v=0\r\no=- 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP 0\r\n"
    ).encode()


def call(start: str, body: bytes, *, method: str = "INVITE") -> bytes:
    head = (
        f"{start}\r\nVia: SIP/2.0/UDP 24.48.0.2:5060;branch=z9hG4bK1\r\n"
        f"From: <sip:a@x.example>;tag=1\r\nTo: <sip:b@x.example>\r\nCall-ID: 1\r\n"
        f"CSeq: 1 {method}\r\nContent-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


ANNOUNCED: dict[str, Any] = policy(MEDIA, rtp={"by": ["sdp"]})


def test_media_are_known_from_the_call_that_announced_them(Talk: Any) -> None:
    talk = Talk(ANNOUNCED)
    talk.udp(call("INVITE sip:b@x.example SIP/2.0", sdp("24.48.0.2", 6000)), port=5060)
    talk.udp(call("SIP/2.0 200 OK", sdp("93.184.216.34", 7000)), port=5060, back=True)
    assert talk.udp(rtp(1), port=7000, sport=6000).verdict is DROP  # the first one already
    assert talk.udp(rtp(1), port=7000, sport=6000, back=True).verdict is DROP
    assert talk.udp(rtp(1), port=7000, sport=6999).verdict is DROP  # behind a NAT
    other = [talk.udp(rtp(n), port=7002, sport=6999) for n in range(8)]
    assert {decision.verdict for decision in other} == {ACCEPT}
    assert other[-1].settled  # by then no more calls are expected on it either


def test_a_call_over_tcp_announces_too(Talk: Any) -> None:
    talk = Talk(ANNOUNCED)
    tcp = talk.connection(port=5060)
    offer = call("INVITE sip:b@x.example SIP/2.0", sdp("24.48.0.2", 6000))
    tcp.say(offer[:300])
    tcp.say(offer[300:])
    assert talk.udp(rtp(1), port=7000, sport=6000).verdict is DROP


def test_an_announcement_is_good_for_ten_minutes(Talk: Any) -> None:
    talk = Talk(ANNOUNCED)
    talk.udp(call("INVITE sip:b@x.example SIP/2.0", sdp("24.48.0.2", 6000)), port=5060)
    talk.now = 601.0
    assert talk.udp(rtp(1), port=7000, sport=6000).verdict is ACCEPT


def test_datagrams_of_an_announced_flow_that_are_no_media_pass(Talk: Any) -> None:
    talk = Talk(ANNOUNCED)
    talk.udp(call("INVITE sip:b@x.example SIP/2.0", sdp("24.48.0.2", 6000)), port=5060)
    assert talk.udp(b"\0\1\0\0" + bytes(16), port=7000, sport=6000).verdict is ACCEPT


# --- STUN and TURN ---------------------------------------------------------------------------


def stun(method: int, *attributes: tuple[int, bytes]) -> bytes:
    body = b"".join(
        kind.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value + bytes(-len(value) % 4)
        for kind, value in attributes
    )
    kind = (method & 0xF) | (method & 0x70) << 1
    return kind.to_bytes(2, "big") + len(body).to_bytes(2, "big") + b"\x21\x12\xa4\x42" + (
        b"t" * 12
    ) + body  # fmt: skip


CHANNEL = b"\x40\x01\x00\x04abcd"


@pytest.mark.parametrize(
    ("when", "binding", "allocate", "channel"),
    [
        ({"stun": True}, DROP, DROP, DROP),
        ({"stun.method": ["binding"]}, DROP, ACCEPT, ACCEPT),
        ({"stun.method": ["allocate", "channel-data"]}, ACCEPT, DROP, DROP),
        ({"stun.turn": True}, ACCEPT, DROP, DROP),
        ({"stun.turn": False}, DROP, ACCEPT, ACCEPT),
    ],
)
def test_stun_and_turn_over_udp(
    Talk: Any, when: Any, binding: Verdict, allocate: Verdict, channel: Verdict
) -> None:
    talk = Talk(policy({"when": when, "then": {"drop": "packet"}}))
    assert talk.udp(stun(1), port=3478).verdict is binding
    assert talk.udp(stun(3), port=3478).verdict is allocate
    assert talk.udp(CHANNEL, port=3478).verdict is channel
    assert talk.udp(CHANNEL, port=3478, back=True).verdict is channel
    assert talk.udp(b"\x80\0 media", port=3478).verdict is ACCEPT


def test_turn_over_tcp_message_by_message(Talk: Any) -> None:
    rule = {"when": {"stun.method": ["channel-data"]}, "then": {"drop": "packet"}}
    talk = Talk(policy(rule))
    tcp = talk.connection(port=3478)
    assert tcp.say(stun(3)).verdict is ACCEPT
    assert tcp.say(stun(3), back=True).verdict is ACCEPT
    assert tcp.say(CHANNEL).verdict is DROP
    again = talk.connection(port=3478, sport=50001)
    assert again.say(stun(3)).verdict is ACCEPT
    again.say(stun(3)[:7], back=True)
    assert again.say(stun(3)[7:] + CHANNEL, back=True).verdict is DROP


def test_whose_calls_they_are(Talk: Any) -> None:
    """Source: fact dpi-whatsapp."""
    rule = {"when": {"stun.application": ["whatsapp"]}, "then": {"drop": "packet"}}
    talk = Talk(policy(rule))
    assert talk.udp(stun(3, (0x4000, b"\0\0\0\1")), port=3478).verdict is DROP
    assert talk.udp(stun(3, (0x0006, b"user")), port=3478).verdict is ACCEPT


# --- DTLS ------------------------------------------------------------------------------------


def dtls(name: str, *, sequence: int = 0) -> bytes:
    """A DTLS 1.2 ClientHello in one record, out of OpenSSL's TLS one."""
    body = make_hello(name)[4:]
    at = 35 + body[34]
    body = b"\xfe\xfd" + body[2:at] + b"\0" + body[at:]
    size = len(body).to_bytes(3, "big")
    message = b"\1" + size + sequence.to_bytes(2, "big") + b"\0\0\0" + size + body
    return b"\x16\xfe\xff" + bytes(7) + b"\1" + len(message).to_bytes(2, "big") + message


def test_dtls_by_name_and_at_all(Talk: Any) -> None:
    named = Talk(policy({"when": {"dtls.sni": BLOCKED}, "then": {"drop": "packet"}}))
    assert named.udp(dtls("blocked.example"), port=4433).verdict is DROP
    assert named.udp(dtls("blocked.example"), port=4433).verdict is DROP
    assert named.udp(dtls("free.example"), port=4433, sport=40001).settled
    assert triggers(named)[0] == {"dtls.sni": "blocked.example"}
    every = Talk(policy({"when": {"dtls": True}, "then": {"drop": "flow"}}))
    assert every.udp(dtls("free.example"), port=4433).verdict is DROP
    assert every.udp(b"\x17\xfe\xfd data", port=4433, back=True).verdict is DROP


# --- first impressions -----------------------------------------------------------------------

FULLY_ENCRYPTED: dict[str, Any] = {
    "when": {"first.fully_encrypted": True, "server.address": ["93.184.0.0/16"]},
    "then": {
        "drop": "flow",
        "toward": "server",
        "residual": {"seconds": 180, "then": {"drop": "packet", "toward": "server"}},
    },
    "source": "cn-fet",
}
NOISE = random.Random(3).randbytes(300)


@pytest.mark.parametrize(
    ("payload", "hit"),
    [
        (NOISE, True),
        (b"\x16\x03\x03" + NOISE, False),
        (b"GET " + NOISE, False),
        (b"abcdef" + NOISE, False),
        (NOISE[:100] + b"x" * 21 + NOISE[100:], False),
        (bytes(300), False),
    ],
)  # fmt: skip
def test_fully_encrypted_traffic(Talk: Any, payload: bytes, hit: bool) -> None:
    """Source: fact cn-fet."""
    talk = Talk(policy(FULLY_ENCRYPTED))
    tcp = talk.connection(port=8388)
    assert (tcp.say(payload).verdict is DROP) is hit
    assert talk.log[-1][2].settled is not hit
    assert (tcp.say(b"more").verdict is DROP) is hit
    assert tcp.say(b"answer", back=True).verdict is ACCEPT
    again = talk.connection(port=8388, sport=50001)
    assert (again.say(b"GET / HTTP/1.1\r\n\r\n").verdict is DROP) is hit
    assert talk.udp(NOISE, port=8388).settled  # not over UDP


def test_only_a_client_s_first_payload_is_judged(Talk: Any) -> None:
    talk = Talk(policy(FULLY_ENCRYPTED))
    tcp = talk.connection(port=22)
    assert tcp.say(b"SSH-2.0-server\r\n", back=True).verdict is ACCEPT
    assert tcp.say(b"SSH-2.0-client\r\n").settled
    assert tcp.say(NOISE).verdict is ACCEPT


PROTOCOL_FILTER: dict[str, Any] = policy(
    {
        "when": {
            "server.port": [53, 80, 443],
            "protocol": "tcp",
            "direction": "outbound",
            "not": {"first.like": ["dns", "http", "tls"]},
        },
        "then": {
            "drop": "flow",
            "toward": "server",
            "residual": {
                "key": "4-tuple", "seconds": 60, "renew": True,
                "then": {"drop": "packet", "toward": "server"},
            },
        },
        "source": "ir-protocol-filter",
    },
    first={"payloads": 2},
)  # fmt: skip


def test_a_protocol_that_is_not_on_the_list(Talk: Any, get: Any, hello: Any, query: Any) -> None:
    """Source: fact ir-protocol-filter: SSH on 443 freezes after the banner."""
    talk = Talk(PROTOCOL_FILTER)
    ssh = talk.connection(port=443)
    assert ssh.say(b"SSH-2.0-client\r\n").verdict is ACCEPT
    assert ssh.say(NOISE).verdict is DROP
    assert ssh.say(b"more").verdict is DROP
    asked = query("a.example")
    for n, first in enumerate((get("a.example"), hello("a.example"),
                               len(asked).to_bytes(2, "big") + asked)):  # fmt: skip
        tcp = talk.connection(port=443, sport=50001 + n)
        assert tcp.say(first).verdict is ACCEPT
        assert tcp.say(NOISE).settled
    assert talk.connection(port=22, sport=50009).say(NOISE).settled


def test_a_payload_sent_again_is_not_the_second_one(Talk: Any) -> None:
    talk = Talk(PROTOCOL_FILTER)
    tcp = talk.connection(port=443)
    tcp.segment(b"SSH-2.0-x\r\n", 24, seq=tcp.seq)
    assert tcp.segment(b"SSH-2.0-x\r\n", 24, seq=tcp.seq).verdict is ACCEPT
    tcp.seq += 11
    assert tcp.say(NOISE).verdict is DROP


# --- any bytes -------------------------------------------------------------------------------


def follower(app: App) -> Follower:
    reading = readings(PolicyDocument.model_validate({"position": "in-path"}))[app]
    return FOLLOWERS[app](reading, False)


@pytest.mark.parametrize("app", list(FOLLOWERS))
@given(datagrams=st.lists(st.tuples(st.binary(max_size=80), st.booleans()), max_size=40))
def test_any_bytes_are_followed(app: App, datagrams: list[tuple[bytes, bool]]) -> None:
    one = follower(app)
    for datagram, from_client in datagrams:
        assert isinstance(one.feed(datagram, from_client), Found | Incomplete | Foreign)


def test_a_glance_at_a_datagram() -> None:
    assert glance(connect(V1, "a.example")[0], True) == {
        "quic.sni": "a.example",
        "quic.version": "v1",
    }
    assert glance(dtls("a.example"), True) == {"dtls.sni": "a.example"}
    assert glance(b"junk", True) is None


def test_all_followers_are_protocols_with_a_reading() -> None:
    loaded = load({"position": "in-path"})
    assert set(FOLLOWERS) < set(loaded.readings)


def test_a_download_that_repeats_itself_is_let_go() -> None:
    follower = SignatureFollower(Reading(None, frozenset((6,)), payloads=4))
    for _ in range(4 + REPEATS):
        assert not follower.finished
        follower.feed(bytes(1000), False, tcp=True)
    assert follower.finished
