"""Published models of how censors follow TCP, and which published evasion beats which of them.

Packets are scapy's. An evasion is played whole against each model; `BEATEN` says what must come of
it. Source: Khattak et al., FOCI 2013; Wang et al., IMC 2017; Bock et al., CCS 2019 (Geneva) and
SIGCOMM 2020.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP
from scapy.packet import Raw

from censor.engine.engine import Engine
from censor.follow.ladder import LADDER
from censor.policy.loader import load

CLIENT, SERVER = "24.48.0.2", "93.184.216.34"
ASK = b"GET /?q=ultrasurf HTTP/1.1\r\nHost: www.example.com\r\n\r\n"
JUNK = b"GET /?q=harmlessx HTTP/1.1\r\nHost: www.example.com\r\n\r\n"
ISN, SERVER_ISN = 1000, 9000
SEQ, ACK = ISN + 1, SERVER_ISN + 1
FAR = 500_000


class Wire:
    """A client and a server under the eyes of one box; `caught` once it acted."""

    def __init__(self, sees: str = "both", **tcp: Any) -> None:
        rule = {"id": "r", "when": {"http.keyword": {"substring": ["ultrasurf"]}},
                "then": {"inject": "reset"}}  # fmt: skip
        self.engine = Engine(
            load(
                {
                    "position": "on-path",
                    "sees": sees,
                    "http": {"requests": "all"},
                    "tcp": tcp,
                    "rules": [rule],
                }
            )
        )
        self.now = 0.0
        self.caught = False
        self.settled = False

    def _give(self, packet: Any, inside: bool) -> None:
        self.now += 0.01
        decision = self.engine.receive(bytes(packet), now=self.now, inside=inside)
        self.caught |= bool(decision.injections)
        self.settled = decision.settled

    def up(self, flags: str, payload: bytes = b"", *, seq: int = SEQ, ack: int = ACK,
           ttl: int = 64, **tcp: Any) -> None:  # fmt: skip
        segment = TCP(sport=40000, dport=80, flags=flags, seq=seq, ack=ack, **tcp)
        self._give(IP(src=CLIENT, dst=SERVER, ttl=ttl) / segment / Raw(payload), True)

    def down(self, flags: str, payload: bytes = b"", *, seq: int = ACK, ack: int = SEQ) -> None:
        segment = TCP(sport=80, dport=40000, flags=flags, seq=seq, ack=ack)
        self._give(IP(src=SERVER, dst=CLIENT) / segment / Raw(payload), False)

    def shake(self) -> None:
        self.up("S", seq=ISN, ack=0)
        self.down("SA", seq=SERVER_ISN)
        self.up("A")

    def ask(self) -> None:
        self.up("PA", ASK)


def nothing(wire: Wire) -> None:
    wire.shake()
    wire.ask()


def segmentation(wire: Wire) -> None:
    wire.shake()
    wire.up("PA", ASK[:12])
    wire.up("PA", ASK[12:], seq=SEQ + 12)


def out_of_order(wire: Wire) -> None:
    wire.shake()
    wire.up("PA", ASK[12:], seq=SEQ + 12)
    wire.up("PA", ASK[:12])


def overlap_behind_a_gap(wire: Wire) -> None:
    """Junk ahead of a gap, the real bytes over it, then the gap: who keeps the first loses."""
    wire.shake()
    wire.up("PA", JUNK[12:], seq=SEQ + 12, ttl=3)
    wire.up("PA", ASK[12:], seq=SEQ + 12)
    wire.up("PA", ASK[:12])


def overlap_behind_a_gap_reversed(wire: Wire) -> None:
    """The real bytes, then junk over them, then the gap: who keeps the last loses."""
    wire.shake()
    wire.up("PA", ASK[12:], seq=SEQ + 12)
    wire.up("PA", JUNK[12:], seq=SEQ + 12, ttl=3)
    wire.up("PA", ASK[:12])


def prefill(wire: Wire) -> None:
    """Junk that does not reach the server takes the request's place."""
    wire.shake()
    wire.up("PA", JUNK, ttl=3)
    wire.ask()


def prefill_bad_checksum(wire: Wire) -> None:
    wire.shake()
    wire.up("PA", JUNK, chksum=0x4444)
    wire.ask()


def syn_before_the_ack(wire: Wire) -> None:
    """Desynchronise by a SYN with another number, between SYN+ACK and ACK."""
    wire.up("S", seq=ISN, ack=0)
    wire.down("SA", seq=SERVER_ISN)
    wire.up("S", seq=FAR, ack=0, ttl=3)
    wire.up("A")
    wire.ask()


def syn_after_the_handshake(wire: Wire) -> None:
    wire.shake()
    wire.up("S", seq=FAR, ack=0, ttl=3)
    wire.ask()


def syn_first(wire: Wire) -> None:
    """A SYN with another number comes before the real one."""
    wire.up("S", seq=FAR, ack=0, ttl=3)
    nothing(wire)


def stray_ack(wire: Wire) -> None:
    wire.shake()
    wire.up("A", seq=FAR, ttl=3)
    wire.ask()


def reset(wire: Wire) -> None:
    """Tear down by a RST that dies on its way."""
    wire.shake()
    wire.up("R", ttl=3)
    wire.ask()


def reset_bad_checksum(wire: Wire) -> None:
    wire.shake()
    wire.up("R", chksum=0x4444)
    wire.ask()


def reset_wrong_number(wire: Wire) -> None:
    wire.shake()
    wire.up("R", seq=FAR)
    wire.ask()


def finish(wire: Wire) -> None:
    wire.shake()
    wire.up("F", ttl=3)
    wire.ask()


def reset_then_junk(wire: Wire) -> None:
    """Force the box to resynchronise, and give it the wrong number to do so."""
    wire.shake()
    wire.up("R", ttl=3)
    wire.up("PA", JUNK, seq=FAR, ttl=3)
    wire.ask()


def reset_then_junk_bad_checksum(wire: Wire) -> None:
    wire.shake()
    wire.up("R", chksum=0x4444)
    wire.up("PA", JUNK, seq=FAR, chksum=0x4444)
    wire.ask()


def syn_then_junk(wire: Wire) -> None:
    """Another SYN, then data out of its window (Wang et al.: resynchronise and desynchronise)."""
    wire.shake()
    wire.up("S", seq=FAR, ack=0, ttl=3)
    wire.up("PA", JUNK, seq=FAR + 90_000, ttl=3)
    wire.ask()


def reversal(wire: Wire) -> None:
    """A SYN+ACK from the client comes first: who is the client? (Wang et al.: TCB reversal.)"""
    wire.up("SA", seq=FAR, ack=7, ttl=3)
    nothing(wire)


def simultaneous_open(wire: Wire) -> None:
    """The server answers a SYN with a SYN (Bock et al., SIGCOMM 2020)."""
    wire.up("S", seq=ISN, ack=0)
    wire.down("S", seq=SERVER_ISN, ack=0)
    wire.up("SA", seq=ISN)
    wire.down("SA", seq=SERVER_ISN)
    wire.ask()


EVASIONS: tuple[Callable[[Wire], None], ...] = (
    nothing, segmentation, out_of_order, overlap_behind_a_gap, overlap_behind_a_gap_reversed,
    prefill, prefill_bad_checksum, syn_before_the_ack, syn_after_the_handshake, syn_first,
    stray_ack, reset, reset_bad_checksum, reset_wrong_number, finish, reset_then_junk,
    reset_then_junk_bad_checksum, syn_then_junk, reversal, simultaneous_open,
)  # fmt: skip

SPLIT = {segmentation, out_of_order, overlap_behind_a_gap, overlap_behind_a_gap_reversed}
PREFILL = {prefill, prefill_bad_checksum}
SHUT = {reset, reset_bad_checksum, reset_then_junk, reset_then_junk_bad_checksum}
MISLED = {reset_then_junk, reset_then_junk_bad_checksum}
OTHER_SYN = {syn_after_the_handshake, syn_then_junk}
FIRST_RUNG = SPLIT | PREFILL | OTHER_SYN | {syn_before_the_ack}

#: By model, the evasions that beat it; every other one must fail.
BEATEN = {
    "stateless": SPLIT,
    "geneva-1": FIRST_RUNG,
    "geneva-2": FIRST_RUNG,
    "geneva-3": FIRST_RUNG,
    "geneva-4": SPLIT | PREFILL | OTHER_SYN | {stray_ack},
    "geneva-5": FIRST_RUNG,
    "geneva-6": SPLIT | SHUT | {finish, reset_wrong_number},
    "geneva-7": SPLIT | SHUT | {finish, reset_wrong_number},
    "geneva-8": SPLIT | SHUT | {finish},
    "geneva-8b": FIRST_RUNG | SHUT,
    "geneva-9": SPLIT | PREFILL | MISLED | {syn_first},
    "geneva-10": (FIRST_RUNG | MISLED) - {prefill_bad_checksum, reset_then_junk_bad_checksum},
    "geneva-11": SPLIT | OTHER_SYN | {prefill, reset_then_junk, stray_ack},
    "gfw-2013": {overlap_behind_a_gap, syn_first, reset_wrong_number, finish} | PREFILL | SHUT,
    "gfw-2017": {overlap_behind_a_gap_reversed, syn_then_junk, reversal} | PREFILL | MISLED,
}


def test_every_model_is_tried() -> None:
    assert BEATEN.keys() == LADDER.keys()
    tried = {one for beaten in BEATEN.values() for one in beaten}
    assert {nothing, simultaneous_open} == set(EVASIONS) - tried


@pytest.mark.parametrize("evasion", EVASIONS, ids=lambda one: one.__name__)
@pytest.mark.parametrize("name", LADDER)
def test_evasions_beat_those_models_that_they_are_known_to_beat(
    name: str, evasion: Callable[[Wire], None]
) -> None:
    wire = Wire(profile=name)
    evasion(wire)
    assert wire.caught is (evasion not in BEATEN[name])


@pytest.mark.parametrize(
    ("evasion", "cure"),
    [
        (segmentation, {"reassemble": True, "window": "any"}),
        (syn_after_the_handshake, {"adopt": []}),
        (syn_after_the_handshake, {"min_ttl": 10}),
        (prefill, {"min_ttl": 10}),
        (prefill_bad_checksum, {"verify_checksum": True}),
    ],
    ids=lambda one: getattr(one, "__name__", None),
)
def test_keys_beside_a_profile_win(evasion: Callable[[Wire], None], cure: dict[str, Any]) -> None:
    for more, caught in (({}, False), (cure, True)):
        wire = Wire(profile="geneva-1", **more)
        evasion(wire)
        assert wire.caught is caught


def test_a_model_says_where_it_comes_from() -> None:
    for rung in LADDER.values():
        assert rung.fidelity in ("documented", "modelled")
        assert rung.source[-1].isalnum()


def test_a_connection_torn_down_rests_until_it_begins_anew() -> None:
    wire = Wire(profile="geneva-7")
    reset(wire)
    assert (wire.caught, wire.settled) == (False, True)
    wire.shake()
    assert not wire.settled
    wire.ask()
    assert wire.caught


def test_a_connection_that_may_be_resynchronised_does_not_rest() -> None:
    wire = Wire(profile="geneva-9")
    reset_then_junk(wire)
    assert (wire.caught, wire.settled) == (False, False)
    wire.up("R", seq=FAR + len(JUNK))
    wire.up("A")
    wire.ask()
    assert wire.caught


@pytest.mark.parametrize(
    ("sees", "caught"), [("both", True), ("outbound", True), ("inbound", False)]
)
def test_a_box_that_half_of_the_packets_pass_by(sees: str, caught: bool) -> None:
    wire = Wire(sees)
    nothing(wire)
    assert wire.caught is caught


def test_what_is_not_seen_begins_no_connection() -> None:
    """With the SYN unseen, a SYN+ACK will do for a box that asks for either."""
    for tcp, caught in (({}, False), ({"require_handshake": "either", "reads": "both",
                                       "reassemble": False}, True)):  # fmt: skip
        wire = Wire("inbound", **tcp)
        wire.shake()
        wire.down("PA", ASK)
        assert wire.caught is caught
