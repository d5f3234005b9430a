"""Say what a policy document may hold: the models that validate it and export its JSON Schema.

Keys are those of the YAML; quantities are seconds and bytes once validated. What a document
means is `censor.policy`'s to say. Defaults and where they come from: docs/censor.md.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from censor import clause
from censor.action import Act
from censor.clause import When
from censor.quantity import Address, Duration, Model

Fidelity = Literal["documented", "effect-only", "modelled", "announced"]


def _acts(value: object) -> object:
    return value if isinstance(value, list) else [value]


class Rule(Model):
    """One thing the box does."""

    id: Annotated[str, Field(min_length=1, pattern=r"^[A-Za-z0-9._/-]+$")]
    when: When
    then: Annotated[list[Act], BeforeValidator(_acts), Field(min_length=1, max_length=16)]
    chance: Annotated[float, Field(gt=0, le=1)] = 1.0
    goes_on: Annotated[bool, Field(alias="continue")] = False
    fidelity: Fidelity | None = None
    source: int | str | None = None
    note: str | None = None


class LimitsDocument(Model):
    """How much the box remembers."""

    flows: Annotated[int, Field(ge=1, le=1 << 22)] = 100_000
    idle: Duration = 600.0
    residual: Annotated[int, Field(ge=1, le=1 << 22)] = 100_000
    give_up: Annotated[int, Field(ge=1, le=1000)] = 8
    held: Annotated[int, Field(ge=1, le=4000)] = 1000


class PolicyDocument(Model):
    """Everything one box does."""

    position: Literal["on-path", "in-path"]
    latency: Duration | None = None
    race: Literal["must-win", "may-lose"] = "must-win"
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
    limits: LimitsDocument = LimitsDocument()
    pools: dict[str, list[Address]] = {}
    rules: list[Rule] = []
