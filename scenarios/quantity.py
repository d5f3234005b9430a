"""Read quantities with their units: `20 ms`, `90 s`, `20 min`, `1.5 h`.

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


def _wrong(expected: str, hint: str) -> PydanticCustomError:
    return PydanticCustomError("quantity", "{expected}", {"expected": expected, "hint": hint})


_PATTERN = rf"^\d+(\.\d+)? ?({'|'.join(DURATION)})$"
Duration = Annotated[
    float,
    BeforeValidator(seconds),
    WithJsonSchema({"type": "string", "pattern": _PATTERN, "examples": ["20 ms", "90 s"]}),
]
