"""Say what the acts of a policy document may hold: what stands under `then`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, Discriminator, Field, Tag

from censor.quantity import Address, Duration, Flags, Id, Model, RandomRange, Ttl, Window

Key = Literal["3-tuple", "4-tuple", "pair"]
End = Literal["client", "server", "both"]


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


Residual.model_rebuild()
