"""Say what a policy document may hold: the models that validate it and export its JSON Schema.

Keys are those of the YAML; quantities are seconds and bytes once validated. What a document
means is `censor.policy.loader`'s to say. Defaults and where they come from: docs/censor.md.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from censor.policy import clause
from censor.policy.action import Act
from censor.policy.clause import When
from censor.policy.quantity import Address, Duration, Model, Size, Some

Fidelity = Literal["documented", "effect-only", "modelled", "announced"]


def _acts(value: object) -> object:
    return value if isinstance(value, list) else [value]


Probability = Annotated[float, Field(ge=0, le=1)]


class Chance(Model):
    """How often a rule that matches acts, and for what that is decided."""

    of: Annotated[float, Field(gt=0, le=1)] | None = None
    by_hour: Annotated[list[Probability], Field(min_length=24, max_length=24)] | None = None
    per: Literal["match", "flow", "pair", "ecmp"] = "match"


class Clock(Model):
    """What time of day it is when the box starts, and how long an hour takes."""

    start: Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")] = "00:00"
    hour: Duration = 3600.0


class Rule(Model):
    """One thing the box does."""

    id: Annotated[str, Field(min_length=1, pattern=r"^[A-Za-z0-9._/-]+$")]
    when: When
    then: Annotated[list[Act], BeforeValidator(_acts), Field(min_length=1, max_length=16)]
    chance: Annotated[float, Field(gt=0, le=1)] | Chance = 1.0
    goes_on: Annotated[bool, Field(alias="continue")] = False
    fidelity: Fidelity | None = None
    source: int | str | None = None
    note: str | None = None


class LimitsDocument(Model):
    """How much the box remembers."""

    flows: Annotated[int, Field(ge=1, le=1 << 22)] = 100_000
    idle: Duration = 600.0
    residual: Annotated[int, Field(ge=1, le=1 << 22)] = 100_000
    fragments: Annotated[int, Field(ge=1, le=4096)] = 256
    give_up: Annotated[int, Field(ge=1, le=1000)] = 8
    held: Annotated[int, Field(ge=1, le=4000)] = 1000
    buffers: Size = 64 << 20


class PolicyDocument(Model):
    """Everything one box does."""

    position: Literal["on-path", "in-path"]
    latency: Duration | None = None
    race: Literal["must-win", "may-lose"] = "must-win"
    sees: Literal["both", "outbound", "inbound"] = "both"
    ip: clause.IpBehaviour = clause.IpBehaviour()
    tcp: clause.TcpBehaviour = clause.TcpBehaviour()
    dns: clause.DnsBehaviour = clause.DnsBehaviour()
    http: clause.HttpBehaviour = clause.HttpBehaviour()
    tls: clause.TlsBehaviour = clause.TlsBehaviour()
    quic: clause.QuicBehaviour = clause.QuicBehaviour()
    dtls: clause.DtlsBehaviour = clause.DtlsBehaviour()
    sip: clause.SipBehaviour = clause.SipBehaviour()
    stun: clause.StunBehaviour = clause.StunBehaviour()
    rtp: clause.RtpBehaviour = clause.RtpBehaviour()
    first: clause.FirstBehaviour = clause.FirstBehaviour()
    signature: clause.SignatureBehaviour = clause.SignatureBehaviour()
    ssh: clause.SshBehaviour = clause.SshBehaviour()
    socks: clause.SocksBehaviour = clause.SocksBehaviour()
    openvpn: clause.OpenvpnBehaviour = clause.OpenvpnBehaviour()
    wireguard: clause.WireguardBehaviour = clause.WireguardBehaviour()
    clock: Clock = Clock()
    limits: LimitsDocument = LimitsDocument()
    pools: dict[str, Some[Address]] = {}
    rules: list[Rule] = []
