"""Say what the links on the way to a service do to a telephone call.

Limits:  one call at a time: several that share a slow link fare worse than is said here.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Literal

from topologies.plan import Plan, Way
from topologies.route import walk

#: Bit/s of one direction of a call: 20 ms of G.711 with their RTP, UDP and IPv4 headers.
CALL = 200 * 8 / 0.020
#: From this share of lost packets on a call is no use (webcheck judges by the same).
USELESS = 0.2

Strain = Literal["answers", "lossy", "congested"]


def strain(plan: Plan, host: str, node: str) -> Strain:
    """Return the word for a call between two hosts: by the direction that loses more."""
    lost = max(_lost(plan, host, node), _lost(plan, node, host))
    if not lost:
        return "answers"
    return "congested" if round(lost, 6) >= USELESS else "lossy"


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
