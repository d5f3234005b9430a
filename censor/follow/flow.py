"""Remember who talks with whom: a bounded table of flows, without a clock of its own."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, Literal

from censor.follow.stream import LIMIT, Overlap, Stream
from censor.wire.number import Protocol, TcpFlag
from censor.wire.packet import Key, Packet

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

    client: who began it; inside_client: whether that end is on the censored side, None if unknown.
    syn_seen: its first SYN was seen. established: both ends have spoken (TCP: and it was not only
        the handshake's first half). closed: a RST, or a FIN from both ends.
    client_isn, server_isn: initial sequence numbers, None where the SYN was not seen.
    """

    __slots__ = (
        "_told",
        "client",
        "client_isn",
        "client_port",
        "client_stream",
        "closed",
        "created",
        "established",
        "inside_client",
        "key",
        "protocol",
        "seen",
        "server",
        "server_isn",
        "server_port",
        "server_stream",
        "syn_seen",
    )

    def __init__(
        self, packet: Packet, flow_key: Key, *, now: float, inside: bool | None, by_client: bool
    ) -> None:
        self.key = flow_key
        self.protocol = packet.protocol
        # The key's own objects, so that each address is in memory once.
        low = packet.src == flow_key[0] and packet.sport == flow_key[1]
        if low == by_client:
            self.client, self.client_port, self.server, self.server_port, _ = flow_key
        else:
            self.server, self.server_port, self.client, self.client_port, _ = flow_key
        self.inside_client = None if inside is None else inside == by_client
        self.created = self.seen = now
        self.syn_seen = self.established = self.closed = False
        self.client_isn: int | None = None
        self.server_isn: int | None = None
        self.client_stream: Stream | None = None
        self.server_stream: Stream | None = None
        self._told = 0  # the client 1, the server 2: who sent a FIN; without TCP, anything

    @property
    def inside(self) -> bool:
        """Whether the client is known to be on the censored side."""
        return bool(self.inside_client)

    @property
    def pair(self) -> tuple[bytes, bytes]:
        """The two addresses, the client's first."""
        return self.client, self.server

    def from_client(self, packet: Packet) -> bool:
        """Say whether the client sent this packet of the flow."""
        return packet.src == self.client and packet.sport == self.client_port

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
            isn = self.client_isn if from_client else self.server_isn
            base = None if isn is None else (isn + 1) % _SPACE
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
        before = (number - 1) % _SPACE
        if from_client:
            self.client_isn, self.client_stream = before, None
        else:
            self.server_isn, self.server_stream = before, None

    def drop_streams(self) -> None:
        """Forget the bytes kept of both directions."""
        self.client_stream = self.server_stream = None

    def __repr__(self) -> str:
        ends = f"{self.client.hex()}:{self.client_port} > {self.server.hex()}:{self.server_port}"
        return f"<Flow {ends} protocol {self.protocol}>"


@dataclass(frozen=True, slots=True)
class Eviction:
    """A flow that was forgotten, and why: it was idle, or the table was full."""

    flow: Flow
    reason: Literal["idle", "limit"]


class FlowTable:
    """At most `limit` flows; the least recently used goes first, idle ones after `idle` seconds.

    evicted: what was forgotten since the caller last emptied the list.
    resync: a SYN with another initial sequence number begins a new flow although the old one did
        not close (a client that reuses its port; also how an inserted SYN confuses a censor:
        Khattak et al., "Towards Illuminating a Censorship Monitor's Model", FOCI 2013). Without
        it the first SYN counts until the flow is closed; with `mirrored`, so does a SYN+ACK
        that came before any SYN, whose receiver is taken for the client (Wang et al., "Your State
        is Not Mine", IMC 2017: TCB reversal).
    """

    __slots__ = ("_flows", "evicted", "idle", "limit", "mirrored", "resync")

    def __init__(
        self,
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
        self.evicted: list[Eviction] = []
        self._flows: OrderedDict[Key, Flow] = OrderedDict()

    def __len__(self) -> int:
        return len(self._flows)

    def __contains__(self, flow_key: Key) -> bool:
        return flow_key in self._flows

    def get(self, flow_key: Key) -> Flow | None:
        """Return a flow without touching it."""
        return self._flows.get(flow_key)

    def flows(self) -> list[Flow]:
        """Return all flows, the least recently used first."""
        return list(self._flows.values())

    def observe(self, packet: Packet, *, now: float, inside: bool | None = None) -> Flow:
        """Show a packet to its flow, which is made if it is new, and return the flow.

        `inside`: the packet came in from the censored side; None if nobody knows.
        """
        src = packet.src
        dst = packet.dst
        sport = packet.sport
        # packet.key(), in line: a third of this method's time otherwise
        if src < dst or (src == dst and sport <= packet.dport):
            flow_key = (src, sport, dst, packet.dport, packet.protocol)
        else:
            flow_key = (dst, packet.dport, src, sport, packet.protocol)
        flow = self._flows.get(flow_key)
        if flow is None or now - flow.seen > self.idle:
            flow = self._begin(packet, flow_key, now, inside)
        else:
            self._flows.move_to_end(flow_key)
            if packet.flags & _SYN and self._anew(flow, packet):
                flow = self._begin(packet, flow_key, now, inside)
        flow.seen = now
        if packet.flags & _MARKS or not flow.established:
            _follow(flow, packet)
        return flow

    def forget(self, flow_key: Key) -> Flow | None:
        """Drop a flow on purpose, which is no eviction."""
        return self._flows.pop(flow_key, None)

    def expire(self, now: float) -> None:
        """Forget the flows that have been idle for too long."""
        flows = self._flows
        while flows:
            flow = next(iter(flows.values()))
            if now - flow.seen <= self.idle:
                return
            del flows[flow.key]
            self.evicted.append(Eviction(flow, "idle"))

    def _begin(self, packet: Packet, flow_key: Key, now: float, inside: bool | None) -> Flow:
        self.expire(now)
        self._flows.pop(flow_key, None)
        while len(self._flows) >= self.limit:
            _, oldest = self._flows.popitem(last=False)
            self.evicted.append(Eviction(oldest, "limit"))
        flow = Flow(packet, flow_key, now=now, inside=inside, by_client=_sent_by_client(packet))
        self._flows[flow_key] = flow
        return flow

    def _anew(self, flow: Flow, packet: Packet) -> bool:
        """Say whether a SYN begins another connection between the same two ends."""
        if packet.flags & _ACK:
            return False
        if flow.closed:
            return True
        if flow.from_client(packet):
            if flow.client_isn == packet.seq:
                return False
        elif (
            flow.client_isn is not None
            and not flow.established
            and flow.server_isn in (None, packet.seq)
        ):
            return False  # both open at once: RFC 9293 section 3.5
        return self.resync or (flow.client_isn is None and not self.mirrored)


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
        flow.syn_seen = True
        if from_client:
            if flow.client_isn is None:
                flow.client_isn = packet.seq
        elif flow.server_isn is None:
            flow.server_isn = packet.seq
    elif not flags & _RST and (packet.end > packet.data_offset or from_client):
        flow.established = True
    if flags & _RST:
        flow.closed = True
    elif flags & _FIN:
        flow._told |= 1 if from_client else 2
        flow.closed = flow.closed or flow._told == 3
