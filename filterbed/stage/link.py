"""Measure what the links achieve, before a run relies on it."""

from __future__ import annotations

import select
import socket
import statistics
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from filterbed.sandbox.netns import socket_in
from topologies.network import Network
from topologies.plan import Link, Plan

ROUNDS = 5
#: Seconds between two datagrams, and the bytes of one with its headers.
PACE, SIZE = 0.002, 30
_WAIT_SECONDS = 2.0
#: Less than this share of the stated delay means that the delay is not there.
ENOUGH = 0.9


def measure(network: Network, vantages: tuple[str, ...]) -> list[dict[str, Any]]:
    """Send datagrams from each vantage to the control host and back; return the round trips.

    Returns one object per vantage: `from`, `to`, `stated` and `measured` (median), `least`, `most`
    (seconds, round trip), `lost` (of `sent`), and whether the plan says that the way `loses`. The
    first datagram, which also resolves neighbours, is not counted. All are measured at once, each
    with sockets of its own, and its datagrams follow each other before the first is back: what is
    awaited is the delay, of which a datagram takes no share.
    """
    with ThreadPoolExecutor(len(vantages)) as pool:
        return list(pool.map(lambda vantage: _one(network, vantage), vantages))


def problems(links: list[dict[str, Any]]) -> list[str]:
    """Say where the achieved delay is not what the plan states."""
    found = []
    for link in links:
        where = f"link {link['from']} - {link['to']}"
        if link["lost"] and not link["loses"]:
            found.append(f"{where}: {link['lost']} of {link['sent']} datagrams were lost")
        elif link["measured"] is not None and link["measured"] < ENOUGH * link["stated"]:
            found.append(
                f"{where}: a round trip takes {link['measured'] * 1e3:.2f} ms, "
                f"the plan states {link['stated'] * 1e3:g} ms"
            )
    return found


def _one(network: Network, vantage: str) -> dict[str, Any]:
    plan = network.plan
    way = _way(plan, vantage, "control")
    with (
        socket_in(network.pid("control"), socket.AF_INET, socket.SOCK_DGRAM) as server,
        socket_in(network.pid(vantage), socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        server.bind((plan.primary("control"), 0))
        client.connect(server.getsockname())
        exchange(client, server, 1, 0.0)  # which resolves neighbours
        times = exchange(client, server, ROUNDS, pace(way))
    return {
        "from": vantage,
        "to": "control",
        "stated": round_trip(plan, vantage, "control"),
        "measured": statistics.median(times) if times else None,
        "least": min(times, default=None),
        "most": max(times, default=None),
        "sent": ROUNDS,
        "lost": ROUNDS - len(times),
        "loses": any(one.loses for link in way for one in link.ways),
    }


def exchange(client: socket.socket, server: socket.socket, count: int, gap: float) -> list[float]:
    """Send `count` datagrams, one each `gap` seconds, and answer them; return the round trips.

    What has not come back _WAIT_SECONDS after the last was sent is lost.
    """
    sent: list[float] = []
    times: dict[int, float] = {}
    begun = time.perf_counter()
    while len(times) < count:
        now = time.perf_counter()
        if len(sent) < count and now >= begun + len(sent) * gap:
            sent.append(time.perf_counter())
            client.send(bytes([count, len(sent)]))
            continue
        until = begun + len(sent) * gap if len(sent) < count else sent[-1] + _WAIT_SECONDS
        ready = select.select([server, client], [], [], max(0.0, until - now))[0]
        if server in ready:
            server.sendto(*server.recvfrom(64))
        if client in ready:
            of, number = client.recv(64)
            if of == count:  # and not a late answer to an exchange before
                times.setdefault(number, time.perf_counter() - sent[number - 1])
        if not ready and len(sent) == count:
            break
    return [*times.values()]


def pace(way: Sequence[Link]) -> float:
    """Return the seconds between two datagrams at which no link's queue grows."""
    rates = [one.rate for link in way for one in link.ways if one.rate is not None]
    return max([PACE, *(1.3 * SIZE * 8 / rate for rate in rates)])


def round_trip(plan: Plan, one: str, other: str) -> float:
    """Return the round trip the plan states between two nodes: the delays there and back."""
    return sum(sum(link.delays) for link in _way(plan, one, other))


def _way(plan: Plan, one: str, other: str) -> list[Link]:
    """Return the links between two nodes, by the shortest way."""
    neighbours: dict[str, list[tuple[str, Link]]] = {}
    for link in plan.links:
        a, b = (end.node for end in link.ends)
        neighbours.setdefault(a, []).append((b, link))
        neighbours.setdefault(b, []).append((a, link))
    ways: dict[str, list[Link]] = {one: []}
    queue = deque([one])
    while queue:
        node = queue.popleft()
        for neighbour, link in neighbours.get(node, []):
            if neighbour not in ways:
                ways[neighbour] = [*ways[node], link]
                queue.append(neighbour)
    return ways[other]
