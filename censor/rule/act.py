"""Say what a box does to packets, as frozen data: the acts that rules and memories lead to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from censor.rule.takeover import Forgery


class Toward(Enum):
    """Which end of the flow an act is aimed at."""

    CLIENT = "client"
    SERVER = "server"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Number:
    """A header field to fill in: drawn from `low` to `high`; or as in the packet that triggered,
    plus `shift`; or, with a `step`, the next of a cycle that the box keeps under `name`."""

    low: int
    high: int
    mirror: bool = False
    shift: int = 0
    step: int = 0
    name: str = ""


@dataclass(frozen=True, slots=True)
class Header:
    """How forged packets look: TTL or hop limit, IPv4 identification, don't-fragment bit; and how
    long after their trigger they leave, in seconds (None: the box's latency)."""

    ttl: Number
    ip_id: Number
    df: bool
    latency: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What all acts share.

    `name` is their own in the policy; `chance`, drawn once a flow, is that of this act after its
    rule's came true; `residual` is what it leaves behind.
    """

    name: str = ""
    chance: float = 1.0
    residual: Residual | None = None


@dataclass(frozen=True, slots=True)
class Residual:
    """A memory that an act leaves: for `seconds`, what else passes between the same ends meets
    `then`; `renew` starts the time again whenever it does.

    `key` is "3-tuple" (client, server, server port), "4-tuple" (and client port), "pair",
    or "server" (server, server port: whoever the client is).
    `data_only` leaves packets without payload alone. It begins `after` so many seconds.
    """

    key: str
    seconds: float
    renew: bool
    data_only: bool
    then: tuple[Act, ...]
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class Drop(Deed):
    """Drop what matched, or (`flow`) everything of its flow from now on; only packets on their
    way to `toward`."""

    flow: bool
    toward: Toward


@dataclass(frozen=True, slots=True)
class Reset(Deed):
    """Tell one or both ends that the other is done: `count` segments each, RST or FIN by `flags`.

    Segment i has the sequence number the receiver expects plus `offsets[i % len(offsets)]`;
    `own_number` counts from the trigger's own number instead, for its receiver. `drop` also drops
    the packet that triggered (in-path only).
    """

    toward: Toward
    count: int
    flags: int
    offsets: tuple[int, ...]
    window: Number
    header: Header
    drop: bool
    payload: bytes = b""
    own_number: bool = False


@dataclass(frozen=True, slots=True)
class SynAck(Deed):
    """Answer a SYN in the other end's name, with a sequence number of the box's own: what the
    sender then takes for the connection, the other end knows nothing of."""

    window: Number
    header: Header
    drop: bool


@dataclass(frozen=True, slots=True)
class Impostor(Deed):
    """Be the server of a connection: complete the handshake, and meet what the client sends then.

    `data` says how: "reset" the connection at the first of it, serve a "page" (`response`) to an
    HTTP request, or acknowledge it and say "nothing". `ending` is a page's, as of `BlockPage`.
    """

    window: Number
    header: Header
    drop: bool
    data: str
    reset_flags: int
    response: bytes = b""
    ending: str = "fin"


@dataclass(frozen=True, slots=True)
class Probe(Deed):
    """Repeat a client's payload to its server, from one of `sources` (raw addresses), so many
    seconds `after`; what it leaves behind it leaves if the outcome is in `confirm`.

    Outcomes: "answered" (with data), "closed" (by FIN), "reset", "refused" (before any data).
    """

    sources: tuple[bytes, ...]
    after: float
    confirm: frozenset[str]
    window: Number
    header: Header
    drop: bool


@dataclass(frozen=True, slots=True)
class DnsAnswer(Deed):
    """Answer a DNS query in the server's name.

    `v4` and `v6` are raw addresses; `pick` says how many of the wanted family (None: all), in
    turn if `in_turn`. `cname`: a name in wire format, of which the addresses then are.
    `otherwise`, where there are none of it: "empty" (NODATA), "nothing", or "a" (an A record
    whatever was asked). `over_tcp`: "nothing", "reset" or "answer". `moment`: "before" the real
    answer, "with" it, "after" it, or "instead" of it, in its very packet.
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
    in_turn: bool = False
    cname: bytes | None = None
    moment: str = "before"


@dataclass(frozen=True, slots=True)
class BlockPage(Deed):
    """Answer an HTTP request in the server's name and end the connection.

    `ending` is "fin", "reset" or "fin-reset", what the client gets after the page, a RST with
    `reset_flags`; `reset_server` tells the server to give up.
    """

    response: bytes
    ending: str
    reset_server: bool
    header: Header
    drop: bool
    reset_flags: int = 0x14


@dataclass(frozen=True, slots=True)
class Unreachable(Deed):
    """Tell a packet's sender by ICMP that it did not arrive: type 3 in IPv4, 1 in IPv6.

    `code` and `code6` are the families'. `sources`: raw addresses the error comes from, the first
    of the packet's family; none: from where the packet went.
    """

    code: int
    code6: int
    sources: tuple[bytes, ...]
    header: Header
    drop: bool


@dataclass(frozen=True, slots=True)
class SipResponse(Deed):
    """Answer a SIP request in its receiver's name; `reason` None: as the RFC words it."""

    status: int
    reason: str | None
    header: Header
    drop: bool


@dataclass(frozen=True, slots=True)
class SipEnd(Deed):
    """End a call in the other end's name: a BYE of a dialogue that was answered, toward one end or
    both; or a CANCEL of the INVITE at hand, toward its receiver. `after`: so many seconds more
    than the box's latency."""

    cancel: bool
    toward: Toward
    header: Header
    drop: bool
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class Intercept(Deed):
    """Go on with a TLS connection in its server's place, under a forged certificate."""

    forgery: Forgery


@dataclass(frozen=True, slots=True)
class Burden(Deed):
    """What a flow bears from now on, for `lasting` seconds (None: to its end): only packets on
    their way to `toward`."""

    toward: Toward
    lasting: float | None


@dataclass(frozen=True, slots=True)
class Police(Burden):
    """Drop what comes faster than `rate` (bytes of IP a second), a `burst` (bytes) aside.

    `per`: whose bytes are counted together, each direction by itself: "flow", "pair" or "rule".
    """

    rate: float
    burst: float
    per: str


@dataclass(frozen=True, slots=True)
class Shape(Burden):
    """Hold back what comes faster than `rate`; drop what would wait longer than `queue` seconds."""

    rate: float
    burst: float
    queue: float
    per: str


@dataclass(frozen=True, slots=True)
class Delay(Burden):
    """Hold every packet for `seconds`, and up to `jitter` more; no packet overtakes another."""

    seconds: float
    jitter: float


@dataclass(frozen=True, slots=True)
class Thin(Burden):
    """Drop every packet with a chance of `loss`."""

    loss: float


@dataclass(frozen=True, slots=True)
class Cut(Burden):
    """Let so many packets or bytes of payload pass, or so many seconds; from then on none.

    Whichever comes first; None asks nothing. Counted are packets on their way to `counting`, those
    with payload only if `data_only`. `lasting` is how long it stays cut. `per`: whose packets are
    counted together, and cut together: "flow", "pair" or "rule".
    """

    packets: Number | None
    size: int | None
    seconds: float | None
    counting: Toward
    data_only: bool
    per: str = "flow"


@dataclass(frozen=True, slots=True)
class RewriteReset(Burden):
    """Make a RST of every TCP segment in its own packet: `flags` replaced, payload cut off."""

    flags: int


@dataclass(frozen=True, slots=True)
class RewriteHeader(Burden):
    """Set header fields (None: leave it), and spoil the payload or the transport's checksum.

    Checksums are right again unless `bad_checksum`.
    """

    ttl: Number | None
    ip_id: Number | None
    window: Number | None
    flags: int | None
    spoil: bool
    bad_checksum: bool


Act = (
    Drop
    | Reset
    | SynAck
    | Impostor
    | Probe
    | DnsAnswer
    | BlockPage
    | Unreachable
    | SipResponse
    | SipEnd
    | Intercept
    | Police
    | Shape
    | Delay
    | Thin
    | Cut
    | RewriteReset
    | RewriteHeader
)

#: The acts that send packets of the box's own.
Forger = (
    Reset | SynAck | Impostor | Probe | DnsAnswer | BlockPage | Unreachable | SipResponse | SipEnd
)
