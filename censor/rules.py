"""Say what a rule is, as frozen data, and whether it matches.

A rule looks at a flow (addresses, ports, direction), and perhaps at one message in it (a DNS
query, an HTTP request, a ClientHello, a SIP request). No rule keeps state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from censor.act import Act


class App(StrEnum):
    """A protocol whose messages rules can look into."""

    DNS = "dns"
    HTTP = "http"
    TLS = "tls"
    SIP = "sip"


@dataclass(frozen=True, slots=True)
class Message:
    """What rules can see of one message; `name` is lower case and without a final dot.

    `name` is the name asked for (DNS), the Host (HTTP), the server name (TLS) or the request
    URI's host (SIP); None where the message has none. `raw` is the message as it came, and
    `question_end` where a DNS message's questions end in it.
    """

    app: App
    name: str | None
    method: str | None = None
    qtype: int | None = None
    trigger: Mapping[str, Any] = field(default_factory=dict)
    raw: bytes = b""
    question_end: int = 0


@dataclass(frozen=True, slots=True)
class Names:
    """A set of names: whole, with everything under them, or by a part.

    Whole and suffix lookups cost one hash a label however many names there are; `substring` is
    scanned, for censors that are documented to do so.
    """

    exact: frozenset[str] = frozenset()
    suffix: frozenset[str] = frozenset()
    substring: tuple[str, ...] = ()

    def find(self, name: str) -> bool:
        """Say whether `name` (lower case, no final dot) is in the set."""
        if name in self.exact:
            return True
        suffix = self.suffix
        if suffix:
            if name in suffix:
                return True
            at = name.find(".")
            while at >= 0:
                if name[at + 1 :] in suffix:
                    return True
                at = name.find(".", at + 1)
        return any(part in name for part in self.substring)


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
    """What a rule can see of a flow before any message: the same for all its packets.

    Addresses are raw bytes; `inside` says that the client, who began the flow, is on the
    censored side.
    """

    protocol: int
    client: bytes
    client_port: int
    server: bytes
    server_port: int
    inside: bool


@dataclass(frozen=True, slots=True)
class When:
    """The conditions of a rule, joined by "and"; None asks nothing."""

    client: Prefixes | None = None
    server: Prefixes | None = None
    client_ports: frozenset[int] | None = None
    server_ports: frozenset[int] | None = None
    protocols: frozenset[int] | None = None
    inside: bool | None = None
    app: App | None = None
    name: Names | None = None
    methods: frozenset[str] | None = None
    qtypes: frozenset[int] | None = None
    negated: When | None = None

    @property
    def anywhere(self) -> bool:
        """Whether nothing is asked of the flow itself."""
        asked = (self.client, self.server, self.client_ports, self.server_ports, self.protocols)
        return (
            self.inside is None
            and self.negated is None
            and not any(one is not None for one in asked)
        )

    @property
    def topic(self) -> App | None:
        """The protocol whose messages must be seen to decide, here or in the negated part."""
        return self.app or (self.negated.topic if self.negated else None)

    def ends(self, ends: Ends) -> bool:
        """Say whether the conditions on the flow itself hold, the negated part left aside."""
        return (
            (self.protocols is None or ends.protocol in self.protocols)
            and (self.inside is None or ends.inside is self.inside)
            and (self.server_ports is None or ends.server_port in self.server_ports)
            and (self.client_ports is None or ends.client_port in self.client_ports)
            and (self.server is None or self.server.find(ends.server))
            and (self.client is None or self.client.find(ends.client))
        )

    def reaches(self, ends: Ends) -> bool:
        """Say whether some message in such a flow could match."""
        if not self.ends(ends):
            return False
        no = self.negated
        return no is None or no.topic is not None or not no.matches(ends, None)

    def matches(self, ends: Ends, message: Message | None) -> bool:
        """Say whether the flow and the message match; None stands for no message at all."""
        return (
            self.ends(ends)
            and (self.app is None or (message is not None and self._reads(message)))
            and (self.negated is None or not self.negated.matches(ends, message))
        )

    def _reads(self, message: Message) -> bool:
        return (
            message.app is self.app
            and (self.methods is None or message.method in self.methods)
            and (self.qtypes is None or message.qtype in self.qtypes)
            and (self.name is None or (message.name is not None and self.name.find(message.name)))
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """When what is done, and how often in a hundred; no acts at all is an exception (`allow`)."""

    id: str
    when: When
    then: tuple[Act, ...]
    chance: float

    @property
    def allows(self) -> bool:
        """Whether this rule is an exception."""
        return not self.then


@dataclass(frozen=True, slots=True)
class Reading:
    """How the box reads one protocol: where it looks, and what it cannot put together.

    `ports` None is every server port; `protocols` are transports; `later` says that requests
    after a connection's first are read too; `records` that a ClientHello may span TLS records.
    """

    ports: frozenset[int] | None
    protocols: frozenset[int]
    later: bool = True
    records: bool = True
    questions: bool = False


@dataclass(frozen=True, slots=True)
class Tcp:
    """How the box follows TCP; each imperfection with its source is in docs/censor.md."""

    reassemble: bool
    overlap: Literal["first", "last"]
    require: str
    verify_checksum: bool
    limit: int


@dataclass(frozen=True, slots=True)
class Limits:
    """How much the box remembers; what does not fit is evicted, and said so."""

    flows: int
    idle: float
    residual: int
    give_up: int


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything a box does, compiled."""

    in_path: bool
    latency: float
    tcp: Tcp
    readings: Mapping[App, Reading]
    limits: Limits
    exceptions: tuple[Rule, ...]
    rules: tuple[Rule, ...]
