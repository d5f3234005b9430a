"""Problems say file, line, column, path, value, expectation and guess."""

from __future__ import annotations

import pytest

from scenarios.error import Path, Problem, ScenarioError, either, nearest, show, spell


def test_a_problem_reads_as_one_line() -> None:
    problem = Problem("f.yaml", 3, 7, ("a", 0, "dns.name"), "text", "5", "'5'")
    assert (
        str(problem) == "f.yaml:3:7  a[0][\"dns.name\"]: found 5; expected text; did you mean '5'?"
    )


def test_what_is_not_known_is_left_out() -> None:
    assert str(Problem("f", 1, 1, (), "text")) == "f:1:1  (the whole file): expected text"


def test_an_error_holds_all_problems_once_in_the_order_of_the_file() -> None:
    late, early = Problem("f", 9, 1, (), "x"), Problem("f", 2, 5, (), "y")
    error = ScenarioError([late, early, late])
    assert error.problems == (early, late)
    assert str(error) == f"{early}\n{late}"


@pytest.mark.parametrize(
    ("path", "text"),
    [(("a", "b-c", 2, "d"), "a.b-c[2].d"), (("x y",), '["x y"]'), ((0, ""), '[0][""]')],
)
def test_paths(path: Path, text: str) -> None:
    assert spell(path) == text


def test_guesses_and_lists() -> None:
    assert nearest("titel", ["title", "story"]) == "'title'"
    assert nearest("zzz", ["title"]) == ""
    assert either(["a", "b", "c"]) == "a, b or c"
    assert either([]) == "nothing (there is none)"
    assert either(range(30)).endswith("... (6 more)")


def test_values_are_shown_short() -> None:
    assert show({"a": [1]}) == '{"a": [1]}'
    assert len(show("x" * 200)) == 60
    assert show({1: object()}).startswith("a dict")
