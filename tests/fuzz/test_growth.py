"""No input costs more than linear time: work is counted, never timed."""

from __future__ import annotations

import importlib
import pkgutil
import re
import re._constants as word  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
from collections.abc import Iterator
from typing import Any

import pytest

import censor
from fuzz.growth import FACTOR, HEAVY, SLACK, growth, work
from fuzz.target import TARGETS

#: Patterns that repeat a repetition and are linear all the same, and why.
LINEAR = {
    "censor.dissect.sip._BRACKETED": "each piece begins with a character no other can begin with",
}
REPEATS = (word.MAX_REPEAT, word.MIN_REPEAT)


@pytest.mark.parametrize("name", HEAVY)
def test_work_grows_no_faster_than_its_input(name: str) -> None:
    target, make = HEAVY[name]
    assert growth(target, make, 100) <= FACTOR * SLACK


def test_work_is_counted() -> None:
    read = TARGETS["http"]
    small, large = (work(read, b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * n + b"\r\n") for n in (1, 50))
    assert 0 < small < large
    assert work(read, b"") == work(read, b"") < small


def patterns() -> Iterator[tuple[str, re.Pattern[Any]]]:
    """Every pattern that traffic is matched with."""
    for module in pkgutil.walk_packages(censor.__path__, "censor."):
        if module.name.endswith(("__main__", ".queue")):
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, re.Pattern):
                yield f"{module.name}.{name}", value


def nested(parsed: Any, inside: bool = False) -> bool:
    """Say whether a repetition without bound stands inside another."""
    for operator, argument in parsed:
        if operator in REPEATS:
            endless = argument[1] > 1000
            if (endless and inside) or nested(argument[2], inside or endless):
                return True
        elif operator is word.SUBPATTERN:
            if nested(argument[-1], inside):
                return True
        elif operator is word.BRANCH:
            if any(nested(branch, inside) for branch in argument[1]):
                return True
        elif isinstance(argument, parser.SubPattern) and nested(argument, inside):
            return True
    return False


def test_no_pattern_repeats_a_repetition() -> None:
    found = dict(patterns())
    assert len(found) > 10
    assert [name for name, one in found.items() if nested(parser.parse(one.pattern))] == [*LINEAR]
    assert nested(parser.parse("(a+)+$"))
    assert nested(parser.parse("(?:x|(?:b|a*c)*)"))
