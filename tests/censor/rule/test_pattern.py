"""Patterns: the same answers as Python's, in linear time, and a reason for what is refused."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from censor.rule import pattern
from censor.rule.pattern import PatternError, Patterns
from fuzz.growth import FACTOR, SLACK, work

ATOM = st.sampled_from(
    ["a", "b", ".", "[ab]", "[^a]", "[a-c]", r"\.", r"\d", r"\w", r"\S", "^", "$"]
)


def _grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    repeat = st.sampled_from(["", "*", "+", "?", "{2}", "{0,2}", "{1,}", "{0}"])
    return st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda two: f"(?:{two[0]}|{two[1]})"),
        st.tuples(inner, repeat).map(lambda two: f"({two[0]}){two[1]}"),
    )


PATTERN = st.recursive(ATOM, _grow, max_leaves=8)
TEXT = st.text("abc.1", max_size=8)


@settings(max_examples=1000, deadline=None)
@given(PATTERN, st.lists(TEXT, max_size=5))
def test_it_agrees_with_the_standard_library(text: str, names: list[str]) -> None:
    own, other = Patterns([text]), re.compile(text.replace("$", r"\Z"))
    for name in names:
        assert own.find(name) == bool(other.search(name)), name


@settings(deadline=None)
@given(st.lists(PATTERN, max_size=4), TEXT)
def test_a_list_matches_if_any_of_it_does(texts: list[str], name: str) -> None:
    assert Patterns(texts).find(name) == any(Patterns([text]).find(name) for text in texts)


@pytest.mark.parametrize(
    ("text", "found", "missed"),
    [
        (
            r"(^|\.)youtube\.com$",
            ["youtube.com", "www.youtube.com"],
            ["myyoutube.com", "youtube.com.x"],
        ),
        (r"^(.*\.)?kw", ["kw.example", "a.kwx"], ["akw"]),
        (r"fa[ck]e\d+", ["xfake12y", "face0"], ["fake", "FAKE1"]),
        ("FAKE", ["fake"], []),
        ("[A-C]x", ["bx"], ["dx"]),
        ("[^A-C]x", ["dx"], ["bx"]),
        (r"[\]a-]z", ["]z", "-z", "az"], ["bz"]),
        (r"[\d.]z", ["1z", ".z"], ["az"]),
        ("a{2,3}$", ["aa", "baaa"], ["a", "ab"]),
        ("", ["", "a"], []),
    ],
)
def test_what_is_found(text: str, found: list[str], missed: list[str]) -> None:
    patterns = Patterns([text])
    assert all(patterns.find(name) for name in found)
    assert not any(patterns.find(name) for name in missed)


def test_case_may_matter() -> None:
    assert Patterns(["Kw"], ignore_case=False).find("aKw")
    assert not Patterns(["Kw"], ignore_case=False).find("akw")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (r"(a)\1", r"'\\1'"),
        ("(?=a)", "lookahead"),
        ("(?!a)", "lookahead"),
        ("(?<=a)b", "lookbehind"),
        ("(?P<n>a)", "named group"),
        ("(?i)a", "flag"),
        ("a*?", "repetition of a repetition"),
        ("a++", "repetition of a repetition"),
        ("*a", "nothing before it"),
        ("(a", "never closed"),
        ("a)", "closes nothing"),
        ("[a", "never closed"),
        ("[z-a]", "run upward"),
        ("a{2,1}", "a count"),
        ("a{101}", "a count"),
        ("a{x}", "{m}"),
        (r"\b", "escaped sign"),
        ("\\", "escaped sign"),
        ("((a{100}){100})", "too long"),
        ("(" * 30 + "a" + ")" * 30, "deep"),
        (r"[\D]", "negated class"),
        ("(?#c)", "group other than"),
    ],
)
def test_what_is_refused_and_why(text: str, reason: str) -> None:
    with pytest.raises(PatternError, match=re.escape(reason).replace("\\\\", "\\")) as caught:
        Patterns([text])
    assert "character" in str(caught.value)


def test_a_list_has_a_limit_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pattern, "LIST_LIMIT", 50)
    with pytest.raises(PatternError, match="list too long"):
        Patterns(["a" * 40, "b" * 40])


def test_time_is_linear_where_others_take_forever() -> None:
    hard = Patterns([r"(a*)*b", r"(a|aa)+$", "(x+x+)+y"])
    assert not hard.find("ax" * 50_000 + "c")
    few, many = (work(hard.find, "ax" * n + "c") for n in (500, 500 * FACTOR))
    assert many <= FACTOR * SLACK * few


def test_an_automaton_that_grows_too_large_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pattern, "CACHE_LIMIT", 10)
    small = Patterns(["(a|b)c(a|b){5}d"])
    for text in ("acababad", "bcaaaaad", "xxacbbbbbdx", "acd", "c" * 50):
        assert small.find(text) == bool(re.search("(a|b)c(a|b){5}d", text))


@given(st.text(max_size=20))
def test_any_text_is_a_pattern_or_refused(text: str) -> None:
    with suppress(PatternError):
        assert Patterns([text]).find("www.example.com") in (True, False)
