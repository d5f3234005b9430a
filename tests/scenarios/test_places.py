"""Places survive list items that are left out, and know which file a value stands in."""

from __future__ import annotations

from scenarios.places import Places


def test_a_missing_value_stands_where_what_is_around_it_stands() -> None:
    places = Places("f", {(): (1, 1), ("a",): (2, 4)}, {("a",): (2, 1)})
    assert places.of(("a", "b", 3)) == (2, 4)
    assert places.of(("a",), key=True) == (2, 1)
    assert places.of(("z",)) == (1, 1)


def test_indices_are_those_of_the_file() -> None:
    places = Places("f", {("a", 2, "b"): (5, 7)}, kept={("a",): [0, 2]})
    assert places.written(("a", 1, "b")) == ("a", 2, "b")
    assert places.has(("a", 1, "b"))
    problem = places.problem(("a", 1, "b"), "text")
    assert (problem.line, problem.column, problem.path) == (5, 7, ("a", 2, "b"))


def test_lists_in_lists_are_followed_too() -> None:
    places = Places("f", kept={("a",): [1, 2], ("a", 2, "b"): [3]})
    assert places.written(("a", 1, "b", 0, "c")) == ("a", 2, "b", 3, "c")


def test_inherited_values_stand_in_the_other_file() -> None:
    above = Places("above", {(): (1, 1), ("a",): (9, 9)})
    places = Places("own", {(): (1, 1), ("b",): (2, 2)}, inherited=above)
    assert places.problem(("a",), "text").file == "above"
    assert places.problem(("b",), "text").file == "own"
    assert places.problem(("c",), "text").file == "own"
    assert places.has(("a",))
