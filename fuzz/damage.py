"""Spoil policy documents: values, keys and places that no author should have written."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from datetime import date
from random import Random
from typing import Any, Final

from fuzz.boxes import POLICIES

#: What may stand where something else should.
ODD: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 1, 1 << 70, 0.5, float("inf"), float("-inf"), float("nan"), "", "x",
    "a\0b", "\ud800", "x" * 5000, "1 s", "-1 s", "9" * 400 + " s", "1e999 s", "in-path", "any",
    "1.2.3.4", "::1/129", "(a+)+$", "(?=x)", "[", b"raw", date(2010, 12, 30), (), {1, 2},
    [], {}, [[]], [{}], [None], {"": None}, {1: 2}, {None: {}}, {"file": "/nowhere"}, {"file": 3},
    {"random": [9, 1]}, {"cycle": [1]}, {"inject": "reset"}, {"inject": []}, {"drop": {}},
    {"rewrite": None}, {"allow": True, "drop": "flow"}, {"exact": 1}, {"regex": ["("]},
)  # fmt: skip

_KEYS: Final = ("inject", "drop", "then", "not", "when", "file", "residual", "", 1, None, True)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield every place in a document."""
    yield path
    if isinstance(value, list):
        value = dict(enumerate(value))
    for key, one in value.items() if isinstance(value, dict) else ():
        yield from places(one, (*path, key))


def spoiled(luck: Random) -> Any:
    """Return a good document in which one to three things are wrong, or only odd."""
    document: Any = deepcopy(luck.choice(POLICIES))
    for _ in range(luck.randint(1, 3)):
        path = luck.choice(list(places(document)))
        if not path:
            if luck.random() < 0.05:
                return deepcopy(luck.choice(ODD))
            continue
        holder = document
        for key in path[:-1]:
            holder = holder[key]
        _spoil(holder, path[-1], luck)
    return document


def _spoil(holder: Any, key: Any, luck: Random) -> None:
    match luck.randrange(4):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[luck.choice(_KEYS)] = deepcopy(luck.choice(ODD))
        case 2 if isinstance(holder[key], dict | list):
            holder[key] = [holder[key], deepcopy(holder[key])]
        case _:
            holder[key] = deepcopy(luck.choice(ODD))
