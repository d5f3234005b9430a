"""Say what a scenario file may hold: its keys, their types, their defaults.

These models check each value by itself; what the values mean together is `scenarios.loader`'s.
A censor's rules are not described here: they are a policy, which `censor.policy` knows.
The JSON Schema they give is shipped as `schema.json`, for editors.
"""

from __future__ import annotations

import json
from pathlib import Path as File
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from scenarios.quantity import Duration, Rate, Share
from scenarios.terrain import Closed, Topology
from scenarios.value import (
    ECHO,
    Address,
    AnyAddress,
    Baseline,
    Callees,
    Domain,
    HostName,
    Identifier,
    Message,
    Numbers,
    OneOrMany,
    Payload,
    Period,
    ScenarioName,
    Users,
    WebUrl,
    Word,
)
from topologies.service import WebManner


class Source(Closed):
    """Where a claim comes from, so that a reader can check it."""

    title: str
    url: str
    year: Annotated[int, Field(ge=1990, le=2100)]
    note: str = ""


class Link(Closed):
    """What a link does to packets, in both directions (`between`) or in one (`from`, `to`)."""

    between: Annotated[list[str], Field(min_length=2, max_length=2)] | None = None
    from_: Annotated[str | None, Field(alias="from")] = None
    to: str | None = None
    delay: Annotated[Duration, Field(le=2)] | None = None
    jitter: Annotated[Duration, Field(le=2)] = 0.0
    loss: Share = 0.0
    burst: Annotated[float | int, Field(ge=1)] | None = None
    rate: Rate | None = None
    queue: Annotated[Duration, Field(le=10)] = 0.1
    reorder: Share = 0.0
    duplicate: Share = 0.0
    mtu: Annotated[int, Field(ge=1280, le=1500)] | None = None
    too_big: Annotated[Literal["said", "silent"], Field(alias="too-big")] = "said"


class Portal(Closed):
    """A captive portal: what it answers until somebody logs in with the voucher."""

    status: Literal[200, 302, 511] = 302
    dns: Literal["passes", "answers"] = "passes"
    voucher: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")] = "coffee"


class Vantage(Closed):
    """Where a tool looks from: a city and a carrier, or abroad (in a line: neither).

    `nat` puts it behind a gateway that translates IPv4 addresses: its own, or the one that it names
    as `gateway`, with all others who do. On its own its HTTP may go by a transparent `proxy`, or be
    held up by a captive `portal`.
    """

    city: str | None = None
    carrier: str | None = None
    access: Literal["cellular", "fixed"] | None = None
    nat: Literal["cone", "symmetric"] | None = None
    proxy: bool = False
    portal: Portal | None = None
    gateway: str | None = None
    abroad: bool = False


class Served(Closed):
    """What every service has: its names, its addresses, and where it stands.

    Without a carrier it stands abroad; `inside` puts it on the censored side of a line.
    """

    names: Annotated[list[Domain], Field(min_length=1)]
    addresses: list[Address] = Field(default_factory=list)
    carrier: str | None = None
    inside: bool = False


class GeoRule(Closed):
    """What a server answers, of its own will, to the clients that stand somewhere."""

    from_: Annotated[OneOrMany, Field(alias="from")]
    status: Annotated[int, Field(ge=300, le=599)]
    location: WebUrl | None = None


class Store(Closed):
    """An app store's search for one app, and the clients whose storefront does not list it."""

    app: str
    absent: OneOrMany = Field(default_factory=list)


class Lists(Closed):
    """Words that a chat client has from its maker: to keep back, and to report only."""

    kept_back: Annotated[list[Word], Field(alias="kept-back")] = Field(default_factory=list)
    watched: list[Word] = Field(default_factory=list)


class Web(Served):
    """A web site: HTTP on port 80, HTTPS on 443, the same page on both; with `http3` over QUIC."""

    kind: Literal["web"]
    manner: WebManner = "answers"
    status: Annotated[int, Field(ge=200, le=599)] = 200
    location: WebUrl | None = None
    certificate: Literal["valid", "expired", "self-signed", "wrong-name"] = "valid"
    title: str = ""
    geo: list[GeoRule] = Field(default_factory=list)
    store: Store | None = None
    lists: Lists | None = None
    signature: Literal["valid", "expired"] = "valid"
    http3: bool = False


class Sip(Served):
    """A SIP registrar and proxy on port 5060, UDP and TCP, with somebody there to answer calls."""

    kind: Literal["sip"]
    users: Users = Field(default_factory=lambda: {"alice": "wonderland"})
    unpaid: list[str] = Field(default_factory=list)
    callees: Callees = Field(default_factory=lambda: dict(ECHO))
    numbers: Numbers = Field(default_factory=dict)
    manner: Literal["answers", "refused", "silent"] = "answers"


class Turn(Served):
    """A STUN and TURN server on port 3478, UDP and TCP."""

    kind: Literal["turn"]
    users: Users = Field(default_factory=lambda: {"alice": "wonderland"})
    manner: Literal["answers", "refused", "silent"] = "answers"


class Skype(Served):
    """One part of Skype's legacy network, whose clients know it by address."""

    kind: Literal["skype"]
    names: list[Domain] = Field(default_factory=list)
    part: Literal["supernode", "login", "gateway", "peer"]
    manner: Literal["answers", "silent"] = "answers"


class Resolver(Served):
    """A recursor for everybody: plain DNS, DNS over TLS on port 853, over HTTPS on 443."""

    kind: Literal["resolver"]
    manner: Literal["answers", "silent"] = "answers"


class Echo(Served):
    """A server that sends every datagram to its port back, whatever protocol it stands for."""

    kind: Literal["echo"]
    port: Annotated[int, Field(ge=1, le=65535)]
    manner: Literal["answers", "silent"] = "answers"


class Asked(Closed):
    """What every target has."""

    baseline: Baseline = Field(default_factory=lambda: {"else": "answers"})


class WebTarget(Asked):
    """Fetch a page; `via: h3` over QUIC, and nothing else."""

    kind: Literal["web"]
    url: WebUrl
    via: Literal["h3"] | None = None


class DnsTarget(Asked):
    """Resolve a name; with `via` over TLS, by a resolver that has a name."""

    kind: Literal["dns"]
    name: Domain
    qtype: Literal["A", "AAAA"] = "A"
    via: Literal["dot", "doh"] | None = None
    resolver: Domain | None = None


class TcpTarget(Asked):
    """Open a TCP connection."""

    kind: Literal["tcp"]
    host: HostName
    port: Annotated[int, Field(ge=1, le=65535)]


class UdpTarget(Asked):
    """Send a datagram, or a STUN Binding request, and await an answer; `payload` is in hex."""

    kind: Literal["udp"]
    host: HostName
    port: Annotated[int, Field(ge=1, le=65535)]
    asks: Literal["stun"] | None = None
    payload: Payload | None = None


class SipTarget(Asked):
    """Register with a SIP service; without `user`, as the first it knows.

    `families`: over IPv4 ([4], where absent) or IPv6 ([6]).
    """

    kind: Literal["sip"]
    registrar: Domain
    user: str | None = None
    password: str | None = None
    families: Annotated[list[Literal[4, 6]], Field(min_length=1, max_length=1)] | None = None


class CallTarget(SipTarget):
    """Register, call somebody, and count the media that comes back.

    `direction: in` asks the callee, a number that calls back, to ring, and answers.
    """

    kind: Literal["call"]  # type: ignore[assignment]
    direction: Literal["out", "in"] | None = None
    callee: str = "echo"
    seconds: Annotated[int, Field(ge=1, le=60)] = 2
    media: Literal["pcmu", "pcma"] = "pcmu"
    client: Literal["sipp", "baresip"] | None = None
    stun: Domain | None = None
    turn: Domain | None = None


class SkypeTarget(Asked):
    """Find a supernode of Skype's legacy network and log in; services by their ids."""

    kind: Literal["skype"]
    hosts: Annotated[list[Identifier], Field(min_length=1)]
    login: Identifier


class SkypeOutTarget(SkypeTarget):
    """Log in, and call a telephone through a gateway."""

    kind: Literal["skypeout"]  # type: ignore[assignment]
    gateway: Identifier


class ChatTarget(Asked):
    """Send a message to a correspondent, by an ordinary client or one that filters."""

    kind: Literal["chat"]
    peer: Identifier
    message: Message
    client: Literal["skype", "tom"] = "skype"
    filter: Identifier | None = None


class Rule(BaseModel):
    """What a scenario adds to a policy's rule: how faithful it is, and what it is meant for."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    id: str
    fidelity: Literal["documented", "effect-only", "modelled", "announced"]
    source: int | str | None = None
    targets: OneOrMany = Field(default_factory=list)
    race: Literal["may-lose"] | None = None


class Censor(BaseModel):
    """Where a box stands; every other key is its policy (docs/censor.md)."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    at: str
    without: list[str] = Field(default_factory=list)
    position: Any = None
    latency: Duration | None = None
    rules: list[Rule] = Field(default_factory=list)


class Truth(Closed):
    """What is the case for some targets, seen from some vantages."""

    target: OneOrMany
    from_: Annotated[OneOrMany, Field(alias="from")] = Field(default_factory=list)
    verdict: Literal["ok", "down", "blocked"]
    mechanisms: list[str] = Field(default_factory=list)
    locus: Literal["network", "server_side", "client_side"] | None = None
    decided_by: Annotated[Literal["log"] | None, Field(alias="decided-by")] = None
    during: Annotated[list[Duration], Field(min_length=1, max_length=2)] | None = None


class Step(Closed):
    """A moment at which a censor starts or stops enforcing."""

    at: Duration
    enable: str | None = None
    disable: str | None = None


Service = Annotated[Web | Sip | Turn | Skype | Echo | Resolver, Field(discriminator="kind")]
Target = Annotated[
    WebTarget
    | DnsTarget
    | TcpTarget
    | UdpTarget
    | SipTarget
    | CallTarget
    | SkypeTarget
    | SkypeOutTarget
    | ChatTarget,
    Field(discriminator="kind"),
]


class Document(Closed):
    """A scenario: one question about filtering, with everything needed to ask it and judge."""

    scenario: ScenarioName
    extends: str | None = None
    title: str
    period: Period
    story: str
    tags: list[Identifier] = Field(default_factory=list)
    sources: list[Source] = Field(default_factory=list)
    topology: Topology
    links: list[Link] = Field(default_factory=list)
    vantages: Annotated[dict[str, Vantage], Field(min_length=1)]
    services: dict[Identifier, Service] = Field(default_factory=dict)
    targets: Annotated[dict[Identifier, Target], Field(min_length=1)]
    pools: dict[Identifier, list[AnyAddress]] = Field(default_factory=dict)
    censors: dict[Identifier, Censor] = Field(default_factory=dict)
    truth: list[Truth]
    timeline: list[Step] = Field(default_factory=list)


def exported() -> str:
    """Return the JSON Schema of a scenario file, as text."""
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Document.model_json_schema(by_alias=True),
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write `schema.json` anew."""
    File(__file__).with_name("schema.json").write_text(exported(), "utf-8")


if __name__ == "__main__":
    main()
