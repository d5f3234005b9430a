"""What the plan states about a path, and when what was measured is not that."""

from __future__ import annotations

import dataclasses
import itertools
import select
import socket
import threading
import time
from typing import Any

import pytest

from filterbed.stage import link
from topologies.plan import End, Link, Node, Plan, Way


def plan() -> Plan:
    names = ("client", "box", "control", "other")
    ends = [(End(a, f"{a}-{b}", ()), End(b, f"{b}-{a}", ())) for a, b in itertools.pairwise(names)]
    delays = (0.001, 0.02, 0.0)
    return Plan(
        "test",
        tuple(Node(name, "router") for name in names),
        tuple(Link(pair, delay) for pair, delay in zip(ends, delays, strict=True)),
        (),
    )


@pytest.mark.parametrize(
    ("one", "other", "seconds"),
    [("client", "control", 0.042), ("control", "client", 0.042), ("client", "client", 0.0),
     ("client", "other", 0.042)],
)  # fmt: skip
def test_the_round_trip_is_twice_the_delays_on_the_way(
    one: str, other: str, seconds: float
) -> None:
    assert link.round_trip(plan(), one, other) == pytest.approx(seconds)


def measured(**more: Any) -> dict[str, Any]:
    return {"from": "client", "to": "control", "stated": 0.04, "measured": 0.041, "least": 0.04,
            "most": 0.05, "sent": 5, "lost": 0, "loses": False} | more  # fmt: skip


def test_a_link_that_keeps_its_word_is_no_problem() -> None:
    assert link.problems([measured(), measured(measured=0.0361)]) == []


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (
            {"measured": 0.035},
            "a round trip takes 35.00 ms, the plan states 40 ms",
        ),
        ({"lost": 1}, "1 of 5 datagrams were lost"),
        ({"lost": 5, "measured": None}, "5 of 5 datagrams were lost"),
    ],
)
def test_a_link_that_does_not_is_told(more: dict[str, Any], text: str) -> None:
    (problem,) = link.problems([measured(**more)])
    assert text in problem


def test_on_a_way_that_loses_packets_a_loss_is_no_problem() -> None:
    assert link.problems([measured(lost=2, loses=True)]) == []
    assert link.problems([measured(lost=5, loses=True, measured=None)]) == []


HALF = 0.05


def relay(front: socket.socket, server: tuple[str, int], lose: int) -> None:
    """Carry datagrams on and back, each HALF late on its way to the server; lose one of them."""
    client: Any = None
    waiting: list[tuple[float, bytes]] = []
    while True:
        patience = max(0.0, waiting[0][0] - time.perf_counter()) if waiting else 5.0
        if select.select([front], [], [], patience)[0]:
            data, sender = front.recvfrom(64)
            if sender == server:
                front.sendto(data, client)
            elif not data:
                return
            elif data[1] != lose:
                client = sender
                waiting.append((time.perf_counter() + HALF, data))
        while waiting and waiting[0][0] <= time.perf_counter():
            front.sendto(waiting.pop(0)[1], server)


@pytest.mark.parametrize(("lose", "came"), [(0, 5), (1, 4), (5, 4)])
def test_datagrams_follow_each_other_and_a_lost_one_is_missing(
    monkeypatch: pytest.MonkeyPatch, lose: int, came: int
) -> None:
    monkeypatch.setattr(link, "_WAIT_SECONDS", 1.0)
    front, server, client = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(3))
    with front, server, client:
        front.bind(("127.0.0.1", 0))
        server.bind(("127.0.0.1", 0))
        client.connect(front.getsockname())
        carrier = threading.Thread(target=relay, args=(front, server.getsockname(), lose))
        carrier.start()
        times = link.exchange(client, server, 5, 0.001)
        client.send(b"")
        carrier.join()
    assert len(times) == came
    # Each by itself has waited HALF; were one sent after another was back, they would add up.
    assert all(seconds >= HALF for seconds in times)


def test_the_pace_leaves_a_slow_link_its_time() -> None:
    fast = plan().links[0]
    slow = dataclasses.replace(fast, ways=(Way(), Way(rate=8000.0)))
    assert link.pace([fast]) == link.PACE
    assert link.pace([fast, slow]) == pytest.approx(1.3 * link.SIZE * 8 / 8000)


def test_two_directions_may_differ() -> None:
    one = plan()
    uneven = dataclasses.replace(
        one, links=(dataclasses.replace(one.links[0], back=0.05), *one.links[1:])
    )
    assert link.round_trip(uneven, "client", "box") == pytest.approx(0.051)
