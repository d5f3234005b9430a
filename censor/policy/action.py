"""Say what the acts of a policy document may hold: what stands under `then`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
    model_validator,
)

from censor.policy.profile import PROFILES
from censor.policy.quantity import (
    Address,
    Duration,
    Flags,
    Id,
    Model,
    Octets,
    RandomRange,
    Rate,
    Size,
    Some,
    Ttl,
    Window,
)

Key = Literal["3-tuple", "4-tuple", "pair", "server"]
End = Literal["client", "server", "both"]


def filled(act: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an act's keys with those that its profile gives and it does not say itself."""
    known = PROFILES.get(str(act.get("profile")))
    if known is None or known.act != (act.get("inject") or act.get("rewrite")):
        return act
    return {**known.keys, **act}


def _profile(value: object) -> object:
    if not isinstance(value, str) or value not in PROFILES:
        raise ValueError(f"a profile: {', '.join(PROFILES)}")
    return value


ProfileName = Annotated[
    str, BeforeValidator(_profile), WithJsonSchema({"enum": sorted(PROFILES), "type": "string"})
]


def _listed(value: object) -> object:
    return value if isinstance(value, list) or value is None else [value]


class Residual(Model):
    """What an act leaves behind for a while."""

    key: Key = "3-tuple"
    seconds: Duration
    renew: bool = False
    after: Duration = 0.0
    on: Literal["data", "any"] = "data"
    then: Annotated[
        Annotated[list[Drop | Reset | Fin | SynAck], Field(min_length=1, max_length=16)] | None,
        BeforeValidator(_listed),
    ] = None


class Allow(Model):
    """Let it pass, whatever other rules say."""

    allow: Literal[True]


class Deed(Model):
    """What all acts may carry: a chance of their own, once a flow; a memory."""

    chance: Annotated[float, Field(gt=0, le=1)] = 1.0
    residual: Residual | None = None


class Drop(Deed):
    """Drop the packet that matched, or its whole flow from then on (in-path only)."""

    drop: Literal["packet", "flow"]
    toward: End = "both"


class Forgery(Deed):
    """How forged packets look, and what happens to the packet that triggered them."""

    profile: ProfileName | None = None
    ttl: Ttl = 64
    ip_id: Id = "random"
    df: bool = True
    latency: Duration | None = None
    request: Literal["pass", "drop"] | None = None

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, value: Any) -> Any:
        """Take from the profile what the document does not say itself."""
        return filled(value) if isinstance(value, Mapping) else value


class Segments(Forgery):
    """Forged segments that end a connection."""

    toward: End = "both"
    count: Annotated[int | None, Field(ge=1, le=64)] = None
    offsets: Annotated[list[int], Field(min_length=1, max_length=64)] = [0]
    base: Literal["expected", "own"] = "expected"
    window: Window = 0
    payload: Octets = ""


class Reset(Segments):
    """Forge RST segments."""

    inject: Literal["reset"]
    flags: Flags = "RA"


class Fin(Segments):
    """Forge FIN segments."""

    inject: Literal["fin"]
    flags: Flags = "FA"


class SynAck(Forgery):
    """Answer a SYN."""

    inject: Literal["syn-ack"]
    window: Window = 64240


class Answer(Forgery):
    """What a forged answer to a DNS query says: addresses, a name, an error, or nothing."""

    addresses: str | Some[Address] | None = None
    cname: Annotated[str, Field(pattern=r"^([A-Za-z0-9_-]{1,63}\.?){1,100}$")] | None = None
    rcode: Literal["nxdomain", "refused", "servfail"] | None = None
    empty: Literal[True] | None = None
    pick: Literal["one", "all", "in-turn"] | Annotated[int, Field(ge=1, le=64)] = "one"
    answer_ttl: Annotated[int, Field(ge=0, le=0x7FFFFFFF)] | RandomRange = 300
    aa: bool = False
    ra: bool = True
    otherwise: Literal["empty", "nothing", "a"] = "empty"


class DnsAnswer(Answer):
    """Forge an answer to a DNS query."""

    inject: Literal["dns-answer"]
    when: Literal["before", "with", "after"] = "before"
    over_tcp: Literal["nothing", "reset", "answer"] = "nothing"


class Page(Forgery):
    """What a forged HTTP response says, and how the connection ends."""

    status: Annotated[int, Field(ge=100, le=599)] = 200
    body: str = ""
    location: str | None = None
    headers: dict[str, str] = {}
    then: Literal["reset", "fin", "fin-reset"] = "fin"
    reset_flags: Flags = "RA"


class Impostor(Page):
    """Complete handshakes where nobody is, and meet what comes then."""

    inject: Literal["impostor"]
    data: Literal["reset", "page", "nothing"] = "reset"
    window: Window = 64240
    reset_flags: Flags = "R"


class Probe(Forgery):
    """Ask the server again what its client asked."""

    inject: Literal["probe"]
    sources: Annotated[list[Address], Field(alias="from", min_length=1, max_length=64)]
    after: Duration = 0.28
    confirm: Some[Literal["answered", "closed", "reset", "refused"]] = ["answered"]
    window: Window = 64240


class BlockPage(Page):
    """Forge an HTTP response and end the connection."""

    inject: Literal["block-page"]
    reset_server: bool = True


class Unreachable(Forgery):
    """Forge an ICMP error to the sender."""

    inject: Literal["icmp-unreachable"]
    code: (
        Literal["net", "host", "port", "net-prohibited", "host-prohibited", "admin-prohibited"]
        | Annotated[int, Field(ge=0, le=255)]
    ) = "admin-prohibited"
    sources: Annotated[list[Address], Field(alias="from", max_length=2)] = []


class SipResponse(Forgery):
    """Forge a response to a SIP request."""

    inject: Literal["sip-response"]
    status: Annotated[int, Field(ge=100, le=699)] = 403
    reason: Annotated[str, Field(pattern=r"^[^\r\n]*$")] | None = None


class SipBye(Forgery):
    """Forge the end of an answered call."""

    inject: Literal["sip-bye"]
    toward: End = "both"
    after: Duration = 0.0


class SipCancel(Forgery):
    """Forge the end of a call before it is answered."""

    inject: Literal["sip-cancel"]
    after: Duration = 0.0


class Intercept(Deed):
    """Take a TLS connection over, with a forged certificate (in-path only)."""

    intercept: Literal["tls"]
    issuer: Annotated[str, Field(min_length=1, max_length=64)] = "Interception Authority"
    signed: Literal["ca", "self"] = "ca"


class Burden(Deed):
    """What a flow bears from the match on (in-path only)."""

    toward: End = "both"
    lasting: Annotated[Duration | None, Field(alias="for")] = None


class Police(Burden):
    """Drop what comes faster than a rate."""

    police: Rate
    burst: Size = 10_000
    per: Literal["flow", "pair", "rule"] = "flow"


class Shape(Burden):
    """Hold back what comes faster than a rate."""

    shape: Rate
    burst: Size = 10_000
    queue: Duration = 1.0
    per: Literal["flow", "pair", "rule"] = "flow"


class Delay(Burden):
    """Hold every packet for a while."""

    delay: Duration
    jitter: Duration = 0.0


class Thin(Burden):
    """Drop some packets."""

    thin: Annotated[float, Field(gt=0, le=1)]


class After(Model):
    """How much passes before the cut; whichever comes first."""

    packets: Annotated[int, Field(ge=0)] | RandomRange | None = None
    bytes: Size | None = None
    seconds: Duration | None = None


class Cut(Burden):
    """Let nothing pass any more after so much."""

    cut: After
    counting: End = "both"
    data_only: bool = False
    per: Literal["flow", "pair", "rule"] = "flow"


class RewriteReset(Burden):
    """Make segments of the connection into RSTs."""

    rewrite: Literal["reset"]
    flags: Flags = "RA"


class RewriteHeader(Burden):
    """Change or spoil packets of the flow."""

    rewrite: Literal["packet"]
    ttl: Ttl | None = None
    ip_id: Id | None = None
    window: Window | None = None
    flags: Flags | None = None
    spoil: bool = False
    bad_checksum: bool = False


class RewriteAnswer(Answer):
    """Put a forged answer into the packet of the real one."""

    rewrite: Literal["dns-answer"]
    over_tcp: Literal["nothing", "answer"] = "nothing"


AnyBurden = Police | Shape | Delay | Thin | Cut | RewriteReset | RewriteHeader
AnyCall = SipResponse | SipBye | SipCancel
AnySegment = Reset | Fin | SynAck | Impostor | Probe
AnyAnswer = DnsAnswer | RewriteAnswer
AnyAct = Drop | AnySegment | AnyAnswer | BlockPage | Unreachable | AnyCall | Intercept | AnyBurden

#: Keys that name an act by being there.
WORDS: Final = ("allow", "drop", "intercept", "police", "shape", "delay", "thin", "cut")
#: Keys whose value names an act, and what stands before it.
KINDS: Final = {"inject": "", "rewrite": "rewrite "}

#: Every act by its word.
ACTS: Final[Mapping[str, type[Model]]] = {
    "allow": Allow,
    "drop": Drop,
    "reset": Reset,
    "fin": Fin,
    "syn-ack": SynAck,
    "impostor": Impostor,
    "probe": Probe,
    "dns-answer": DnsAnswer,
    "block-page": BlockPage,
    "icmp-unreachable": Unreachable,
    "sip-response": SipResponse,
    "sip-bye": SipBye,
    "sip-cancel": SipCancel,
    "intercept": Intercept,
    "police": Police,
    "shape": Shape,
    "delay": Delay,
    "thin": Thin,
    "cut": Cut,
    "rewrite reset": RewriteReset,
    "rewrite packet": RewriteHeader,
    "rewrite dns-answer": RewriteAnswer,
}


def act_word(value: object) -> str | None:
    """Say which act a mapping or a model describes; None when it cannot be told."""
    fields: Mapping[str, object] = value if isinstance(value, Mapping) else vars(value)
    for word in WORDS:
        if fields.get(word) is not None:
            return word
    for kind, before in KINDS.items():
        if isinstance(fields.get(kind), str):
            return f"{before}{fields[kind]}"
    return None


def _tag(value: object) -> str | None:
    """Name the member of the union; in brackets, so that it is never taken for a key."""
    return f"<{act_word(value)}>" if isinstance(value, Mapping | BaseModel) else None


_EXPECTED: Final = "{" + "}, {".join(
    ["allow: true", "drop: packet|flow",
     "inject: reset|dns-answer|block-page|fin|syn-ack|impostor|probe|icmp-unreachable"
     "|sip-response|sip-bye|sip-cancel",
     "rewrite: reset|packet|dns-answer", "intercept: tls",
     *(f"{word}: ..." for word in ("police", "shape", "delay", "thin", "cut"))]
) + "}"  # fmt: skip

if TYPE_CHECKING:
    Act = Allow | AnyAct
else:
    Act = Annotated[
        reduce(or_, (Annotated[model, Tag(f"<{word}>")] for word, model in ACTS.items())),
        Discriminator(_tag, custom_error_type="act", custom_error_message=_EXPECTED),
    ]


Residual.model_rebuild()
