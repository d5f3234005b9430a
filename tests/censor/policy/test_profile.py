"""Documented injectors on the wire: every field of what a profile forges against its fact."""

from __future__ import annotations

from typing import Any

import pytest
from scapy.layers.dns import DNS
from scapy.layers.inet import IP, TCP
from scapy.packet import Packet

from censor.policy.loader import load
from censor.policy.profile import PROFILES

WHEN: dict[str, dict[str, Any]] = {
    "reset": {"http.host": {"suffix": ["blocked.example"]}},
    "block-page": {"http.host": {"suffix": ["blocked.example"]}},
    "dns-answer": {"dns.name": {"suffix": ["blocked.example"]}},
    "syn-ack": {"protocol": "tcp"},
    "impostor": {"protocol": "tcp"},
}
POOL = ["8.7.198.45", "59.24.3.173", "78.16.49.15"]


def policy(*acts: Any, when: Any = None, position: str = "on-path") -> dict[str, Any]:
    rule = {"id": "r", "when": when or WHEN["reset"], "then": list(acts)}
    return {"position": position, "rules": [rule]}


def forged(talk: Any, **how: Any) -> list[Packet]:
    return [IP(packet.data) for packet in talk.forged(**how)]


def reset(Talk: Any, get: Any, name: str) -> tuple[Any, list[Packet], list[Packet]]:
    """Trigger a profile's reset; return the connection and what each end is sent."""
    talk = Talk(policy({"inject": "reset", "profile": name}))
    tcp = talk.connection()
    tcp.asked = tcp.seq
    tcp.say(get("www.blocked.example"))
    return tcp, forged(talk, inward=True), forged(talk, inward=False)


def test_every_profile_makes_a_policy_of_its_own_act() -> None:
    for name, profile in PROFILES.items():
        act: dict[str, Any] = {"inject": profile.act, "profile": name}
        if profile.act == "dns-answer" and "addresses" not in profile.keys:
            act["addresses"] = POOL
        load(policy(act, when=WHEN[profile.act]))
        assert profile.fidelity in ("documented", "modelled")


@pytest.mark.parametrize(
    ("name", "flags", "df", "ip_ids", "ttls", "count"),
    [
        ("gfw-2023-type-1", "R", False, range(1), range(55, 119), 1),
        ("gfw-2023-type-2", "RA", True, range(0x00A3, 0xFE60), range(39, 239), 3),
        ("gfw-2023-type-3", "RA", False, range(0x9916, 0x9934), range(248, 249), 1),
    ],
)  # fmt: skip
def test_types_of_2023(
    Talk: Any, get: Any, name: str, flags: str, df: bool, ip_ids: range, ttls: range, count: int
) -> None:
    tcp, to_client, to_server = reset(Talk, get, name)
    assert len(to_client) == len(to_server) == count
    for packets, seq, ack in ((to_client, tcp.ack, tcp.seq), (to_server, tcp.seq, tcp.ack)):
        assert len({bytes(packet) for packet in packets}) == 1  # type II: three identical
        for packet in packets:
            assert (str(packet[TCP].flags), "DF" in packet.flags) == (flags, df)
            assert packet.id in ip_ids
            assert packet.ttl in ttls
            assert (packet[TCP].seq, packet[TCP].ack) == (seq, ack if "A" in flags else 0)
            assert (packet[TCP].window, bytes(packet[TCP].payload)) == (0, b"")


def test_henan(Talk: Any, get: Any) -> None:
    tcp, (packet,), to_server = reset(Talk, get, "henan")
    assert to_server == []
    assert bytes(packet[TCP].payload) == bytes.fromhex("01020304050607080900")
    assert (packet.id, "DF" in packet.flags, packet.ttl, packet[TCP].window) == (1, False, 58, 0)
    assert (str(packet[TCP].flags), packet[TCP].seq) == ("RA", tcp.ack)


def test_henan_looks_at_twenty_byte_headers_only(Talk: Any, get: Any) -> None:
    when = {**WHEN["reset"], "tcp.header_length": [20]}
    talk = Talk(policy({"inject": "reset", "profile": "henan"}, when=when))
    talk.connection(sport=50001).say(get("blocked.example"))
    assert talk.words() == ["matched", "injected"]
    options = IP(src=talk.client, dst=talk.server) / TCP(
        sport=50002, dport=80, flags="S", seq=999, options=[("Timestamp", (1, 0))]
    )
    talk.give(bytes(options))
    options[TCP].flags, options[TCP].seq = "PA", 1000
    talk.give(bytes(options / get("blocked.example")))
    assert talk.words() == ["matched", "injected"]


def test_gfw_2006_counts_from_the_request_s_own_number(Talk: Any, get: Any) -> None:
    tcp, to_client, to_server = reset(Talk, get, "gfw-2006")
    assert [p[TCP].seq - tcp.ack for p in to_client] == [0, 1460, 4380]
    assert [p[TCP].seq - tcp.asked for p in to_server] == [0, 1460, 4380]
    assert {(str(p[TCP].flags), p.ttl, p[TCP].ack) for p in to_client + to_server} == {("R", 47, 0)}


def test_injectors_of_2009(Talk: Any, get: Any) -> None:
    _, (rae,), _ = reset(Talk, get, "gfw-2009-rae")
    assert bytes(rae)[32] & 1 == 1  # the nonce-sum bit
    assert str(rae[TCP].flags) == "RAN"
    _, (same,), _ = reset(Talk, get, "gfw-2009-ipid-64")
    assert same.id == 64
    _, (less,), _ = reset(Talk, get, "gfw-2009-ipid-minus-26")
    assert less.id == 777 - 26  # 777: the trigger's
    tcp, two, _ = reset(Talk, get, "gfw-2009-seq-1460")
    assert [p[TCP].seq - tcp.ack for p in two] == [0, 1460]


def test_classic_types(Talk: Any, get: Any) -> None:
    _, to_client, to_server = reset(Talk, get, "gfw-classic-type-1")
    assert [str(p[TCP].flags) for p in to_client + to_server] == ["R", "R"]
    tcp, to_client, to_server = reset(Talk, get, "gfw-classic-type-2")
    assert [p[TCP].seq - tcp.ack for p in to_client] == [0, 1460, 4380]
    assert {str(p[TCP].flags) for p in to_client} == {"RA"}
    six = to_client + to_server
    assert [p.ttl for p in six] == [64 + n for n in range(6)]
    assert [p[TCP].window for p in six] == [1024 + 13 * n for n in range(6)]


def test_rising_fields_begin_again(Talk: Any, get: Any) -> None:
    act = {"inject": "reset", "count": 5, "toward": "client", "ttl": {"cycle": [60, 62]},
           "ip_id": {"cycle": [9, 12], "step": 3}}  # fmt: skip
    talk = Talk(policy(act))
    talk.connection().say(get("blocked.example"))
    assert [(p.ttl, p.id) for p in forged(talk)] == [(60, 9), (61, 12), (62, 11), (60, 10), (61, 9)]


def test_port_443_in_august_2025(Talk: Any) -> None:
    """SYN and SYN+ACK draw three RST+ACK each; nothing else of a connection draws any."""
    when = {"protocol": "tcp", "server.port": [443], "tcp.flags": ["S", "SA"]}
    talk = Talk(policy({"inject": "reset", "profile": "gfw-2025-port-443"}, when=when))
    tcp = talk.connection(port=443)
    tcp.say(b"anything")
    six = forged(talk)
    assert [(str(p[TCP].flags), p[TCP].seq) for p in six] == [("RA", 0)] * 3 + [("RA", tcp.ack)] * 3
    assert [p.ttl for p in six] == sorted({p.ttl for p in six})
    assert [p[TCP].window for p in six] == sorted({p[TCP].window for p in six})
    talk.connection(port=444, sport=50001)
    assert len(forged(talk)) == 6


def test_turkmenistan(Talk: Any, get: Any, query: Any) -> None:
    _, (packet,), (other,) = reset(Talk, get, "turkmenistan")
    for one in (packet, other):
        assert (one.id, "DF" in one.flags, one.ttl) == (30000, False, 128)
        assert (str(one[TCP].flags), one[TCP].window, bytes(one[TCP].payload)) == ("R", 0, b"")
    talk = Talk(policy({"inject": "dns-answer", "profile": "turkmenistan-dns"},
                       when=WHEN["dns-answer"]))  # fmt: skip
    talk.udp(query("blocked.example"))
    (answer,) = forged(talk)
    assert (answer.id, "DF" in answer.flags, answer.ttl) == (30000, False, 128)
    assert (answer[DNS].an[0].rdata, answer[DNS].an[0].ttl, answer[DNS].qd[0].qname) == (
        "127.0.0.1", 300, b"blocked.example.",
    )  # fmt: skip
    message = bytes(answer[DNS])
    assert message[2:4] == b"\x81\x80"  # qr rd ra


def test_brunei_and_tajikistan(Talk: Any, get: Any) -> None:
    _, (copied,), _ = reset(Talk, get, "brunei")
    assert (copied.id, str(copied[TCP].flags)) == (777, "R")
    _, (zeros,), _ = reset(Talk, get, "tajikistan")
    assert (bytes(zeros[TCP].payload), str(zeros[TCP].flags)) == (bytes(22), "RA")


def test_iran_answers_403_and_resets_the_server_five_times(Talk: Any, get: Any) -> None:
    page = {"inject": "block-page", "profile": "iran-403"}
    five = {"inject": "reset", "profile": "iran-http", "request": "drop"}
    talk = Talk(policy(page, five, position="in-path"))
    tcp = talk.connection()
    begin = tcp.seq
    tcp.say(get("blocked.example"))
    body, end = forged(talk, inward=True)
    assert str(body[TCP].flags) == "FPA"
    assert bytes(body[TCP].payload).startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert b'<iframe src="http://10.10.34.34?' in bytes(body[TCP].payload)
    assert 402 <= 14 + len(body) <= 405  # as frames on Ethernet
    assert (str(end[TCP].flags), 14 + len(end)) == ("RPA", 54)
    assert end[TCP].seq == body[TCP].seq + len(body[TCP].payload) + 1
    resets = forged(talk, inward=False)
    assert [p[TCP].seq - begin for p in resets] == [0, 0, 0, 30, 30]
    assert {str(p[TCP].flags) for p in resets} == {"R"}


def test_cuba_answers_with_an_empty_page_and_resets_both(Talk: Any, get: Any) -> None:
    talk = Talk(policy({"inject": "block-page", "profile": "cuba-2017"}, position="in-path"))
    decision = talk.connection().say(get("skype.blocked.example"))
    assert decision.verdict.value == "drop"
    page, end = forged(talk, inward=True)
    text = bytes(page[TCP].payload)
    assert text.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nServer: V2R2C00-IAE/1.0\r\n" in text
    assert text.endswith(b"\r\n\r\n")
    assert "R" in str(end[TCP].flags)
    (server,) = forged(talk, inward=False)
    assert "R" in str(server[TCP].flags)


def test_spain_wants_both_name_and_address(Talk: Any, hello: Any) -> None:
    name, own = "www.womenonweb.org", "67.213.76.19"
    when = {"tls.sni": {"exact": [name]}, "server.address": [own]}
    for server, sni, words in ((own, name, 3), (own, "free.example", 0), ("1.2.3.4", name, 0)):
        talk = Talk(policy({"inject": "reset"}, when=when), server=server)
        talk.connection(port=443).say(hello(sni))
        assert len(talk.words()) == words


def test_several_injectors_fire_by_chance_each_once_a_flow(Talk: Any, get: Any) -> None:
    chances = {"gfw-2023-type-1": 0.5, "gfw-2023-type-2": 0.45, "gfw-2023-type-3": 0.1}
    acts = [{"inject": "reset", "profile": n, "chance": c} for n, c in chances.items()]
    talk = Talk(policy(*acts), seed=3)
    seen: list[frozenset[str]] = []
    for n in range(1000):
        before = len(talk.log)
        talk.connection(sport=1024 + n).say(get("blocked.example"))
        sent = [IP(i.data) for _, _, d in talk.log[before:] for i in d.injections if i.inward]
        kinds = {(str(p[TCP].flags), "DF" in p.flags) for p in sent}
        seen.append(frozenset({("R", False): "1", ("RA", True): "2", ("RA", False): "3"}[k]
                              for k in kinds))  # fmt: skip
    shares = [sum(kind in one for one in seen) for kind in "123"]
    assert 440 < shares[0] < 560
    assert 390 < shares[1] < 510
    assert 70 < shares[2] < 130
    assert {frozenset("12"), frozenset("13"), frozenset()} <= set(seen)  # not exclusive
    certain = Talk(policy(*acts), certain=True)
    certain.connection().say(get("blocked.example"))
    assert len(certain.forged(inward=True)) == 1 + 3 + 1


# --- DNS -------------------------------------------------------------------------------------


def test_three_injectors_answer_one_query(Talk: Any, query: Any) -> None:
    acts = [{"inject": "dns-answer", "addresses": POOL, "profile": f"gfw-dns-{n}"}
            for n in (1, 2, 3)]  # fmt: skip
    talk = Talk(policy(*acts, when=WHEN["dns-answer"]))
    for n in range(3):
        talk.udp(query("blocked.example"), ttl=41, ip_id=5, sport=4000 + n)
    packets = forged(talk)
    assert len(packets) == 9
    for n, (one, two, three) in enumerate(zip(*[iter(packets)] * 3, strict=True)):
        flags = [bytes(p["UDP"].payload)[2:4] for p in (one, two, three)]
        assert flags == [b"\x85\x80", b"\x81\x80", b"\x81\x80"]
        assert (one[DNS].an[0].ttl, one.ttl, "DF" in one.flags) == (60, 64 + n, False)
        assert ("DF" in two.flags, two.ttl >= 30) == (True, True)
        assert (three.ttl, three.id, "DF" in three.flags) == (41, 0, False)
        assert all(p[DNS].an[0].rdata in POOL and p["UDP"].sport == 53 for p in (one, two, three))
    assert talk.words()[:4] == ["matched", "injected", "injected", "injected"]


def test_injectors_with_lists_of_their_own(Talk: Any, query: Any) -> None:
    def rule(number: int, *names: str) -> dict[str, Any]:
        then = {"inject": "dns-answer", "addresses": POOL, "profile": f"gfw-dns-{number}"}
        return {"id": f"i{number}", "when": {"dns.name": {"suffix": list(names)}}, "then": then,
                "continue": True}  # fmt: skip

    rules = [
        rule(1, "google.example"),
        rule(2, "google.example", "b.example"),
        rule(3, "b.example"),
    ]
    talk = Talk({"position": "on-path", "rules": rules})
    for name, count in (("www.google.example", 2), ("b.example", 2), ("free.example", 0)):
        before = len(talk.forged())
        talk.udp(query(name), sport=4000 + before)
        assert len(talk.forged()) - before == count


def test_wallbleed_serves_its_pool_in_turn(Talk: Any, query: Any) -> None:
    act = {"inject": "dns-answer", "addresses": POOL, "profile": "gfw-dns-wallbleed"}
    talk = Talk(policy(act, when=WHEN["dns-answer"]))
    for n in range(5):
        talk.udp(query("blocked.example"), sport=4000 + n)
    assert [p[DNS].an[0].rdata for p in forged(talk)] == [*POOL, *POOL[:2]]
