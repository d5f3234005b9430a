"""Remember who talks with whom: a bounded table of flows, without a clock of its own."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Generic, Literal, TypeVar

from censor.follow.stream import LIMIT, Overlap, Stream
from censor.wire.key import Key, join, split
from censor.wire.number import Protocol, TcpFlag
from censor.wire.packet import Packet

#: Seconds after which a flow that said nothing is forgotten.
IDLE: Final = 600.0

#: The most flows remembered at once.
FLOWS: Final = 100_000

_TCP: Final = int(Protocol.TCP)
_SYN: Final = int(TcpFlag.SYN)
_ACK: Final = int(TcpFlag.ACK)
_FIN: Final = int(TcpFlag.FIN)
_RST: Final = int(TcpFlag.RST)
_MARKS: Final = _SYN | _FIN | _RST
_SPACE: Final = 1 << 32

#: Ports below this are servers' (RFC 6335 section 6).
_SYSTEM_PORTS: Final = 1024


class Flow:
    """What is known of one flow. Addresses are raw bytes, times seconds.

    key: its ends, of which the others are read: there may be a hundred thousand flows.
    inside_client: whether the client, who began it, is on the censored side; None if unknown.
    established: both ends have spoken (TCP: and it was not only the handshake's first half).
    closed: a RST, or a FIN from both ends. client_first, server_first: sequence numbers of the
    first byte behind each end's SYN, None where that was not seen.
    """

    __slots__ = (
        "_client_lower",
        "_told",
        "client_first",
        "client_stream",
        "closed",
        "established",
        "inside_client",
        "key",
        "seen",
        "server_first",
        "server_stream",
    )

    def __init__(
        self, packet: Packet, key: Key, now: float, inside: bool | None, by_client: bool
    ) -> None:
        self.key = key
        src, dst = packet.src, packet.dst
        lower = src < dst or (src == dst and packet.sport <= packet.dport)
        itself = src == dst and packet.sport == packet.dport  # then all is from the client
        self._client_lower = itself or lower == by_client
        self.inside_client = None if inside is None else inside == by_client
        self.seen = now
        self.established = self.closed = False
        self.client_first: int | None = None
        self.server_first: int | None = None
        self.client_stream: Stream | None = None
        self.server_stream: Stream | None = None
        self._told = 0  # the client 1, the server 2: who sent a FIN; without TCP, anything

    @property
    def protocol(self) -> int:
        """What IP carries."""
        return self.key[-1]

    @property
    def client(self) -> bytes:
        """The address of who began it."""
        low, high, _, _, _ = split(self.key)
        return low if self._client_lower else high

    @property
    def server(self) -> bytes:
        """The other address."""
        low, high, _, _, _ = split(self.key)
        return high if self._client_lower else low

    @property
    def client_port(self) -> int:
        """The port of who began it."""
        _, _, low, high, _ = split(self.key)
        return low if self._client_lower else high

    @property
    def server_port(self) -> int:
        """The other port."""
        _, _, low, high, _ = split(self.key)
        return high if self._client_lower else low

    @property
    def inside(self) -> bool:
        """Whether the client is known to be on the censored side."""
        return bool(self.inside_client)

    @property
    def pair(self) -> tuple[bytes, bytes]:
        """The two addresses, the client's first."""
        low, high, _, _, _ = split(self.key)
        return (low, high) if self._client_lower else (high, low)

    def from_client(self, packet: Packet) -> bool:
        """Say whether the client sent this packet of the flow."""
        src, dst = packet.src, packet.dst
        lower = src < dst or (src == dst and packet.sport <= packet.dport)
        return lower is self._client_lower

    def stream(
        self,
        from_client: bool,
        *,
        limit: int = LIMIT,
        overlap: Overlap = "first",
        reassemble: bool = True,
    ) -> Stream:
        """Return one direction's stream, made when first asked for.

        It begins behind the SYN if the table saw one, so a stream may be asked for only when there
        is data: segments before that need not be fed.
        """
        stream = self.client_stream if from_client else self.server_stream
        if stream is None:
            base = self.client_first if from_client else self.server_first
            stream = Stream(limit, overlap, reassemble, base=base)
            if from_client:
                self.client_stream = stream
            else:
                self.server_stream = stream
        return stream

    def heard(self, from_client: bool) -> Stream | None:
        """Return one direction's stream, None before it was asked for."""
        return self.client_stream if from_client else self.server_stream

    def restart(self, from_client: bool, number: int) -> None:
        """Let one direction's stream begin at `number` when it is next asked for."""
        if from_client:
            self.client_first, self.client_stream = number, None
        else:
            self.server_first, self.server_stream = number, None

    def drop_streams(self) -> None:
        """Forget the bytes kept of both directions."""
        self.client_stream = self.server_stream = None

    def __repr__(self) -> str:
        ends = f"{self.client.hex()}:{self.client_port} > {self.server.hex()}:{self.server_port}"
        return f"<Flow {ends} protocol {self.protocol}>"


#: What a table keeps: flows, or what knows more of them.
F = TypeVar("F", bound=Flow)


#: Why a flow was forgotten: it was idle, the table was full, or another one began between its ends.
Reason = Literal["idle", "limit", "anew"]


class FlowTable(Generic[F]):
    """At most `limit` flows; the least recently used goes first, idle ones after `idle` seconds.

    make: called as `Flow` is, for each new flow.
    evicted: what was forgotten, and why, since the caller last emptied the list.
    resync: a SYN with another initial sequence number begins a new flow although the old one did
        not close (a client that reuses its port; also how an inserted SYN confuses a censor:
        Khattak et al., "Towards Illuminating a Censorship Monitor's Model", FOCI 2013). Without
        it the first SYN counts until the flow is closed; with `mirrored`, so does a SYN+ACK
        that came before any SYN, whose receiver is taken for the client (Wang et al., "Your State
        is Not Mine", IMC 2017: TCB reversal).
    """

    __slots__ = ("_flows", "_make", "evicted", "idle", "limit", "mirrored", "resync")

    def __init__(
        self,
        make: Callable[[Packet, Key, float, bool | None, bool], F],
        limit: int = FLOWS,
        idle: float = IDLE,
        *,
        resync: bool = True,
        mirrored: bool = False,
    ) -> None:
        if limit < 1:
            raise ValueError(f"limit {limit}, expected at least 1 flow")
        self.limit = limit
        self.idle = idle
        self.resync = resync
        self.mirrored = mirrored
        self.evicted: list[tuple[F, Reason]] = []
        self._make = make
        self._flows: OrderedDict[Key, F] = OrderedDict()

    def __len__(self) -> int:
        return len(self._flows)

    def __contains__(self, key: Key) -> bool:
        return key in self._flows

    def get(self, key: Key) -> F | None:
        """Return a flow without touching it."""
        return self._flows.get(key)

    def flows(self) -> list[F]:
        """Return all flows, the least recently used first."""
        return list(self._flows.values())

    def observe(self, packet: Packet, *, now: float, inside: bool | None = None) -> F:
        """Show a packet to its flow, which is made if it is new, and return the flow.

        `inside`: the packet came in from the censored side; None if nobody knows.
        """
        key = join(packet.src, packet.sport, packet.dst, packet.dport, packet.protocol)
        flow = self._flows.get(key)
        if flow is None or now - flow.seen > self.idle:
            flow = self._begin(packet, key, now, inside)
        else:
            self._flows.move_to_end(key)
            if packet.flags & _SYN and self._anew(flow, packet):
                flow = self._begin(packet, key, now, inside)
        flow.seen = now
        if packet.flags & _MARKS or not flow.established:
            _follow(flow, packet)
        return flow

    def forget(self, key: Key) -> F | None:
        """Drop a flow on purpose, which is no eviction."""
        return self._flows.pop(key, None)

    def expire(self, now: float) -> None:
        """Forget the flows that have been idle for too long."""
        flows = self._flows
        while flows:
            flow = next(iter(flows.values()))
            if now - flow.seen <= self.idle:
                return
            del flows[flow.key]
            self.evicted.append((flow, "idle"))

    def _begin(self, packet: Packet, key: Key, now: float, inside: bool | None) -> F:
        self.expire(now)
        former = self._flows.pop(key, None)
        if former is not None:
            self.evicted.append((former, "anew"))
        while len(self._flows) >= self.limit:
            _, oldest = self._flows.popitem(last=False)
            self.evicted.append((oldest, "limit"))
        flow = self._make(packet, key, now, inside, _sent_by_client(packet))
        self._flows[key] = flow
        return flow

    def _anew(self, flow: F, packet: Packet) -> bool:
        """Say whether a SYN begins another connection between the same two ends."""
        if packet.flags & _ACK:
            return False
        if flow.closed:
            return True
        first = (packet.seq + 1) % _SPACE
        if flow.from_client(packet):
            if flow.client_first == first:
                return False
        elif (
            flow.client_first is not None
            and not flow.established
            and flow.server_first in (None, first)
        ):
            return False  # both open at once: RFC 9293 section 3.5
        return self.resync or (flow.client_first is None and not self.mirrored)


def _sent_by_client(packet: Packet) -> bool:
    """Guess from a flow's first packet whether its sender began the flow.

    TCP: the sender of a SYN did, the sender of a SYN+ACK did not; without either, the higher port
    is the client's. Else the sender did, unless only its port is a system port: then it answers.
    """
    if packet.protocol == _TCP:
        if packet.flags & _SYN:
            return not packet.flags & _ACK
        return packet.sport >= packet.dport
    return not (packet.sport < _SYSTEM_PORTS <= packet.dport and packet.sport > 0)


def _follow(flow: Flow, packet: Packet) -> None:
    """Follow the handshake and the end of a flow, as far as one packet tells."""
    flags = packet.flags
    from_client = flow.from_client(packet)
    if packet.protocol != _TCP:
        flow._told |= 1 if from_client else 2
        flow.established = flow._told == 3
        return
    if flags & _SYN:
        if from_client:
            if flow.client_first is None:
                flow.client_first = (packet.seq + 1) % _SPACE
        elif flow.server_first is None:
            flow.server_first = (packet.seq + 1) % _SPACE
    elif not flags & _RST and (packet.end > packet.data_offset or from_client):
        flow.established = True
    if flags & _RST:
        flow.closed = True
    elif flags & _FIN:
        flow._told |= 1 if from_client else 2
        flow.closed = flow.closed or flow._told == 3
