"""Say what the conditions of a rule may hold, and how a box may read each protocol.

Keys are those of the YAML. What they mean is `censor.policy.meaning`'s to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_network
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from censor.follow.ladder import LADDER
from censor.policy.quantity import Duration, Flags, Model, Some
from censor.policy.vocabulary import ListFile, Names, Texts

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


def _status(value: object) -> object:
    """Check a status code, or a class of them such as "4xx"."""
    if isinstance(value, int) and not isinstance(value, bool) and 100 <= value <= 699:
        return value
    if isinstance(value, str) and len(value) == 3 and value[0] in "123456" and value[1:] == "xx":
        return value
    raise ValueError("a status from 100 to 699, or a class from '1xx' to '6xx'")


Status = Annotated[int | str, BeforeValidator(_status)]
PortRange = Annotated[int | str, BeforeValidator(_ports)]
Network = Annotated[str, BeforeValidator(_network)]
QueryType = Annotated[int | str, BeforeValidator(_qtype)]
Ports = Some[PortRange] | Literal["any"]
SignatureName = Literal[
    "skype-login", "skype-tcp", "skype-udp", "whatsapp-chat", "viber-udp", "viber-tcp"
]
QuicVersion = Literal["v1", "v2"] | Annotated[int, Field(ge=0, le=0xFFFF_FFFF)]
Likeness = Literal["dns", "http", "tls", "ssh", "sip", "quic", "stun", "dtls"]


Present = Literal[True]
Headers = Annotated[dict[str, Texts | Present], Field(min_length=1)]
Ja3 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Ja4 = Annotated[
    str, Field(pattern=r"^[tq](1[0-3]|s3|00)[di][0-9]{4}[0-9A-Za-z]{2}(_[0-9a-f]{12}){2}$")
]


class When(Model):
    """Conditions, joined by "and"; an empty one holds for every packet."""

    client_address: Annotated[Some[Network] | ListFile | None, Field(alias="client.address")] = None
    server_address: Annotated[Some[Network] | ListFile | None, Field(alias="server.address")] = None
    client_port: Annotated[
        Some[PortRange] | Literal["above server.port"] | None, Field(alias="client.port")
    ] = None
    server_port: Annotated[Some[PortRange] | None, Field(alias="server.port")] = None
    protocol: Literal["tcp", "udp", "icmp"] | None = None
    tcp_header_length: Annotated[
        Some[Annotated[int, Field(ge=20, le=60, multiple_of=4)]] | None,
        Field(alias="tcp.header_length"),
    ] = None
    tcp_flags: Annotated[Some[Flags] | None, Field(alias="tcp.flags")] = None
    direction: Literal["outbound", "inbound", "both"] = "both"
    dns: Present | None = None
    dns_name: Annotated[Names | None, Field(alias="dns.name")] = None
    dns_qtype: Annotated[Some[QueryType] | None, Field(alias="dns.qtype")] = None
    http: Present | None = None
    http_host: Annotated[Names | None, Field(alias="http.host")] = None
    http_method: Annotated[Some[str] | None, Field(alias="http.method")] = None
    http_path: Annotated[Texts | None, Field(alias="http.path")] = None
    http_query: Annotated[Texts | None, Field(alias="http.query")] = None
    http_keyword: Annotated[Texts | None, Field(alias="http.keyword")] = None
    http_header: Annotated[
        Annotated[dict[str, Texts | Present], Field(min_length=1)] | None,
        Field(alias="http.header"),
    ] = None
    tls: Present | None = None
    tls_sni: Annotated[Names | None, Field(alias="tls.sni")] = None
    tls_alpn: Annotated[Some[str] | None, Field(alias="tls.alpn")] = None
    tls_version: Annotated[
        Some[Literal["ssl3", "1.0", "1.1", "1.2", "1.3"]] | None, Field(alias="tls.version")
    ] = None
    tls_ech: Annotated[bool | None, Field(alias="tls.ech")] = None
    tls_esni: Annotated[bool | None, Field(alias="tls.esni")] = None
    tls_ja3: Annotated[Some[Ja3] | None, Field(alias="tls.ja3")] = None
    tls_ja4: Annotated[Some[Ja4] | None, Field(alias="tls.ja4")] = None
    tls_certificate: Annotated[Names | None, Field(alias="tls.certificate")] = None
    tls_issuer: Annotated[Texts | None, Field(alias="tls.issuer")] = None
    quic: Present | None = None
    quic_sni: Annotated[Names | None, Field(alias="quic.sni")] = None
    quic_version: Annotated[Some[QuicVersion] | None, Field(alias="quic.version")] = None
    quic_alpn: Annotated[Some[str] | None, Field(alias="quic.alpn")] = None
    quic_ech: Annotated[bool | None, Field(alias="quic.ech")] = None
    quic_ja4: Annotated[Some[Ja4] | None, Field(alias="quic.ja4")] = None
    dtls: Present | None = None
    dtls_sni: Annotated[Names | None, Field(alias="dtls.sni")] = None
    sip: Present | None = None
    sip_method: Annotated[Some[str] | None, Field(alias="sip.method")] = None
    sip_host: Annotated[Names | None, Field(alias="sip.host")] = None
    sip_uri: Annotated[Texts | None, Field(alias="sip.uri")] = None
    sip_user_agent: Annotated[Texts | None, Field(alias="sip.user_agent")] = None
    sip_status: Annotated[Some[Status] | None, Field(alias="sip.status")] = None
    stun: Present | None = None
    stun_method: Annotated[
        Some[
            Literal[
                "binding",
                "shared-secret",
                "allocate",
                "refresh",
                "send",
                "data",
                "create-permission",
                "channel-bind",
                "connect",
                "connection-bind",
                "connection-attempt",
                "channel-data",
            ]
        ]
        | None,
        Field(alias="stun.method"),
    ] = None
    stun_turn: Annotated[bool | None, Field(alias="stun.turn")] = None
    stun_application: Annotated[
        Some[Literal["whatsapp", "teams"]] | None, Field(alias="stun.application")
    ] = None
    rtp: Present | None = None
    rtcp: Present | None = None
    signature: Some[SignatureName] | None = None
    first_like: Annotated[Some[Likeness] | None, Field(alias="first.like")] = None
    first_fully_encrypted: Annotated[Present | None, Field(alias="first.fully_encrypted")] = None
    ssh: Present | None = None
    ssh_software: Annotated[Texts | None, Field(alias="ssh.software")] = None
    socks: Present | None = None
    socks_version: Annotated[Some[Literal[4, 5]] | None, Field(alias="socks.version")] = None
    socks_host: Annotated[Names | None, Field(alias="socks.host")] = None
    openvpn: Present | None = None
    openvpn_kind: Annotated[
        Some[Literal["client-reset", "server-reset", "soft-reset", "control", "ack", "data"]]
        | None,
        Field(alias="openvpn.kind"),
    ] = None
    wireguard: Present | None = None
    wireguard_kind: Annotated[
        Some[Literal["initiation", "response", "cookie", "data"]] | None,
        Field(alias="wireguard.kind"),
    ] = None
    negated: Annotated[When | None, Field(alias="not")] = None


class IpBehaviour(Model):
    """How the box reads IP: fragments, and IPv6 extension headers."""

    fragments: Literal["as-they-come", "first", "ignore", "reassemble", "drop"] = "as-they-come"
    overlap: Literal["first", "last"] = "first"
    most: Annotated[int, Field(ge=2, le=64)] = 64
    wait: Duration = 30.0
    extension_headers: Literal["walk", "blind"] = "walk"


def followed(tcp: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the keys of `tcp` with those that its profile gives and it does not say itself."""
    known = LADDER.get(str(tcp.get("profile")))
    return tcp if known is None else {**known.keys, **tcp}


def _rung(value: object) -> object:
    if value not in LADDER:
        raise ValueError(f"a profile of tcp: {', '.join(LADDER)}")
    return value


RungName = Annotated[
    str, BeforeValidator(_rung), WithJsonSchema({"enum": sorted(LADDER), "type": "string"})
]


class TcpBehaviour(Model):
    """How well the box follows TCP."""

    profile: RungName | None = None
    reassemble: bool = True
    overlap: Literal["first", "last"] = "first"
    require_handshake: bool | Literal["syn", "either"] = "syn"
    verify_checksum: bool = False
    min_ttl: Annotated[int, Field(ge=0, le=255)] = 0
    ignore: list[Literal["no-ack", "md5"]] = []
    limit: Annotated[int, Field(ge=64, le=1 << 20)] = 16384
    window: Annotated[int, Field(ge=0, le=1 << 30)] | Literal["any"] = "any"
    packets: Annotated[int, Field(ge=1, le=1000)] | Literal["all"] = "all"
    adopt: list[Literal["syn", "syn-ack", "ack", "data"]] = ["syn"]
    resync: list[Literal["syn", "syn-ack", "rst", "fin"]] = []
    reads: Literal["client", "both"] = "client"
    resync_at: Literal["data", "packet"] = "data"
    teardown: list[Literal["rst", "fin"]] = []
    ends_at: Literal["any", "window", "next"] = "any"

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, value: Any) -> Any:
        """Take from the profile what the document does not say itself."""
        return followed(value) if isinstance(value, Mapping) else value


class DnsBehaviour(Model):
    """Where the box looks for DNS, and what of it."""

    ports: Ports = [53]
    over: Some[Literal["udp", "tcp"]] = ["udp", "tcp"]
    several_questions: bool = False


class HttpBehaviour(Model):
    """Where the box looks for HTTP, and what of it."""

    ports: Ports = "any"
    requests: Literal["first", "all"] = "first"
    doubled_host: Literal["first", "last"] = "first"
    absolute: Literal["target", "header"] = "target"
    lf_only: bool = True
    any_spelling: bool = True


class TlsBehaviour(Model):
    """Where the box looks for TLS, and what of it."""

    ports: Ports = "any"
    join_records: bool = True
    skip_ccs: bool = False


class QuicBehaviour(Model):
    """Where the box looks for QUIC, and what of it."""

    ports: Ports = "any"
    versions: list[Literal["v1", "v2"]] = ["v1", "v2"]
    datagrams: Annotated[int, Field(ge=1, le=64)] = 16
    join_datagrams: bool = True
    frames: Literal["any", "leading"] = "any"
    overlap: Literal["first", "last"] = "first"


class DtlsBehaviour(Model):
    """Where the box looks for DTLS."""

    ports: Ports = "any"


class SipBehaviour(Model):
    """Where the box looks for SIP, and what of it."""

    ports: Ports = "any"
    over: Some[Literal["udp", "tcp"]] = ["udp", "tcp"]


class StunBehaviour(Model):
    """Where the box looks for STUN and TURN, and whether into what a relay carries."""

    ports: Ports = "any"
    over: Some[Literal["udp", "tcp"]] = ["udp", "tcp"]
    relayed: bool = False
    channels: Literal["rfc7983", "rfc5766"] = "rfc7983"


class RtpBehaviour(Model):
    """How the box tells that a flow is a call's media."""

    ports: Ports = "any"
    over: Some[Literal["udp", "tcp"]] = ["udp"]
    by: Some[Literal["behaviour", "sdp"]] = ["behaviour"]
    need: Annotated[int, Field(ge=1, le=32)] = 3
    window: Annotated[int, Field(ge=1, le=1000)] = 32
    consecutive: bool = True
    steady: bool = False


class SshBehaviour(Model):
    """Where the box looks for SSH."""

    ports: Ports = "any"


class SocksBehaviour(Model):
    """Where the box looks for SOCKS."""

    ports: Ports = "any"


class OpenvpnBehaviour(Model):
    """Where the box looks for OpenVPN."""

    ports: Ports = "any"
    over: Some[Literal["udp", "tcp"]] = ["udp", "tcp"]


class WireguardBehaviour(Model):
    """Where the box looks for WireGuard."""

    ports: Ports = "any"


class SignatureBehaviour(Model):
    """Where, and how long, the box looks for the bytes of applications."""

    ports: Ports = "any"
    payloads: Annotated[int, Field(ge=1, le=64)] = 4


class FirstBehaviour(Model):
    """How the box judges the first payloads of a flow's client, by their looks alone."""

    over: Some[Literal["udp", "tcp"]] = ["tcp"]
    payloads: Annotated[int, Field(ge=1, le=8)] = 1
    sparse: Annotated[float, Field(ge=0, le=8)] = 3.4
    dense: Annotated[float, Field(ge=0, le=8)] = 4.6
    prefix: Annotated[int, Field(ge=1, le=64)] = 6
    fraction: Annotated[float, Field(ge=0, le=1)] = 0.5
    run: Annotated[int, Field(ge=1, le=1000)] = 20
    tls_minor: Annotated[int, Field(ge=0, le=255)] = 9
