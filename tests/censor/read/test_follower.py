"""Followers as transcripts: QUIC, DTLS, calls' media, and first impressions."""

from __future__ import annotations

import random
import ssl
from itertools import pairwise
from typing import Any

import pytest
from aioquic.buffer import encode_uint_var
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.crypto import CryptoPair
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
from censor.wire import forge

V1, V2 = 1, 0x6B3343CF
ACCEPT, DROP = Verdict.ACCEPT, Verdict.DROP
BLOCKED: dict[str, Any] = {"suffix": ["blocked.example"]}
SNI: dict[str, Any] = {"when": {"quic.sni": BLOCKED}, "then": {"drop": "packet"}}
MEDIA: dict[str, Any] = {"when": {"rtp": True}, "then": {"drop": "packet"}}


def policy(*rules: Any, **more: Any) -> dict[str, Any]:
    listed = [{"id": f"r{n}", **rule} for n, rule in enumerate(rules)]
    return {"position": "in-path", "rules": listed, **more}


def initials(name: str | None, version: int = V1, **more: Any) -> list[bytes]:
    """What aioquic's client sends first."""
    configuration = QuicConfiguration(
        alpn_protocols=["h3"], server_name=name, original_version=version,
        supported_versions=[version], verify_mode=ssl.CERT_NONE, **more,
    )  # fmt: skip
    client = QuicConnection(configuration=configuration)
    client.connect(("93.184.216.34", 443), now=0.0)
    return [data for data, _ in client.datagrams_to_send(now=0.0)]


def seal(frames: bytes, number: int, dcid: bytes = b"\x11" * 8, version: int = V1) -> bytes:
    """Seal an Initial packet around frames, with aioquic."""
    pair = CryptoPair()
    pair.setup_initial(dcid, is_client=True, version=version)
    frames = frames.ljust(20, b"\0")
    first = 0xC0 if version == V1 else 0xD0
    head = bytes((first | 1,)) + version.to_bytes(4, "big") + bytes((len(dcid),)) + dcid + b"\0\0"
    head += (0x4000 | (2 + len(frames) + 16)).to_bytes(2, "big") + number.to_bytes(2, "big")
    sealed: bytes = pair.encrypt_packet(head, frames, number)
    return sealed


def hello_of(name: str) -> bytes:
    context = ssl.create_default_context()
    out = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name).do_handshake()
    return out.read()[5:]


def crypto(offset: int, piece: bytes) -> bytes:
    return b"\6" + encode_uint_var(offset) + encode_uint_var(len(piece)) + piece


def parts(name: str, *cuts: int, order: list[int] | None = None) -> list[bytes]:
    """A ClientHello over several datagrams."""
    hello = hello_of(name)
    edges = [0, *cuts, len(hello)]
    made = [seal(crypto(a, hello[a:b]), number) for number, (a, b) in enumerate(pairwise(edges))]
    return [made[place] for place in order or range(len(made))]


def triggers(talk: Any) -> list[Any]:
    return [event.trigger for event in talk.events() if event.event == "matched"]


# --- QUIC ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "said"), [(V1, "v1"), (V2, "v2")])
def test_a_client_s_initial_is_read(Talk: Any, version: int, said: str) -> None:
    talk = Talk(policy(SNI))
    first = initials("www.blocked.example", version)[0]
    assert talk.udp(first, port=443).verdict is DROP
    assert triggers(talk) == [{"quic.sni": "www.blocked.example", "quic.version": said}]
    assert talk.udp(first, port=443).verdict is DROP  # sent again
    assert talk.udp(initials("www.free.example", version)[0], port=443, sport=40001).settled


def test_what_the_servers_say_is_not_read(Talk: Any) -> None:
    talk = Talk(policy(SNI))
    first = initials("blocked.example")[0]
    talk.udp(b"\x40 short header", port=443)
    assert talk.udp(first, port=443, back=True).verdict is ACCEPT


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1], [2, 1, 0]])
def test_crypto_over_several_datagrams_in_any_order(Talk: Any, order: list[int]) -> None:
    verdicts = []
    talk = Talk(policy(SNI))
    for datagram in parts("blocked.example", 60, 150, order=order):
        verdicts.append(talk.udp(datagram, port=443).verdict)
    assert verdicts == [ACCEPT, ACCEPT, DROP]
    blind = Talk(policy(SNI, quic={"join_datagrams": False}))
    assert [blind.udp(d, port=443).verdict for d in parts("blocked.example", 60, 150)] == [
        ACCEPT
    ] * 3


def test_coalesced_packets_are_read(Talk: Any) -> None:
    both = b"".join(parts("blocked.example", 100))
    assert Talk(policy(SNI)).udp(both, port=443).verdict is DROP


def test_a_large_post_quantum_hello_spans_datagrams_and_evades_the_great_firewall(
    Talk: Any,
) -> None:
    """Source: fact cn-quic-sni: no reassembly of CRYPTO over datagrams."""
    hello = hello_of("blocked.example")
    pieces = [hello[:100], hello[100:]]
    talk = Talk(policy(SNI, quic={"join_datagrams": False, "datagrams": 1, "frames": "leading"}))
    for number, piece in enumerate(pieces):
        frames = crypto(100 * number, piece).ljust(1150, b"\0")
        assert talk.udp(seal(frames, number), port=443).verdict is ACCEPT
    assert talk.words() == []


def test_a_flow_of_which_nothing_can_come_is_settled(Talk: Any) -> None:
    talk = Talk(policy(SNI, quic={"datagrams": 3}))
    assert [talk.udp(b"not quic", port=443).settled for _ in range(4)] == [False, False, True, True]
    assert not talk.udp(b"answer", port=443, sport=40001).settled


def test_answers_do_not_use_up_a_client_s_datagrams(Talk: Any) -> None:
    talk = Talk(policy(SNI))
    first, last = parts("blocked.example", 100)
    talk.udp(first, port=443)
    for _ in range(30):
        assert not talk.udp(b"\xc0 answer", port=443, back=True).settled
    assert talk.udp(last, port=443).verdict is DROP


@pytest.mark.parametrize(
    ("versions", "version", "verdict"),
    [(["v1"], V1, DROP), (["v1"], V2, ACCEPT), (["v2"], V2, DROP), ([0x1A2A3A4A], 0x1A2A3A4A, DROP),
     (["v1", "v2"], 0x1A2A3A4A, ACCEPT)],
)  # fmt: skip
def test_versions(Talk: Any, versions: list[Any], version: int, verdict: Verdict) -> None:
    rule = {"when": {"quic.version": versions}, "then": {"drop": "packet"}}
    talk = Talk(policy(rule))
    if version in (V1, V2):
        datagram = initials("free.example", version)[0]
    else:
        datagram = (b"\xc0" + version.to_bytes(4, "big") + b"\x08" + b"\7" * 8 + b"\0").ljust(1200)
    assert talk.udp(datagram, port=443).verdict is verdict
    assert talk.udp(datagram, port=443).verdict is verdict


def test_media_are_no_unknown_version_of_quic(Talk: Any) -> None:
    talk = Talk(policy({"when": {"quic": True}, "then": {"drop": "packet"}}))
    assert talk.udp(b"\x80\x00\x00\x01" + bytes(170), port=4000).verdict is ACCEPT


def test_a_name_still_unread_is_no_name_that_is_not_listed(Talk: Any) -> None:
    rule = {"when": {"not": {"quic.sni": BLOCKED}}, "then": {"drop": "packet"}}
    talk = Talk(policy(rule))
    first, last = parts("blocked.example", 100)
    assert talk.udp(first, port=443).verdict is ACCEPT
    assert talk.udp(last, port=443).verdict is ACCEPT
    first, last = parts("else.example", 100)
    assert talk.udp(first, port=443, sport=40001).verdict is ACCEPT
    assert talk.udp(last, port=443, sport=40001).verdict is DROP


def test_an_exception_by_name_holds_for_the_flow(Talk: Any) -> None:
    allow = {"when": {"quic.sni": {"exact": ["good.example"]}}, "then": {"allow": True}}
    talk = Talk(policy({"when": {"quic": True}, "then": {"drop": "packet"}}, allow))
    assert talk.udp(initials("good.example")[0], port=443).settled
    assert talk.udp(initials("bad.example")[0], port=443, sport=40001).verdict is DROP


GREAT_FIREWALL: dict[str, Any] = {
    "position": "in-path",
    "limits": {"idle": "60 s"},
    "quic": {"versions": ["v1"], "datagrams": 1, "join_datagrams": False, "frames": "leading"},
    "rules": [
        {
            "id": "quic",
            "when": {
                "quic.sni": BLOCKED,
                "client.port": "above server.port",
                "direction": "outbound",
            },
            "then": {
                "drop": "packet",
                "toward": "client",
                "residual": {"seconds": 180, "then": {"drop": "packet", "toward": "server"}},
            },
            "source": "cn-quic-sni",
        }
    ],
}


def test_the_great_firewall_s_quic_filter(Talk: Any) -> None:
    """Source: fact cn-quic-sni: the trigger passes, the 3-tuple is dropped for 180 s."""
    talk = Talk(GREAT_FIREWALL)
    hello = seal(crypto(0, hello_of("blocked.example")), 0)
    assert talk.udp(hello, port=443).verdict is ACCEPT
    assert [event.event for event in talk.events()] == ["matched", "residual"]
    assert talk.udp(b"\x40 more", port=443).verdict is DROP
    assert talk.udp(b"\x40 answer", port=443, back=True).verdict is ACCEPT
    other = talk.udp(seal(crypto(0, hello_of("free.example")), 0), port=443, sport=40001)
    assert other.verdict is DROP  # another source port, the same 3-tuple
    assert other.events[0].trigger == {"quic.sni": "free.example", "quic.version": "v1"}
    assert talk.udp(b"\x40 more", port=444, sport=40002).verdict is ACCEPT
    assert talk.connection(port=443).segment().verdict is ACCEPT  # TCP is not affected
    talk.now = 181.0
    assert talk.udp(b"\x40 more", port=443, sport=40003).verdict is ACCEPT


@pytest.mark.parametrize(
    ("sport", "dport", "hit"), [(40000, 443, True), (4000, 4433, False), (4433, 4433, False)]
)
def test_only_if_the_source_port_is_above(Talk: Any, sport: int, dport: int, hit: bool) -> None:
    talk = Talk(GREAT_FIREWALL)
    talk.udp(seal(crypto(0, hello_of("blocked.example")), 0), port=dport, sport=sport)
    assert ("matched" in talk.words()) is hit


def test_a_datagram_before_it_blinds_the_great_firewall_for_a_minute(Talk: Any) -> None:
    hello = seal(crypto(0, hello_of("blocked.example")), 0)
    for pause, hit in ((59.0, False), (61.0, True)):
        talk = Talk(GREAT_FIREWALL)
        talk.udp(b"x", port=443)
        talk.now += pause
        talk.udp(hello, port=443)
        assert ("matched" in talk.words()) is hit


def test_inbound_connections_have_been_left_alone_since_2025(Talk: Any) -> None:
    talk = Talk(GREAT_FIREWALL, client="93.184.216.34", server="24.48.0.2")
    datagram = forge.udp(
        forge.Ip(b"\x5d\xb8\xd8\x22", b"\x18\x30\0\2"), 40000, 443,
        seal(crypto(0, hello_of("blocked.example")), 0),
    )  # fmt: skip
    talk.give(datagram, inside=False)
    assert talk.words() == []


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
    body = hello_of(name)[4:]
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
    assert glance(initials("a.example")[0], True) == {"quic.sni": "a.example", "quic.version": "v1"}
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
