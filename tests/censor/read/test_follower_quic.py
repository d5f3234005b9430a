"""QUIC's follower as transcripts: names over several datagrams, versions, and whom it misses."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from censor.engine.decision import Verdict
from censor.wire import forge
from tests.censor.initial import connect, crypto, make_hello, seal
from tests.censor.transcript import policy, triggers

V1, V2 = 1, 0x6B3343CF
ACCEPT, DROP = Verdict.ACCEPT, Verdict.DROP
BLOCKED: dict[str, Any] = {"suffix": ["blocked.example"]}
SNI: dict[str, Any] = {"when": {"quic.sni": BLOCKED}, "then": {"drop": "packet"}}


def parts(name: str, *cuts: int, order: list[int] | None = None) -> list[bytes]:
    """A ClientHello over several datagrams."""
    hello = make_hello(name)
    edges = [0, *cuts, len(hello)]
    made = [
        seal(crypto(a, hello[a:b]), number=number) for number, (a, b) in enumerate(pairwise(edges))
    ]
    return [made[place] for place in order or range(len(made))]


@pytest.mark.parametrize(("version", "said"), [(V1, "v1"), (V2, "v2")])
def test_a_client_s_initial_is_read(Talk: Any, version: int, said: str) -> None:
    talk = Talk(policy(SNI))
    first = connect(version, "www.blocked.example")[0]
    assert talk.udp(first, port=443).verdict is DROP
    assert triggers(talk) == [{"quic.sni": "www.blocked.example", "quic.version": said}]
    assert talk.udp(first, port=443).verdict is DROP  # sent again
    assert talk.udp(connect(version, "www.free.example")[0], port=443, sport=40001).settled


def test_what_the_servers_say_is_not_read(Talk: Any) -> None:
    talk = Talk(policy(SNI))
    first = connect(V1, "blocked.example")[0]
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
    hello = make_hello("blocked.example")
    pieces = [hello[:100], hello[100:]]
    talk = Talk(policy(SNI, quic={"join_datagrams": False, "datagrams": 1, "frames": "leading"}))
    for number, piece in enumerate(pieces):
        frames = crypto(100 * number, piece).ljust(1150, b"\0")
        assert talk.udp(seal(frames, number=number), port=443).verdict is ACCEPT
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
        datagram = connect(version, "free.example")[0]
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
    assert talk.udp(connect(V1, "good.example")[0], port=443).settled
    assert talk.udp(connect(V1, "bad.example")[0], port=443, sport=40001).verdict is DROP


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
    hello = seal(crypto(0, make_hello("blocked.example")))
    assert talk.udp(hello, port=443).verdict is ACCEPT
    assert [event.event for event in talk.events()] == ["matched", "residual"]
    assert talk.udp(b"\x40 more", port=443).verdict is DROP
    assert talk.udp(b"\x40 answer", port=443, back=True).verdict is ACCEPT
    other = talk.udp(seal(crypto(0, make_hello("free.example"))), port=443, sport=40001)
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
    talk.udp(seal(crypto(0, make_hello("blocked.example"))), port=dport, sport=sport)
    assert ("matched" in talk.words()) is hit


def test_a_datagram_before_it_blinds_the_great_firewall_for_a_minute(Talk: Any) -> None:
    hello = seal(crypto(0, make_hello("blocked.example")))
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
        seal(crypto(0, make_hello("blocked.example"))),
    )  # fmt: skip
    talk.give(datagram, inside=False)
    assert talk.words() == []
