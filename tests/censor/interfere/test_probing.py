"""Servers that are asked again what their clients asked: what the prober says, and what follows."""

from __future__ import annotations

from typing import Any

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6

from censor.engine.decision import Verdict
from censor.interfere.probing import LIMIT
from censor.policy.problem import problems

ACCEPT, DROP = Verdict.ACCEPT, Verdict.DROP
PROBER, PROBER6, SPACE = "24.48.0.77", "2600::77", 1 << 32
#: Entropy 7 or so, and not one printable run: what the first packet of Shadowsocks looks like.
SECRET = bytes((7 * n * n + 131 * n + 200) % 256 for n in range(400))
BLOCKED = {"seconds": "12 h", "key": "server", "on": "any", "then": {"drop": "packet"}}


def document(position: str = "in-path", when: Any = None, **act: Any) -> dict[str, Any]:
    asked = {"inject": "probe", "from": [PROBER, PROBER6], **act}
    rule = {"id": "r", "when": when or {"first.fully_encrypted": True}, "then": asked}
    return {"position": position, "rules": [rule]}


class Server:
    """The server that a prober meets: it answers with numbers that fit."""

    def __init__(self, talk: Any, syn: TCP, source: str) -> None:
        self.talk, self.peer, self.source = talk, syn, source
        self.seq, self.ack = SPACE - 1, (syn.seq + 1) % SPACE

    def send(self, flags: str, payload: bytes = b"") -> list[TCP]:
        ip = IPv6 if ":" in self.source else IP
        tcp = TCP(sport=self.peer.dport, dport=self.peer.sport, flags=flags, seq=self.seq,
                  ack=self.ack)  # fmt: skip
        packet = ip(src=self.talk.server, dst=self.source) / tcp / payload
        self.last = self.talk.give(bytes(packet), inside=False)
        self.seq = (self.seq + len(payload) + ("S" in flags) + ("F" in flags)) % SPACE
        assert not any(one.inward for one in self.last.injections)
        answers = [ip(one.data) for one in self.last.injections]
        assert all((one.src, one.dst) == (self.source, self.talk.server) for one in answers)
        return [one[TCP] for one in answers]


def outcomes(talk: Any) -> list[str]:
    return [event.detail["outcome"] for event in talk.events() if event.event == "probed"]


def probed(talk: Any, sport: int = 50000) -> Server:
    """Give cause for a probe; return the server as the prober meets it."""
    decision = talk.connection(port=8388, sport=sport).say(SECRET)
    assert decision.verdict is ACCEPT
    (syn,) = decision.injections
    assert not syn.inward
    packet = (IPv6 if ":" in talk.server else IP)(syn.data)
    assert packet[TCP].flags == "S"
    assert packet.src in (PROBER, PROBER6)
    return Server(talk, packet[TCP], packet.src)


@pytest.mark.parametrize("server", ["93.184.216.34", "2600::34"])
def test_an_identical_replay_comes_from_elsewhere(Talk: Any, server: str) -> None:
    """Source: fact cn-shadowsocks-probing: R1; the first 0.28 s after, and no immediate block."""
    talk = Talk(document("on-path", latency="0 s"), server=server,
                client="2600::2" if ":" in server else "24.48.0.2")  # fmt: skip
    met = probed(talk)
    (after,) = {one.after for _, _, decision in talk.log for one in decision.injections}
    assert after == 0.28
    (said,) = met.send("SA")
    assert (said.seq, said.ack, str(said.flags)) == (met.ack, met.seq, "PA")
    assert bytes(said.payload) == SECRET
    assert outcomes(talk) == []
    met.ack = (met.ack + len(SECRET)) % SPACE
    assert met.send("A") == []
    (end,) = met.send("PA", b"an answer")
    assert (str(end.flags), end.seq) == ("R", met.ack)
    assert outcomes(talk) == ["answered"]
    assert met.send("FA") == []
    assert {decision.verdict for _, _, decision in talk.log} == {ACCEPT}
    assert talk.connection(port=8388, sport=50001).say(b"GET ").verdict is ACCEPT


@pytest.mark.parametrize(
    ("course", "outcome"),
    [(("SA", "FA"), "closed"), (("SA", "RA"), "reset"), (("RA",), "refused"), (("SA", "A"), None)],
)
def test_what_else_may_come(Talk: Any, course: tuple[str, ...], outcome: str | None) -> None:
    talk = Talk(document())
    met = probed(talk)
    for flags in course:
        met.send(flags)
        assert met.last.verdict is DROP  # in-path the answers go no further
    assert outcomes(talk) == ([outcome] if outcome else [])


def test_a_server_that_repeats_itself_is_told_again(Talk: Any) -> None:
    met = probed(Talk(document()))
    (first,) = met.send("SA")
    met.seq = (met.seq - 1) % SPACE
    (again,) = met.send("SA")
    assert bytes(first) == bytes(again)
    met.ack += 1
    assert met.send("SA") == []  # somebody else's number


def test_a_confirmed_server_is_blocked_for_everybody(Talk: Any, get: Any) -> None:
    """Source: fact cn-tor-probing: address and port, for twelve hours."""
    talk = Talk(document(residual=BLOCKED))
    met = probed(talk)
    other = talk.connection(port=8388, sport=7)
    met.send("SA")
    met.send("PA", b"an answer")
    assert other.say(get("a.example")).verdict is DROP
    talk.client = "24.99.0.9"
    assert talk.connection(port=8388, sport=8, shake=False).segment(flags=2).verdict is DROP
    assert talk.connection(port=8389).say(b"GET ").verdict is ACCEPT
    (memory,) = (event for event in talk.events() if event.event == "residual")
    assert memory.detail["key"] == {"kind": "server", "protocol": 6, "server": talk.server,
                                    "server_port": 8388}  # fmt: skip
    talk.now += 12 * 3600
    assert talk.connection(port=8388, sport=9).say(b"GET ").verdict is ACCEPT


def test_another_outcome_leaves_nothing_behind(Talk: Any) -> None:
    talk = Talk(document(residual=BLOCKED, confirm=["answered", "reset"]))
    met = probed(talk)
    met.send("SA")
    met.send("FA")
    assert outcomes(talk) == ["closed"]
    assert "residual" not in talk.words()


def test_only_so_many_are_remembered(Talk: Any) -> None:
    talk = Talk(document())
    first, *rest = [probed(talk, sport) for sport in range(2000, 2001 + LIMIT)]
    assert [event.detail for event in talk.events() if event.event == "evicted"] == [
        {"what": "probe", "limit": LIMIT}
    ]
    assert first.send("SA") == []
    assert first.last.verdict is ACCEPT
    ports = [met.peer.sport for met in rest]
    assert len(set(ports)) == LIMIT
    for met in rest:
        met.send("RA")
    assert outcomes(talk) == ["refused"] * LIMIT
    probed(talk, 9000)
    assert talk.words().count("evicted") == 1  # a finished one goes in silence


def test_the_same_seed_asks_the_same(Talk: Any) -> None:
    one, other = (probed(Talk(document(), seed=5)).peer for _ in range(2))
    assert bytes(one) == bytes(other)
    assert bytes(probed(Talk(document(), seed=6)).peer) != bytes(one)


def test_no_prober_of_the_family_no_probe(Talk: Any) -> None:
    policy = document()
    policy["rules"][0]["then"]["from"] = [PROBER6]
    talk = Talk(policy)
    assert talk.connection(port=8388).say(SECRET).injections == ()


def test_it_repeats_a_message_and_blocks_servers() -> None:
    def wrong(**more: Any) -> list[Any]:
        return [problem.path[-1] for problem in problems(document(**more))]

    assert wrong() == []
    assert wrong(when={"server.port": [8388]}) == ["inject"]
    assert wrong(residual={**BLOCKED, "key": "pair"}) == ["key"]
    (problem,) = problems({**document(), "sees": "outbound"})
    assert "sees: outbound" in str(problem)
