"""Break each witness of the wire on purpose: each break must be reported, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from scapy.layers.inet import IP, UDP
from scapy.packet import Raw

from filterbed.pcapng import Frame
from tests.filterbed.played import (
    CLIENT,
    SERVER,
    Wire,
    hop,
    talk,
    tcp,
)


def lost(wire: Wire) -> None:
    wire.enter(0, tcp(0, "A", b"lost"))


def unlogged(wire: Wire) -> None:
    wire.leave(0, bytes(tcp(1, "R", ttl=77)))


def unsent(wire: Wire) -> None:
    wire.log("injected", toward="client", packets=[bytes(tcp(1, "R")).hex()])


def wrong_side(wire: Wire) -> None:
    forged = bytes(tcp(0, "R"))
    wire.log("injected", toward="client", packets=[forged.hex()])
    wire.leave(1, forged)


def undead(wire: Wire) -> None:
    wire.cross(0, tcp(0, "PA", b"forbidden"))
    wire.log("dropped")


def altered(wire: Wire) -> None:
    data = bytearray(wire.enter(0, tcp(0, "PA", b"abc")))
    data[-1] ^= 1
    wire.leave(1, bytes(data))


def two_hops(wire: Wire) -> None:
    packet = IP(wire.enter(0, tcp(0, "PA", b"abc")))
    wire.leave(1, bytes(hop(packet)))


def twice(wire: Wire) -> None:
    data = wire.enter(0, tcp(0, "PA", b"abc"))
    wire.leave(1, data)
    wire.leave(1, data)


def ghost(wire: Wire) -> None:
    data = bytes(tcp(0, "PA", b"ghost", ttl=63))
    wire.door.append(Frame(round(wire.now * 1e9), 0, data, len(data)))


def unasked(wire: Wire) -> None:
    packet = IP(src=CLIENT, dst=SERVER, ttl=64) / UDP(sport=6000, dport=53) / Raw(b"query")
    wire.cross(0, IP(bytes(packet)), door=False)


def not_settled_yet(wire: Wire) -> None:
    packet = IP(src=CLIENT, dst=SERVER, ttl=64) / UDP(sport=6000, dport=53)
    wire.cross(0, IP(bytes(packet / Raw(b"one"))), door=False)
    wire.now += 1
    wire.cross(0, IP(bytes(packet / Raw(b"two"))))
    wire.log("settled")


def asked_but_not_settled(wire: Wire) -> None:
    wire.now += 2.0
    wire.cross(0, tcp(0, "A", b"bulk"), door=False)


def no_such_packet(wire: Wire) -> None:
    wire.log("dropped", n=99)


def no_number(wire: Wire) -> None:
    wire.log("dropped", n=None)


def never_started(wire: Wire) -> None:
    del wire.events[0]


BREAKS: list[tuple[Callable[[Wire], None], list[str]]] = [
    (lost, ["1 packet entered inside and never left outside, and no event accounts for it"]),
    (unlogged, ["1 packet left inside, but neither entered outside nor was logged as injected"]),
    (unsent, ["1 packet logged as injected toward inside, but not on the wire there"]),
    (
        wrong_side,
        ["injected toward inside, but not on the wire", "left outside, but neither entered"],
    ),
    (undead, ["1 packet logged as dropped, but seen leaving outside"]),
    (altered, ["entered inside and never left", "left outside, but neither entered"]),
    (two_hops, ["entered inside and never left", "left outside, but neither entered"]),
    (twice, ["1 packet left outside, but neither entered inside"]),
    (ghost, ["1 packet at the censor's door that no capture saw enter inside"]),
    (unasked, ["entered inside and never came to the censor's door"]),
    (not_settled_yet, ["entered inside and never came to the censor's door"]),
    (asked_but_not_settled, ["entered inside and never came to the censor's door"]),
    (no_such_packet, ["the log has `dropped` about packet 99, but the door record has 4"]),
    (no_number, ["the log has `dropped` about packet None"]),
    (never_started, ["the censor did not start"]),
]


@pytest.mark.parametrize(("breaking", "reports"), BREAKS, ids=lambda x: getattr(x, "__name__", ""))
def test_each_break_is_reported(
    wire: Wire, breaking: Callable[[Wire], None], reports: list[str]
) -> None:
    talk(wire)
    breaking(wire)
    problems = wire.audit()
    assert len(problems) == len(reports), problems
    for report in reports:
        assert sum(report in problem for problem in problems) == 1, problems
    assert all(problem.startswith("audit: box gfw: ") for problem in problems)
