"""Read quantities with their units: `20 ms`, `90 s`, `1.5 h`, `64 kbit/s`, `2 %`.

A bare number is refused, because nobody can tell what it means.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from scenarios.error import either

#: Unit -> seconds.
DURATION: Mapping[str, float] = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}

#: Unit -> bit/s.
RATE: Mapping[str, float] = {"bit/s": 1.0, "kbit/s": 1e3, "Mbit/s": 1e6}

_WRITTEN = re.compile(r"(\d+(?:\.\d+)?) ?([a-zA-Z/%µ]+)\Z")


def seconds(value: Any) -> float:
    """Return a duration in seconds. Raises PydanticCustomError with the units there are."""
    expected = f"a duration with its unit: {either(DURATION)}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise _wrong(expected, f"'{value} ms' or '{value} s'")
    match = _WRITTEN.match(value) if isinstance(value, str) else None
    if match is None:
        raise _wrong(expected, "")
    number, unit = match.groups()
    if unit not in DURATION:
        meant = {"m": "min", "sec": "s", "msec": "ms", "hour": "h", "µs": "us"}.get(
            unit.rstrip("s")
        )
        raise _wrong(expected, f"'{number} {meant}'" if meant else "")
    return float(number) * DURATION[unit]


def rate(value: Any) -> float:
    """Return a rate in bit/s. Raises PydanticCustomError with the units there are."""
    expected = f"a rate above 0 with its unit: {either(RATE)}"
    match = _WRITTEN.match(value) if isinstance(value, str) else None
    number, unit = match.groups() if match else ("", "")
    meant = {"bps": "bit/s", "kbps": "kbit/s", "kb/s": "kbit/s", "Mbps": "Mbit/s", "Mb/s": "Mbit/s"}
    if unit not in RATE or not float(number):
        raise _wrong(expected, f"'{number} {meant[unit]}'" if unit in meant else "'64 kbit/s'")
    return float(number) * RATE[unit]


def share(value: Any) -> float:
    """Return a share from 0 to 1, written `2 %`. Raises PydanticCustomError."""
    match = _WRITTEN.match(value) if isinstance(value, str) else None
    if match is None or match[2] != "%" or float(match[1]) > 100:
        bare = isinstance(value, int | float) and not isinstance(value, bool)
        raise _wrong("a share from 0 % to 100 %", f"'{value} %'" if bare else "")
    return float(match[1]) / 100


def _wrong(expected: str, hint: str) -> PydanticCustomError:
    return PydanticCustomError("quantity", "{expected}", {"expected": expected, "hint": hint})


_PATTERN = rf"^\d+(\.\d+)? ?({'|'.join(DURATION)})$"
Duration = Annotated[
    float,
    BeforeValidator(seconds),
    WithJsonSchema({"type": "string", "pattern": _PATTERN, "examples": ["20 ms", "90 s"]}),
]
Rate = Annotated[
    float,
    BeforeValidator(rate),
    WithJsonSchema(
        {"type": "string", "pattern": r"^\d+(\.\d+)? ?[kM]?bit/s$", "examples": ["64 kbit/s"]}
    ),
]
Share = Annotated[
    float,
    BeforeValidator(share),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)? ?%$", "examples": ["2 %"]}),
]
