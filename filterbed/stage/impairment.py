"""Measure what each impaired link does in each direction, before a run relies on it.

Datagrams go from one end's own address to the other's, first at an even pace, then, where the link
has a rate, all at once. Both clocks are one, so that a one-way delay is a difference.
Limits:  a share is known to a few standard deviations of the datagrams sent; what lies outside
         four of them is called wrong.
"""

from __future__ import annotations

import math
import select
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from filterbed.sandbox.netns import socket_in
from topologies.course import OVERTAKEN
from topologies.network import Network
from topologies.plan import Link, Plan, Way

#: Bytes of a datagram that measures, with its IP and UDP headers; seconds between two.
SIZE, HEAD, PACE = 60, 28, 0.002
#: Datagrams at the most, and where only time is measured; seconds that sending may take.
MANY, FEW, SECONDS = 400, 40, 1.2
#: Standard deviations that a share may be away, and what a rate may be of the stated one.
DEVIATIONS = 4.0
RATES = (0.75, 1.2)
#: Seconds by which the machine may be late.
LATE = 0.25


@dataclass(frozen=True, slots=True)
class Course:
    """One direction of a link: its nodes, the address it ends at, and what is stated of it."""

    near: str
    far: str
    address: str
    delay: float
    way: Way
    mtu: int

    @property
    def pace(self) -> float:
        """Seconds between two datagrams, so that a slow link's queue stays empty."""
        slow = 0.0 if self.way.rate is None else 1.3 * SIZE * 8 / self.way.rate
        return max(PACE, slow)

    @property
    def count(self) -> int:
        """How many datagrams are sent."""
        lucky = self.way.loss or self.way.reorder or self.way.duplicate or self.way.jitter
        return max(4, min(MANY if lucky else FEW, int(SECONDS / self.pace)))


@dataclass(slots=True)
class Seen:
    """What arrived: sequence number and seconds on the way, in the order of arrival."""

    sent: int
    arrived: list[tuple[int, float]]


def courses(plan: Plan) -> Iterator[Course]:
    """List the directions of a plan's impaired links, and of those whose packets are smaller."""
    for link in plan.links:
        if not link.plain:
            yield from (_course(link, place) for place in (0, 1))


def _course(link: Link, place: int) -> Course:
    near, far = link.ends[place], link.ends[1 - place]
    address = next(a for a in far.addresses if "." in a).partition("/")[0]
    return Course(near.node, far.node, address, link.delays[place], link.ways[place], link.mtu)


def measure(network: Network) -> list[dict[str, Any]]:
    """Measure every direction of every impaired link, all at once; return one object each."""
    found = [*courses(network.plan)]
    if not found:
        return []
    with ThreadPoolExecutor(len(found)) as pool:
        return [*pool.map(lambda course: _measure(network, course), found)]


def problems(course: Course, measured: dict[str, Any]) -> list[str]:
    """Say where what was measured is not what is stated, and luck does not explain it."""
    way, told = course.way, []
    count = measured["sent"]
    burst = way.burst or 1.0
    for key, stated, run in (
        ("loss", way.loss, burst),
        ("reorder", way.reorder, 1.0),
        ("duplicate", way.duplicate, 1.0),
    ):
        if key == "reorder" and (way.jitter or course.pace > OVERTAKEN / 2):
            continue  # jitter reorders too, and what comes too seldom is not overtaken
        spread = math.sqrt(stated * (1 - stated) * (2 * run - 1) / count)
        if abs(measured[key] - stated) > DEVIATIONS * spread + 1 / count * bool(stated):
            told.append(f"{key} {measured[key]:.2%} of {count}, the plan states {stated:.2%}")
    least, most = measured["least"], measured["most"]
    if least is not None and least < 0.9 * course.delay:
        told.append(f"delay {least * 1e3:.2f} ms, the plan states {course.delay * 1e3:g} ms")
    if most is not None and count >= FEW and most - least < 0.5 * way.jitter:
        told.append(f"jitter {(most - least) * 1e3:.2f} ms, stated are {way.jitter * 1e3:g} ms")
    if way.rate and way.loss < 1:
        found = measured["rate"]
        if found is None or not RATES[0] <= found / way.rate <= RATES[1]:
            told.append(f"rate {found} bit/s, the plan states {way.rate:g}")
    if measured["mtu"] != course.mtu and way.loss < 1:
        told.append(f"mtu {measured['mtu']}, the plan states {course.mtu}")
    return [f"link {course.near} - {course.far}: {text}" for text in told]


def _measure(network: Network, course: Course) -> dict[str, Any]:
    with (
        socket_in(network.pid(course.near), socket.AF_INET, socket.SOCK_DGRAM) as near,
        socket_in(network.pid(course.far), socket.AF_INET, socket.SOCK_DGRAM) as far,
    ):
        far.bind((course.address, 0))
        near.connect(far.getsockname())
        near.settimeout(None)
        _neighbours(near, far, course)
        seen = exchange(near, far, course, course.count, SIZE - HEAD, course.pace)
        rate = _rate(near, far, course)
        mtu = _mtu(near, far, course)
    measured = {**_told(seen), "rate": rate, "mtu": mtu}
    stated = {**asdict(course.way), "delay": course.delay, "mtu": course.mtu}
    wrong = problems(course, measured)
    return {
        "from": course.near,
        "to": course.far,
        "stated": stated,
        "measured": measured,
        "wrong": wrong,
    }


def _neighbours(near: socket.socket, far: socket.socket, course: Course) -> None:
    """Have the ends find each other first: what waits for ARP is late by that."""
    for _ in range(3):
        near.send(b"?")
    patience = course.delay + course.way.jitter + (LATE if course.way.loss < 1 else 0)
    while select.select([far], [], [], patience)[0]:
        far.recv(2048)


def exchange(
    near: socket.socket, far: socket.socket, course: Course, count: int, size: int, pace: float
) -> Seen:
    """Send `count` datagrams of `size` bytes, one each `pace` seconds, and hear what arrives."""
    sent: list[float] = []
    arrived: list[tuple[int, float]] = []
    begun = time.perf_counter()
    patience = course.delay + course.way.jitter + course.way.queue + OVERTAKEN + LATE
    while True:
        now = time.perf_counter()
        if len(sent) < count and now >= begun + len(sent) * pace:
            sent.append(time.perf_counter())
            near.send(len(sent).to_bytes(4, "big").ljust(size, b"\0"))
            continue
        until = begun + len(sent) * pace if len(sent) < count else sent[-1] + patience
        everything = len({number for number, _ in arrived}) == count
        if everything and not course.way.duplicate:
            break
        if select.select([far], [], [], max(0.0, until - now))[0]:
            number = int.from_bytes(far.recv(2048)[:4], "big")
            arrived.append((number, time.perf_counter() - sent[number - 1]))
        elif len(sent) == count and time.perf_counter() >= until:
            break
    return Seen(count, arrived)


def _told(seen: Seen) -> dict[str, Any]:
    """Count what was lost, late, overtaken and doubled."""
    first: dict[int, float] = {}
    overtaken, highest = 0, 0
    for number, seconds in seen.arrived:
        if number in first:
            continue
        first[number] = seconds
        overtaken += number < highest
        highest = max(highest, number)
    times = sorted(first.values())
    missing = [number for number in range(1, seen.sent + 1) if number not in first]
    runs = sum(1 for number in missing if number - 1 not in set(missing))
    return {
        "sent": seen.sent,
        "loss": len(missing) / seen.sent,
        "burst": len(missing) / runs if runs else None,
        "reorder": overtaken / seen.sent,
        "duplicate": (len(seen.arrived) - len(first)) / seen.sent,
        "least": times[0] if times else None,
        "median": times[len(times) // 2] if times else None,
        "most": times[-1] if times else None,
    }


def _rate(near: socket.socket, far: socket.socket, course: Course) -> float | None:
    """Send as much at once as the link's queue takes, and time its arrival; bit/s."""
    if course.way.rate is None:
        return None
    room = course.way.rate * course.way.queue / 8
    size = max(SIZE, min(1000, int(room / 4)))
    count = max(4, min(100, int(0.8 * room / size)))
    begun = time.perf_counter()
    times: list[float] = []
    for _ in range(count):
        near.send(bytes(size - HEAD))
    patience = course.delay + course.way.jitter + course.way.queue + LATE
    while (left := begun + patience - time.perf_counter()) > 0 and len(times) < count:
        if select.select([far], [], [], left)[0]:
            far.recv(2048)
            times.append(time.perf_counter())
    if len(times) < 2:
        return None
    return (len(times) - 1) * size * 8 / (times[-1] - times[0])


def _mtu(near: socket.socket, far: socket.socket, course: Course) -> int | None:
    """Return the size that arrives unbroken where a byte more cannot be sent; else None."""
    discover, always = 10, 2  # IP_MTU_DISCOVER, IP_PMTUDISC_DO
    near.setsockopt(socket.IPPROTO_IP, discover, always)
    try:
        near.send(bytes(course.mtu - HEAD + 1))
        return None
    except OSError:
        pass
    for _ in range(8):
        near.send(bytes(course.mtu - HEAD))
        patience = course.delay + course.way.jitter + LATE
        while select.select([far], [], [], patience)[0]:
            if len(far.recv(2048)) == course.mtu - HEAD:
                return course.mtu
    return None
