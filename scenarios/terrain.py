"""Say what `topology` of a scenario file may hold: one model for each network that can be used.

What they become is `topologies.catalogue`'s.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from scenarios.quantity import Duration


class Closed(BaseModel):
    """A mapping with these keys and no others; nothing is coerced (`"5"` is no number)."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, populate_by_name=False, defer_build=True
    )


class Line(Closed):
    """One client, one box, one server, one control, in a row."""

    use: Literal["line"]
    delay: Duration = 0.02


class Hops(Closed):
    """A chain of routers, one of which is the box."""

    use: Literal["hops"]
    hops: int = 5
    censor: int | None = None
    delay: Duration = 0.02


class Fork(Closed):
    """Two paths, each flow on one of them, the box on one path only."""

    use: Literal["fork"]
    delay: Duration = 0.02


class Detour(Closed):
    """Two paths, one for each direction, the box on one of them."""

    use: Literal["detour"]
    sees: Literal["outbound", "inbound"] = "outbound"
    delay: Duration = 0.02


class Series(Closed):
    """A provincial box inside a national one, in one carrier's network."""

    use: Literal["series"]
    country: str = "CN"
    carrier: str = "unicom"
    province: Annotated[list[str], Field(min_length=1)]
    delay: Duration = 0.02


class National(Closed):
    """A country of cities and carriers behind a border, and the world beyond it."""

    use: Literal["national"]
    country: str = "CN"
    cities: Annotated[list[str], Field(min_length=1)]
    carriers: Annotated[list[str], Field(min_length=1)]
    delay: Duration = 0.02
    resolver: Literal["abroad", "carrier"] = "abroad"
    borders: Literal["one", "each"] = "one"
    exchange: bool = False
    cache: bool = False
    dnssec: list[str] = Field(default_factory=list)


Topology = Annotated[Line | Hops | Fork | Detour | Series | National, Field(discriminator="use")]
