"""Say what a box does to packets, as frozen data: the acts that rules and memories lead to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Toward(Enum):
    """Which end of the flow an act is aimed at."""

    CLIENT = "client"
    SERVER = "server"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Number:
    """A header field to fill in: from `low` to `high`, or as in the packet that triggered."""

    low: int
    high: int
    mirror: bool = False


@dataclass(frozen=True, slots=True)
class Header:
    """How forged packets look: TTL or hop limit, IPv4 identification, don't-fragment bit."""

    ttl: Number
    ip_id: Number
    df: bool


@dataclass(frozen=True, slots=True)
class Residual:
    """A memory that an act leaves: for `seconds`, what else passes between the same ends meets
    `then`; `renew` starts the time again whenever it does.

    `key` is "3-tuple" (client, server, server port), "4-tuple" (and client port) or "pair".
    `data_only` leaves packets without payload alone.
    """

    key: str
    seconds: float
    renew: bool
    data_only: bool
    then: tuple[Act, ...]


@dataclass(frozen=True, slots=True)
class Drop:
    """Drop what matched, or (`flow`) everything of its flow from now on; only packets on their
    way to `toward`."""

    flow: bool
    toward: Toward
    residual: Residual | None = None


@dataclass(frozen=True, slots=True)
class Reset:
    """Tell one or both ends that the other has given up: `count` RST segments each.

    Segment i has the sequence number the receiver expects plus `offsets[i % len(offsets)]`.
    `drop` also drops the packet that triggered (in-path only).
    """

    toward: Toward
    count: int
    flags: int
    offsets: tuple[int, ...]
    window: Number
    header: Header
    drop: bool
    residual: Residual | None = None


@dataclass(frozen=True, slots=True)
class DnsAnswer:
    """Answer a DNS query in the server's name.

    `v4` and `v6` are raw addresses; `pick` says how many of the wanted family (None: all).
    `otherwise`, where there are none of it: "empty" (NODATA), "nothing", or "a" (an A record
    whatever was asked). `over_tcp`: "nothing", "reset" or "answer".
    """

    rcode: int
    v4: tuple[bytes, ...]
    v6: tuple[bytes, ...]
    pick: int | None
    answer_ttl: Number
    authoritative: bool
    recursion: bool
    otherwise: str
    over_tcp: str
    header: Header
    drop: bool
    residual: Residual | None = None


@dataclass(frozen=True, slots=True)
class BlockPage:
    """Answer an HTTP request in the server's name and end the connection.

    `ending` is "fin" or "reset", what the client gets after the page; `reset_server` tells the
    server to give up.
    """

    response: bytes
    ending: str
    reset_server: bool
    header: Header
    drop: bool
    residual: Residual | None = None


Act = Drop | Reset | DnsAnswer | BlockPage
