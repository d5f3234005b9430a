"""Say what the links on the way to a service do to a telephone call, or to a page.

Limits:  one call at a time: several that share a slow link fare worse than is said here.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Literal

from topologies.plan import Link, Plan, Way
from topologies.route import walk

#: Bit/s of one direction of a call: 20 ms of G.711 with their RTP, UDP and IPv4 headers.
CALL = 200 * 8 / 0.020
#: From this share of lost packets on a call is no use (webcheck judges by the same).
USELESS = 0.2

#: Bytes of IPv4 and TCP headers with timestamps, and of an answer's head, about.
TCP, HEAD = 52, 150

Strain = Literal["answers", "lossy", "congested"]


def strain(plan: Plan, host: str, node: str) -> Strain:
    """Return the word for a call between two hosts: by the direction that loses more."""
    lost = max(_lost(plan, host, node), _lost(plan, node, host))
    if not lost:
        return "answers"
    return "congested" if round(lost, 6) >= USELESS else "lossy"


def swallowed(plan: Plan, host: str, node: str, size: int) -> bool:
    """Whether an answer of `size` bytes never arrives: too big for a link that does not say so.

    Where a smaller link that does say so lies behind, the answer's last packet may tell of it, and
    then all arrives: such a pair is not foreseen.
    Links of the server's and of the client's own are no such links: TCP keeps to what they take.
    """
    if not any(link.silent for link in plan.links):
        return False
    joined = {frozenset(end.node for end in link.ends): link for link in plan.links}
    packet = min([size + TCP, *(link.mtu for link in _links(plan, node, host))])
    for step in pairwise(walk(plan, node, plan.primary(host))):
        link = joined[frozenset(step)]
        if packet > link.mtu and link.silent:
            return True
        packet = min(packet, link.mtu)  # the router says so, and the server sends less
    return False


def _links(plan: Plan, *nodes: str) -> list[Link]:
    return [link for link in plan.links if any(end.node in nodes for end in link.ends)]


def _lost(plan: Plan, source: str, target: str) -> float:
    """Return the share of a call's packets that the way from source to target loses."""
    arrives = 1.0
    for way in _ways(plan, source, target):
        arrives *= (1 - way.loss) * (1.0 if way.rate is None else min(1.0, way.rate / CALL))
    return 1 - arrives


def _ways(plan: Plan, source: str, target: str) -> Iterator[Way]:
    if all(link.plain for link in plan.links):
        return
    joined = {
        (link.ends[place].node, link.ends[1 - place].node): link.ways[place]
        for link in plan.links
        for place in (0, 1)
    }
    for step in pairwise(walk(plan, source, plan.primary(target))):
        yield joined[step]
