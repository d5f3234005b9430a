"""Read the quantities of a policy document: durations, addresses, header fields."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

#: Units a duration may carry, in seconds.
UNITS: Final = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(us|ms|s|min|h|d)")


def seconds(value: object) -> float:
    """Read a duration: a number of seconds, or text such as "2 ms", "90 s", "20 min"."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return float(value)
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("a duration: seconds as a number, or '2 ms', '90 s', '20 min'")
    return round(float(match[1]) * UNITS[match[2]], 9)


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


_DURATION_SCHEMA: Final = WithJsonSchema(
    {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": _DURATION.pattern}]}
)
Duration = Annotated[float, BeforeValidator(seconds), _DURATION_SCHEMA]
Address = Annotated[str, BeforeValidator(_address)]
Flags = Annotated[str, BeforeValidator(_flags)]


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
