"""Say what a policy document may hold: the models that validate it and export its JSON Schema.

Keys are those of the YAML; quantities are seconds and bytes once validated. What a document
means is `censor.policy`'s to say. Defaults and where they come from: docs/censor.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Annotated, Final, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
)

#: Units a duration may carry, in seconds.
UNITS: Final = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(us|ms|s|min|h|d)")

QTYPES: Final = {
    "A": 1,
    "NS": 2,
    "CNAME": 5,
    "SOA": 6,
    "PTR": 12,
    "MX": 15,
    "TXT": 16,
    "AAAA": 28,
    "SRV": 33,
    "NAPTR": 35,
    "HTTPS": 65,
    "ANY": 255,
}


def seconds(value: object) -> float:
    """Read a duration: a number of seconds, or text such as "2 ms", "90 s", "20 min"."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return float(value)
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("a duration: seconds as a number, or '2 ms', '90 s', '20 min'")
    return round(float(match[1]) * UNITS[match[2]], 9)


def _ports(value: object) -> object:
    """Check a port or a range of ports "a-b"."""
    low, dash, high = str(value).partition("-")
    if isinstance(value, bool) or not low.isdigit() or (dash and not high.isdigit()):
        raise ValueError("a port from 0 to 65535, or a range 'a-b'")
    if not int(low) <= int(high or low) <= 65535:
        raise ValueError("a port from 0 to 65535, or a range 'a-b' with a not above b")
    return value


def _network(value: object) -> object:
    try:
        ip_network(str(value), strict=True)
    except ValueError as error:
        raise ValueError(f"an address or prefix: {error}") from None
    return str(value)


def _address(value: object) -> object:
    try:
        ip_address(str(value))
    except ValueError:
        raise ValueError("an IPv4 or IPv6 address") from None
    return str(value)


def _flags(value: object) -> object:
    if not isinstance(value, str) or not value or set(value) - set("FSRPAUEC"):
        raise ValueError("TCP flags by their letters out of FSRPAUEC, such as 'R' or 'RA'")
    return value


def _qtype(value: object) -> object:
    if isinstance(value, str) and value.upper() in QTYPES:
        return value.upper()
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 65535:
        return value
    raise ValueError(f"a query type: a number or one of {', '.join(QTYPES)}")


_DURATION_SCHEMA: Final = WithJsonSchema(
    {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": _DURATION.pattern}]}
)
Duration = Annotated[float, BeforeValidator(seconds), _DURATION_SCHEMA]
PortRange = Annotated[int | str, BeforeValidator(_ports)]
Network = Annotated[str, BeforeValidator(_network)]
Address = Annotated[str, BeforeValidator(_address)]
Flags = Annotated[str, BeforeValidator(_flags)]
QueryType = Annotated[int | str, BeforeValidator(_qtype)]
Key = Literal["3-tuple", "4-tuple", "pair"]
End = Literal["client", "server", "both"]
Fidelity = Literal["documented", "effect-only", "modelled", "announced"]


class Model(BaseModel):
    """What all parts share: unknown keys are refused, nothing changes once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class RandomRange(Model):
    """Any integer between two, both included: {random: [30, 255]}."""

    random: Annotated[
        list[Annotated[int, Field(ge=0, le=65535)]], Field(min_length=2, max_length=2)
    ]


Quantity = Annotated[int, Field(ge=0, le=65535)]
Ttl = Annotated[int, Field(ge=1, le=255)] | RandomRange | Literal["mirror"]
Id = Quantity | RandomRange | Literal["random", "mirror"]
Window = Quantity | RandomRange | Literal["mirror"]


class Names(Model):
    """Which names: whole, with everything under them, or by a part of them."""

    exact: list[str] = []
    suffix: list[str] = []
    substring: list[str] = []


class When(Model):
    """Conditions, joined by "and"; an empty one holds for every packet."""

    client_address: Annotated[list[Network] | None, Field(alias="client.address")] = None
    server_address: Annotated[list[Network] | None, Field(alias="server.address")] = None
    client_port: Annotated[list[PortRange] | None, Field(alias="client.port")] = None
    server_port: Annotated[list[PortRange] | None, Field(alias="server.port")] = None
    protocol: Literal["tcp", "udp", "icmp"] | None = None
    direction: Literal["outbound", "inbound", "both"] = "both"
    dns_name: Annotated[Names | None, Field(alias="dns.name")] = None
    dns_qtype: Annotated[list[QueryType] | None, Field(alias="dns.qtype")] = None
    http_host: Annotated[Names | None, Field(alias="http.host")] = None
    tls_sni: Annotated[Names | None, Field(alias="tls.sni")] = None
    sip_method: Annotated[list[str] | None, Field(alias="sip.method")] = None
    sip_host: Annotated[Names | None, Field(alias="sip.host")] = None
    negated: Annotated[When | None, Field(alias="not")] = None


class Residual(Model):
    """What an act leaves behind for a while."""

    key: Key = "3-tuple"
    seconds: Duration
    renew: bool = False
    on: Literal["data", "any"] = "data"
    then: Drop | Reset | None = None


class Allow(Model):
    """Let it pass, whatever other rules say."""

    allow: Literal[True]


class Drop(Model):
    """Drop the packet that matched, or its whole flow from then on (in-path only)."""

    drop: Literal["packet", "flow"]
    toward: End = "both"
    residual: Residual | None = None


class Forgery(Model):
    """How forged packets look, and what happens to the packet that triggered them."""

    ttl: Ttl = 64
    ip_id: Id = "random"
    df: bool = True
    request: Literal["pass", "drop"] | None = None
    residual: Residual | None = None


class Reset(Forgery):
    """Forge RST segments."""

    inject: Literal["reset"]
    toward: End = "both"
    count: Annotated[int | None, Field(ge=1, le=64)] = None
    flags: Flags = "RA"
    offsets: Annotated[list[int], Field(min_length=1, max_length=64)] = [0]
    window: Window = 0


class DnsAnswer(Forgery):
    """Forge an answer to a DNS query: addresses, an error, or nothing."""

    inject: Literal["dns-answer"]
    addresses: str | list[Address] | None = None
    rcode: Literal["nxdomain", "refused", "servfail"] | None = None
    empty: Literal[True] | None = None
    pick: Literal["one", "all"] | Annotated[int, Field(ge=1, le=64)] = "one"
    answer_ttl: Annotated[int, Field(ge=0, le=0x7FFFFFFF)] | RandomRange = 300
    aa: bool = False
    ra: bool = True
    otherwise: Literal["empty", "nothing", "a"] = "empty"
    over_tcp: Literal["nothing", "reset", "answer"] = "nothing"


class BlockPage(Forgery):
    """Forge an HTTP response and end the connection."""

    inject: Literal["block-page"]
    status: Annotated[int, Field(ge=100, le=599)] = 200
    body: str = ""
    location: str | None = None
    headers: dict[str, str] = {}
    then: Literal["reset", "fin"] = "fin"
    reset_server: bool = True


def act_word(value: object) -> str | None:
    """Say which act a mapping or a model describes; None when it cannot be told."""
    fields: Mapping[str, object] = value if isinstance(value, Mapping) else vars(value)
    for word in ("allow", "drop"):
        if fields.get(word) is not None:
            return word
    inject = fields.get("inject")
    return inject if isinstance(inject, str) else None


def _tag(value: object) -> str | None:
    """Name the member of the union; in brackets, so that it is never taken for a key."""
    return f"<{act_word(value)}>" if isinstance(value, Mapping | BaseModel) else None


Act = Annotated[
    Annotated[Allow, Tag("<allow>")]
    | Annotated[Drop, Tag("<drop>")]
    | Annotated[Reset, Tag("<reset>")]
    | Annotated[DnsAnswer, Tag("<dns-answer>")]
    | Annotated[BlockPage, Tag("<block-page>")],
    Discriminator(
        _tag,
        custom_error_type="act",
        custom_error_message="{allow: true}, {drop: packet|flow} or "
        "{inject: reset|dns-answer|block-page}",
    ),
]


def _acts(value: object) -> object:
    return value if isinstance(value, list) else [value]


class Rule(Model):
    """One thing the box does."""

    id: Annotated[str, Field(min_length=1, pattern=r"^[A-Za-z0-9._/-]+$")]
    when: When
    then: Annotated[list[Act], BeforeValidator(_acts), Field(min_length=1, max_length=16)]
    chance: Annotated[float, Field(gt=0, le=1)] = 1.0
    fidelity: Fidelity | None = None
    source: int | str | None = None
    note: str | None = None


class TcpBehaviour(Model):
    """How well the box follows TCP."""

    reassemble: bool = True
    overlap: Literal["first", "last"] = "first"
    require_handshake: bool | Literal["syn"] = "syn"
    verify_checksum: bool = False
    limit: Annotated[int, Field(ge=64, le=1 << 20)] = 16384


class DnsBehaviour(Model):
    """Where the box looks for DNS, and what of it."""

    ports: list[PortRange] | Literal["any"] = [53]
    over: list[Literal["udp", "tcp"]] = ["udp", "tcp"]
    several_questions: bool = False


class HttpBehaviour(Model):
    """Where the box looks for HTTP, and what of it."""

    ports: list[PortRange] | Literal["any"] = "any"
    requests: Literal["first", "all"] = "first"


class TlsBehaviour(Model):
    """Where the box looks for TLS, and what of it."""

    ports: list[PortRange] | Literal["any"] = "any"
    join_records: bool = True


class SipBehaviour(Model):
    """Where the box looks for SIP, and what of it."""

    ports: list[PortRange] | Literal["any"] = "any"
    over: list[Literal["udp", "tcp"]] = ["udp", "tcp"]


class LimitsDocument(Model):
    """How much the box remembers."""

    flows: Annotated[int, Field(ge=1, le=1 << 22)] = 100_000
    idle: Duration = 600.0
    residual: Annotated[int, Field(ge=1, le=1 << 22)] = 100_000
    give_up: Annotated[int, Field(ge=1, le=1000)] = 8


class PolicyDocument(Model):
    """Everything one box does."""

    position: Literal["on-path", "in-path"]
    latency: Duration | None = None
    race: Literal["must-win", "may-lose"] = "must-win"
    tcp: TcpBehaviour = TcpBehaviour()
    dns: DnsBehaviour = DnsBehaviour()
    http: HttpBehaviour = HttpBehaviour()
    tls: TlsBehaviour = TlsBehaviour()
    sip: SipBehaviour = SipBehaviour()
    limits: LimitsDocument = LimitsDocument()
    pools: dict[str, list[Address]] = {}
    rules: list[Rule] = []


Residual.model_rebuild()
