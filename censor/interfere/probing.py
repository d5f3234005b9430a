"""Ask a server again, from elsewhere, what a client asked it: the replay probe.

The box plays the prober with forged packets, and hears the answers as they cross it: a recording
of its door holds all of a probe, and a replay says the same.

Wire:    RFC 9293 sections 3.5 and 3.10, a client that sends once and then breaks off.
Limits:  no options, nothing is sent twice unless the server repeats itself, and silence is no
         outcome. At most `LIMIT` probes are remembered; the oldest goes first.
Source:  fact cn-shadowsocks-probing, kind R1: the first payload, byte for byte.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from censor.rule.act import Probe
from censor.rule.luck import Luck
from censor.wire import forge
from censor.wire.key import Key, join
from censor.wire.number import Protocol, TcpFlag
from censor.wire.packet import Packet

_TCP: Final = int(Protocol.TCP)
_ACK: Final = int(TcpFlag.ACK)
_PSH: Final = int(TcpFlag.PSH)
_RST: Final = int(TcpFlag.RST)
_SYN: Final = int(TcpFlag.SYN)
_FIN: Final = int(TcpFlag.FIN)
_SPACE: Final = 1 << 32
#: Ports that a prober's system gives out (Linux: net.ipv4.ip_local_port_range).
_PORTS: Final = (32768, 60999)

#: Probes remembered at once.
LIMIT: Final = 256


@dataclass(slots=True)
class Attempt:
    """One probe: raw addresses, and the first payload of the client that it repeats."""

    act: Probe
    rule: str
    source: bytes
    port: int
    server: bytes
    server_port: int
    isn: int
    payload: bytes
    shaken: bool = False
    outcome: str | None = None

    @classmethod
    def of(cls, act: Probe, rule: str, packet: Packet, luck: Luck) -> Attempt | None:
        """Plan a probe of a packet's receiver; None if there is no prober of its family."""
        sources = [one for one in act.sources if len(one) == len(packet.dst)]
        if not sources:
            return None
        (source,) = luck.pick(sources, 1)
        port, isn = luck.between(*_PORTS), luck.between(0, _SPACE - 1)
        return cls(act, rule, source, port, packet.dst, packet.dport, isn, packet.payload)

    @property
    def key(self) -> Key:
        """The key of the probe's flow, as packets have it."""
        return join(self.source, self.port, self.server, self.server_port, _TCP)

    def hello(self) -> forge.Tcp:
        """Return the SYN that begins it."""
        return self._header(self.isn, 0, _SYN)

    def meet(self, packet: Packet) -> tuple[forge.Tcp, bytes] | None:
        """Take a packet of the server: return what to say to it; `outcome` may be known then."""
        if self.outcome is not None:
            return None
        flags, sent = packet.flags, (self.isn + 1 + len(self.payload)) % _SPACE
        if flags & _RST:
            self.outcome = "reset" if self.shaken else "refused"
        elif flags & (_SYN | _ACK) == _SYN | _ACK and packet.ack == (self.isn + 1) % _SPACE:
            self.shaken = True
            return self._header(self.isn + 1, packet.seq + 1, _PSH | _ACK), self.payload
        elif self.shaken and (packet.payload_length or flags & _FIN):
            self.outcome = "answered" if packet.payload_length else "closed"
            return self._header(sent, 0, _RST), b""
        return None

    def _header(self, seq: int, ack: int, flags: int) -> forge.Tcp:
        return forge.Tcp(self.port, self.server_port, seq, ack, flags)


class Attempts:
    """The probes under way, by their flows."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[Key, Attempt] = {}

    def find(self, flow: Key) -> Attempt | None:
        """Return the probe that a flow is."""
        return self._known.get(flow)

    def add(self, attempt: Attempt) -> Attempt | None:
        """Remember a probe, under a port that is free; return an unfinished one that had to go."""
        gone = None
        while attempt.key in self._known:
            attempt.port = _PORTS[0] if attempt.port == _PORTS[1] else attempt.port + 1
        if len(self._known) >= LIMIT:
            gone = self._known.pop(next(iter(self._known)))
        self._known[attempt.key] = attempt
        return gone if gone is None or gone.outcome is None else None
