"""A bad policy: every error with its place, whatever is wrong, and never a traceback."""

from __future__ import annotations

from random import Random

from fuzz.damage import places, spoiled
from fuzz.target import check


def test_spoiled_policies_are_refused_with_their_problems() -> None:
    for number in range(1500):
        check(spoiled(Random(number)))


def test_places_are_all_of_them() -> None:
    assert list(places({"a": [1, {"b": 2}]})) == [(), ("a",), ("a", 0), ("a", 1), ("a", 1, "b")]
