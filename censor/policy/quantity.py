"""Read the quantities of a policy document: durations, addresses, header fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Annotated, Final, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)

#: Units a duration may carry, in seconds.
UNITS: Final = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_RATES: Final = {"bit/s": 1, "kbit/s": 1e3, "Mbit/s": 1e6, "B/s": 8, "kB/s": 8e3, "MB/s": 8e6}
_SIZES: Final = {"B": 1, "kB": 1000, "MB": 1_000_000, "KiB": 1 << 10, "MiB": 1 << 20}
#: No quantity is larger, in its unit: all of them stay exact, and none is infinite.
MOST: Final = 1e15
_AMOUNT: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([A-Za-z/]+)")
_DURATION: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(us|ms|s|min|h|d)")


def seconds(value: object) -> float:
    """Read a duration: a number of seconds, or text such as "2 ms", "90 s", "20 min"."""
    what = "a duration: seconds as a number, or '2 ms', '90 s', '20 min'"
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MOST:
        return float(value)
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None or float(match[1]) > MOST:
        raise ValueError(what)
    return round(float(match[1]) * UNITS[match[2]], 9)


def _measure(value: object, units: Mapping[str, float], what: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= MOST:
        return float(value)
    match = _AMOUNT.fullmatch(value) if isinstance(value, str) else None
    if match is None or match[2] not in units or not 0 < float(match[1]) <= MOST:
        raise ValueError(what)
    return float(match[1]) * units[match[2]]


def rate(value: object) -> float:
    """Read a rate in bit/s: a number above 0, or text such as "140 kbit/s", "650 B/s"."""
    return _measure(value, _RATES, "a rate: bit/s as a number, or '140 kbit/s', '650 B/s'")


def size(value: object) -> int:
    """Read a size in bytes: a number above 0, or text such as "10 kB", "16 KiB"."""
    return int(_measure(value, _SIZES, "a size: bytes as a number, or '10 kB', '16 KiB'"))


def _octets(value: object) -> object:
    try:
        bytes.fromhex(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise ValueError("bytes in hexadecimal, such as '01 02 ff'") from None
    return value


def _address(value: object) -> object:
    try:
        ip_address(str(value))
    except ValueError:
        raise ValueError("an IPv4 or IPv6 address") from None
    return str(value)


def _flags(value: object) -> object:
    if not isinstance(value, str) or not value or set(value) - set("FSRPAUECN"):
        raise ValueError("TCP flags by their letters out of FSRPAUECN, such as 'R' or 'RA'")
    return value


_DURATION_SCHEMA: Final = WithJsonSchema(
    {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": _DURATION.pattern}]}
)
Duration = Annotated[float, BeforeValidator(seconds), _DURATION_SCHEMA]
Address = Annotated[str, BeforeValidator(_address)]
Flags = Annotated[str, BeforeValidator(_flags)]
Octets = Annotated[str, BeforeValidator(_octets)]
_AMOUNT_SCHEMA: Final = WithJsonSchema(
    {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string"}]}
)
Rate = Annotated[float, BeforeValidator(rate), _AMOUNT_SCHEMA]
Size = Annotated[int, BeforeValidator(size), _AMOUNT_SCHEMA]


_Item = TypeVar("_Item")
#: A list that is not empty: an empty one would hold for nothing.
Some = Annotated[list[_Item], Field(min_length=1)]


class Model(BaseModel):
    """What all parts share: unknown keys are refused, nothing changes once read.

    Validators are built when a document is first read, once for the whole of it: built one by one
    with their classes they took a sixth of the time in which a scenario is loaded.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


Pair = Annotated[list[Annotated[int, Field(ge=0, le=65535)]], Field(min_length=2, max_length=2)]


class RandomRange(Model):
    """Any integer between two, both included: {random: [30, 255]}."""

    random: Pair


class Varied(Model):
    """A field that is not always the same: drawn, in turn, or like the trigger's, plus so much.

    {random: [30, 255]}, {cycle: [30, 255], step: 3}, {mirror: -26}.
    """

    random: Pair | None = None
    cycle: Pair | None = None
    step: Annotated[int, Field(ge=1, le=65535)] = 1
    mirror: Annotated[int, Field(ge=-65535, le=65535)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Varied:
        if sum(one is not None for one in (self.random, self.cycle, self.mirror)) != 1:
            raise ValueError("exactly one of random, cycle and mirror")
        return self


Quantity = Annotated[int, Field(ge=0, le=65535)]
Ttl = Annotated[int, Field(ge=1, le=255)] | Varied | Literal["mirror"]
Id = Quantity | Varied | Literal["random", "mirror"]
Window = Quantity | Varied | Literal["mirror"]
