"""The mix is what it says it is: its shares, its checksums, its seed."""

from __future__ import annotations

from collections import Counter

from scapy.layers.inet import IP, TCP, UDP

from benchmarks.mix import POLICY, SHARES, mix
from censor.engine.engine import Engine
from censor.policy.loader import load

PORTS = {80: "bulk", 443: "tls", 53: "dns", 5060: "sip"}


def test_shares_are_those_stated() -> None:
    counts: Counter[str] = Counter()
    for arrival in mix(20_000):
        ends = (arrival.packet[20:22], arrival.packet[22:24])
        counts[PORTS[int.from_bytes(ends[1] if arrival.inside else ends[0], "big")]] += 1
    assert {kind: round(100 * n / 20_000) for kind, n in counts.items()} == SHARES


def test_same_seed_same_packets() -> None:
    assert list(mix(500, seed=3)) == list(mix(500, seed=3))
    assert list(mix(500, seed=3)) != list(mix(500, seed=4))


def test_checksums_are_right() -> None:
    for arrival in mix(1000):
        packet = IP(arrival.packet)
        del packet.chksum
        del packet[TCP if TCP in packet else UDP].chksum
        assert bytes(packet) == arrival.packet


def test_engine_finds_the_blocked_names_in_every_protocol() -> None:
    engine = Engine(load(POLICY))
    rules = Counter(
        str(event.rule)
        for arrival in mix(60_000)
        for event in engine.receive(arrival.packet, now=arrival.now, inside=arrival.inside).events
        if event.event == "matched"
    )
    assert set(rules) == {"dns", "sni", "host", "sip"}  # nothing in the mix is for the others
