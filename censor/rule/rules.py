"""Say what a rule is, as frozen data, and whether it matches.

A rule looks at a flow (addresses, ports, direction), and perhaps at one message in it (a DNS
query, an HTTP request, a ClientHello, a SIP request). No rule keeps state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from censor.follow.flow import Flow
from censor.follow.fragment import Ip
from censor.follow.tcb import Tcp
from censor.rule.act import Act, DnsAnswer, Intercept, Probe, SipEnd
from censor.rule.lexicon import Names, Texts
from censor.rule.odds import Odds
from censor.rule.sight import SIGHTS
from censor.wire.number import Protocol
from censor.wire.packet import Packet

__all__ = [
    "App", "Condition", "Ends", "HttpHabit", "Limits", "Message", "Names", "Policy", "Prefixes",
    "Reading", "Rule", "Tcp", "Texts", "When", "topic",
]  # fmt: skip

_TCP: Final = int(Protocol.TCP)


class App(StrEnum):
    """A protocol whose messages rules can look into."""

    DNS = "dns"
    HTTP = "http"
    TLS = "tls"
    SIP = "sip"
    QUIC = "quic"
    DTLS = "dtls"
    STUN = "stun"
    RTP = "rtp"
    FIRST = "first"
    SIGNATURE = "signature"
    SSH = "ssh"
    SOCKS = "socks"
    OPENVPN = "openvpn"
    WIREGUARD = "wireguard"


#: What a rule asks that has a method without a status: a request.
REQUEST: Final = "sip.request"

_TOPICS: Final = {**{app.value: app for app in App}, "rtcp": App.RTP}


def topic(key: str) -> App | None:
    """Return the protocol that a key of a `when` reads; None if it reads none."""
    return _TOPICS.get(key.partition(".")[0])


class Message(NamedTuple):
    """What rules can see of one message; `name` is lower case and without a final dot.

    `name` is the name asked for (DNS), the Host (HTTP), the server name (TLS, QUIC, DTLS) or the
    request URI's host (SIP); None where the message has none. `raw` is the message as it came, and
    `question_end` where a DNS message's questions end in it. `seen` is what the dissector made of
    it, for `censor.rule.sight`. `lacks`: keys that only a later message will answer. `repeated`:
    more of what a flow was recognised by before, as each packet of a call's media is. `only`: if
    not empty, rules that ask none of these keys were asked before.
    """

    app: App
    name: str | None
    method: str | None = None
    qtype: int | None = None
    trigger: Mapping[str, Any] = MappingProxyType({})
    raw: bytes = b""
    question_end: int = 0
    seen: Any = None
    lacks: frozenset[str] = frozenset()
    only: frozenset[str] = frozenset()
    repeated: bool = False

    @property
    def answers(self) -> bool:
        """Whether it is the response to a request, which nobody answers in turn."""
        return REQUEST in self.lacks


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on a part of a message, by its key.

    It holds if the part is in the list (one of its members, where the part is a list too), if it
    is a name or text that is meant, or if it is as a truth value says. `http.header` has the
    `header`'s lower-case name too, and holds if any header of that name is meant.
    """

    key: str
    want: Names | Texts | frozenset[Any] | bool
    header: str = ""

    def holds(self, message: Message) -> bool:
        """Say whether it holds for a message of its protocol."""
        want = self.want
        if self.header:
            return any(
                want is True or (isinstance(want, Texts) and want.find(value.encode("latin-1")))
                for name, value in message.seen.headers
                if name.lower() == self.header
            )
        part = SIGHTS[self.key](message.seen, message.name)
        if isinstance(want, bool):
            return bool(part) is want
        if part is None:
            return False
        if isinstance(want, frozenset):
            return any(one in want for one in part) if isinstance(part, tuple) else part in want
        if isinstance(part, tuple):
            return any(want.find(one) for one in part)
        found: bool = want.find(part)
        return found


@dataclass(frozen=True, slots=True)
class Prefixes:
    """A set of addresses and prefixes, looked up once per prefix length that occurs.

    `tables` maps the size of an address in bytes to (bits to cut off, prefixes left) pairs.
    """

    tables: Mapping[int, tuple[tuple[int, frozenset[int]], ...]]

    @classmethod
    def of(cls, networks: Iterable[tuple[bytes, int]]) -> Prefixes:
        """Make a set from (raw address, prefix length in bits) pairs."""
        lengths: dict[int, dict[int, set[int]]] = {}
        for raw, bits in networks:
            cut = 8 * len(raw) - bits
            value = int.from_bytes(raw, "big") >> cut
            lengths.setdefault(len(raw), {}).setdefault(cut, set()).add(value)
        return cls(
            {
                size: tuple((cut, frozenset(values)) for cut, values in sorted(by_cut.items()))
                for size, by_cut in lengths.items()
            }
        )

    def find(self, raw: bytes) -> bool:
        """Say whether the address (4 or 16 raw bytes) is in the set."""
        value = int.from_bytes(raw, "big")
        return any(value >> cut in values for cut, values in self.tables.get(len(raw), ()))


@dataclass(frozen=True, slots=True)
class Ends:
    """What a rule can see of a flow before any message, as `Flow` has it too.

    Addresses are raw bytes; `inside` says that the client, who began the flow, is on the
    censored side.
    """

    protocol: int
    client: bytes
    client_port: int
    server: bytes
    server_port: int
    inside: bool

    @property
    def pair(self) -> tuple[bytes, bytes]:
        """The two addresses, the client's first."""
        return self.client, self.server


@dataclass(frozen=True, slots=True)
class When:
    """The conditions of a rule, joined by "and"; None asks nothing.

    `client_above`: the client's port must be above the server's. `asks`: the keys, of the negated
    part too, that are about messages.
    """

    client: Prefixes | None = None
    server: Prefixes | None = None
    client_ports: frozenset[int] | None = None
    server_ports: frozenset[int] | None = None
    client_above: bool = False
    protocols: frozenset[int] | None = None
    inside: bool | None = None
    app: App | None = None
    name: Names | None = None
    methods: frozenset[str] | None = None
    qtypes: frozenset[int] | None = None
    more: tuple[Condition, ...] = ()
    negated: When | None = None
    asks: frozenset[str] = frozenset()
    header_lengths: frozenset[int] | None = None
    flags: frozenset[int] | None = None

    def fits(self, packet: Packet) -> bool:
        """Say whether what is asked of the very packet holds: its TCP header's length and flags."""
        if self.header_lengths is None and self.flags is None:
            return True
        length = packet.data_offset - packet.header_length
        return (
            packet.protocol == _TCP
            and (self.header_lengths is None or length in self.header_lengths)
            and (self.flags is None or packet.flags & 0x3F in self.flags)
        )

    @property
    def anywhere(self) -> bool:
        """Whether nothing is asked of the flow itself."""
        asked = (self.client, self.server, self.client_ports, self.server_ports, self.protocols)
        return (
            self.inside is None
            and self.negated is None
            and not self.client_above
            and not any(one is not None for one in asked)
        )

    @property
    def topic(self) -> App | None:
        """The protocol whose messages must be seen to decide, here or in the negated part."""
        return self.app or (self.negated.topic if self.negated else None)

    def ends(self, ends: Ends | Flow) -> bool:
        """Say whether the conditions on the flow itself hold, the negated part left aside."""
        return (
            (self.protocols is None or ends.protocol in self.protocols)
            and (self.inside is None or ends.inside is self.inside)
            and (self.server_ports is None or ends.server_port in self.server_ports)
            and (self.client_ports is None or ends.client_port in self.client_ports)
            and (not self.client_above or ends.client_port > ends.server_port)
            and (self.server is None or self.server.find(ends.server))
            and (self.client is None or self.client.find(ends.client))
        )

    def reaches(self, ends: Ends | Flow) -> bool:
        """Say whether some message in such a flow could match."""
        if not self.ends(ends):
            return False
        no = self.negated
        return no is None or no.topic is not None or not no.matches(ends, None)

    def matches(self, ends: Ends | Flow, message: Message | None) -> bool:
        """Say whether the flow and the message match; None stands for no message at all."""
        return self.ends(ends) and self.hears(ends, message)

    def hears(self, ends: Ends | Flow, message: Message | None) -> bool:
        """Say whether a message matches in a flow that `reaches` has found to match."""
        return (
            not (message is not None and message.lacks and message.lacks & self.asks)
            and (self.app is None or (message is not None and self._reads(message)))
            and (self.negated is None or not self.negated.matches(ends, message))
        )

    def _reads(self, message: Message) -> bool:
        return (
            message.app is self.app
            and (self.methods is None or message.method in self.methods)
            and (self.qtypes is None or message.qtype in self.qtypes)
            and (self.name is None or (message.name is not None and self.name.find(message.name)))
            and (not self.more or all(one.holds(message) for one in self.more))
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """When what is done, and how often in a hundred; no acts at all is an exception (`allow`).

    `goes_on`: the rules after it are asked as well. `odds`: what counts instead of `chance`.
    """

    id: str
    when: When
    then: tuple[Act, ...]
    chance: float
    goes_on: bool = False
    odds: Odds | None = None

    @property
    def allows(self) -> bool:
        """Whether this rule is an exception."""
        return not self.then


@dataclass(frozen=True, slots=True)
class Reading:
    """How the box reads one protocol: where it looks, and what it cannot put together.

    `ports` None is every server port; `protocols` are transports; `later` says that requests
    after a connection's first are read too; `records` that a ClientHello may span TLS records.
    `habit` is a protocol's own way of being read, `announced` that media flows are known from SDP,
    `payloads` how many of a client's first ones are judged, `certificates` that a
    server's is waited for.
    """

    ports: frozenset[int] | None
    protocols: frozenset[int]
    later: bool = True
    records: bool = True
    questions: bool = False
    habit: Any = None
    announced: bool = False
    payloads: int = 1
    certificates: bool = False


@dataclass(frozen=True, slots=True)
class HttpHabit:
    """How the box reads a request: which Host of several, and whether that or an absolute target
    counts; whether lines may end in LF alone, and whether Host may be spelled in any way but
    "Host: " (servers do all of that)."""

    last_host: bool = False
    header_first: bool = False
    lf_only: bool = True
    any_spelling: bool = True


@dataclass(frozen=True, slots=True)
class Limits:
    """How much the box remembers; what does not fit is evicted, and said so."""

    flows: int
    idle: float
    residual: int
    give_up: int
    held: int = 1000
    fragments: int = 256
    buffers: int = 64 << 20


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything a box does, compiled.

    `sees`: packets from the censored side only (True), from the other only (False), or both.
    """

    in_path: bool
    latency: float
    tcp: Tcp
    readings: Mapping[App, Reading]
    limits: Limits
    exceptions: tuple[Rule, ...]
    rules: tuple[Rule, ...]
    sees: bool | None = None
    ip: Ip = field(default_factory=Ip)

    @property
    def awaits_answers(self) -> bool:
        """Whether the real answers to DNS queries are waited for, over TCP too."""
        acts = (act for rule in self.rules for act in rule.then if isinstance(act, DnsAnswer))
        return any(act.moment != "before" and act.over_tcp != "nothing" for act in acts)

    @property
    def remembers(self) -> bool:
        """Whether an act leaves a memory, which must reach flows that were settled before it."""
        return any(act.residual is not None for rule in self.rules for act in rule.then)

    @property
    def timed(self) -> bool:
        """Whether forged packets leave a stated while after their trigger came, some or all."""
        acts = [act for rule in self.rules for act in rule.then]
        acts += [later for act in acts if act.residual for later in act.residual.then]
        return self.latency > 0 or any(_later(act) for act in acts)

    @property
    def ends_calls(self) -> bool:
        """Whether dialogues must be known, because an act forges their end."""
        return any(isinstance(act, SipEnd) for rule in self.rules for act in rule.then)

    @property
    def probes(self) -> bool:
        """Whether the box asks servers itself, and must know their answers."""
        return any(isinstance(act, Probe) for rule in self.rules for act in rule.then)

    @property
    def intercepts(self) -> bool:
        """Whether connections may be taken over, so that their handshakes must be known."""
        return any(isinstance(act, Intercept) for rule in self.rules for act in rule.then)


def _later(act: Act) -> bool:
    """Say whether an act's packets leave a stated while after what triggers it."""
    if isinstance(act, DnsAnswer) and act.moment == "after":
        return True
    header = getattr(act, "header", None)
    return bool(header and header.latency) or getattr(act, "after", 0) > 0
