"""Flows are settled from the event that says so until one that ends it, and no longer."""

from __future__ import annotations

from typing import Any

import pytest
from scapy.layers.inet import IP, TCP, UDP

from filterbed import settled
from filterbed.header import Flow, dissect
from filterbed.pcapng import Frame

EPOCH = 10**18
NAMED = {"protocol": "tcp", "client": "1.2.3.4", "client_port": 4000, "server": "5.6.7.8",
         "server_port": 80}  # fmt: skip
ONE = IP(src="1.2.3.4", dst="5.6.7.8") / TCP(sport=4000, dport=80)
SAME_PAIR = IP(src="5.6.7.8", dst="1.2.3.4") / UDP(sport=53, dport=6000)
ELSEWHERE = IP(src="1.2.3.4", dst="9.9.9.9") / UDP(sport=6000, dport=53)


def flow(packet: Any) -> Flow:
    header = dissect(bytes(packet))
    assert header is not None
    return header.flow


def spans(*events: dict[str, Any]) -> dict[Flow, list[tuple[int, int]]]:
    frames = [Frame(0, 0, bytes(p), len(bytes(p))) for p in (ONE, SAME_PAIR, ELSEWHERE)]
    return dict(settled.spans(frames, events, EPOCH))


def at(seconds: float) -> int:
    return EPOCH + round(seconds * 1e9)


SETTLED = [{"event": "settled", "n": n, "t": float(n)} for n in (1, 2, 3)]


def test_without_an_end_it_lasts() -> None:
    found = spans(*SETTLED)
    assert [found[flow(p)][0][0] for p in (ONE, SAME_PAIR, ELSEWHERE)] == [at(1), at(2), at(3)]
    assert all(until > at(10**6) for ((_, until),) in found.values())


@pytest.mark.parametrize(
    ("end", "over"),
    [
        ({"event": "policy"}, {flow(ONE), flow(SAME_PAIR), flow(ELSEWHERE)}),
        ({"event": "unsettled", "n": 1, "what": "pair"}, {flow(ONE), flow(SAME_PAIR)}),
        ({"event": "unsettled", "n": 1, "what": "flow"}, {flow(ONE)}),
        ({"event": "unsettled", "n": 99, "what": "pair"}, set()),
        ({"event": "unsettled", "n": 3, "what": "evicted", "flow": NAMED}, {flow(ONE)}),
        ({"event": "unsettled", "n": 3, "what": "evicted"}, set()),
    ],
)
def test_what_ends_it(end: dict[str, Any], over: set[Flow]) -> None:
    found = spans(*SETTLED, {**end, "t": 9.0})
    assert {one for one, ((_, until),) in found.items() if until == at(9)} == over


def test_it_may_begin_again() -> None:
    end = {"event": "unsettled", "n": 1, "what": "flow", "t": 4.0}
    found = spans(*SETTLED, end, {"event": "settled", "n": 1, "t": 5.0})
    (first, second) = found[flow(ONE)]
    assert (first, second[0]) == ((at(1), at(4)), at(5))
