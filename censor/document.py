"""Say what a policy document may hold: the models that validate it and export its JSON Schema.

Keys are those of the YAML; quantities are seconds and bytes once validated. What a document
means is `censor.policy`'s to say. Defaults and where they come from: docs/censor.md.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field

from censor.action import Act
from censor.quantity import Address, Duration, Model

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


def _qtype(value: object) -> object:
    if isinstance(value, str) and value.upper() in QTYPES:
        return value.upper()
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 65535:
        return value
    raise ValueError(f"a query type: a number or one of {', '.join(QTYPES)}")


PortRange = Annotated[int | str, BeforeValidator(_ports)]
Network = Annotated[str, BeforeValidator(_network)]
QueryType = Annotated[int | str, BeforeValidator(_qtype)]
Fidelity = Literal["documented", "effect-only", "modelled", "announced"]


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
