"""YAML 1.2 as people write it: scalars, places, and everything that is refused."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from scenarios import yaml12
from scenarios.error import Problem, ScenarioError


def problems(data: bytes) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        yaml12.load(data, "f.yaml")
    return [str(problem) for problem in caught.value.problems]


def refused(data: bytes) -> tuple[Problem, ...]:
    try:
        yaml12.load(data)
    except ScenarioError as error:
        return error.problems
    return ()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[(word, word) for word in ("NO", "on", "off", "yes", "y", "1_000", "12:30", "2010-12")],
        *[("true", True), ("False", False), ("~", None), ("null", None), ("", None)],
        *[("010", 10), ("0o17", 15), ("0x1F", 31), ("-7", -7), ("0b11", "0b11")],
        *[("1.5", 1.5), (".5", 0.5), ("1e3", 1000.0), ("-.inf", -math.inf), ("1.2.3.4", "1.2.3.4")],
        *[('"5"', "5"), ("'true'", "true"), ("!!str 5", "5"), ("2010-12-30", "2010-12-30")],
    ],
)  # fmt: skip
def test_scalars_are_those_of_the_core_schema(text: str, value: Any) -> None:
    document, _ = yaml12.load(f"key: {text}".encode())
    assert document == {"key": value}
    assert type(document["key"]) is type(value)


def test_a_key_may_be_called_on() -> None:
    document, _ = yaml12.load(b"on: data\nno: 1\n")
    assert document == {"on": "data", "no": 1}


def test_nan_is_a_number() -> None:
    assert math.isnan(yaml12.load(b"[.nan]")[0][0])


def test_every_key_and_value_has_its_place() -> None:
    _, places = yaml12.load("a: 1\nb:\n  - x\n  - {kéy: [2, 3]}\n".encode())
    assert places.of(("a",)) == (1, 4)
    assert places.of(("b", 1, "kéy", 1)) == (4, 15)
    assert places.of(("b", 1, "kéy"), key=True) == (4, 6)
    assert places.of(("b", 1, "absent")) == (4, 5)


@pytest.mark.parametrize(
    ("data", "place", "words"),
    [
        (b"", "1:1", "an empty file"),
        (b"# nothing\n", "1:1", "an empty file"),
        (b"a: 1\nb: 2\n\xff", "3:1", "UTF-8"),
        ("é: \x01".encode(), "1:4", "printable"),
        (b"\ta: 1", "1:1", "a tab"),
        (b"a:\n\t- b\n", "2:1", "a tab"),
        (b"a: [1,\n", "2:1", "YAML"),
        (b"a: 1\n b: 2\n", "2:3", "YAML"),
        (b"a: 1\n---\nb: 2\n", "2:1", "one document"),
        (b"a: *nobody\n", "1:4", "anchor"),
        (b"a: &a [*a]\n", "1:8", "anchor"),
        (b"a: !!python/object:os.system x\n", "1:4", "tag"),
        (b"a: !!binary aGk=\n", "1:4", "tag"),
        (b"1: x\n", "1:1", 'did you mean "1"'),
        (b"? [a, b]\n: x\n", "1:3", "key that is text"),
        (b"<<: 3\n", "1:5", "a mapping"),
        (b"a: " + b"9" * 500, "1:4", "digits"),
        (b"[" * 20_000, "1:65", "levels"),
        (b"a: " + b"x" * yaml12.BYTES_LIMIT, "1:1", "bytes"),
    ],
)
def test_what_is_refused_is_refused_at_its_place(data: bytes, place: str, words: str) -> None:
    (problem,) = problems(data)
    assert problem.startswith(f"f.yaml:{place} ")
    assert words in problem


def test_duplicate_keys_name_both_places_and_all_are_told() -> None:
    found = problems(b"a: 1\nb: {c: 1, c: 2}\na: 3\n")
    assert [p.split()[0] for p in found] == ["f.yaml:2:11", "f.yaml:3:1"]
    assert "line 2, column 5 already" in found[0]
    assert "line 1, column 1 already" in found[1]


def test_merge_keeps_what_is_there_and_takes_the_earlier() -> None:
    text = b"one: &one {a: 1, b: 1}\ntwo: &two {b: 2, c: 2}\nall: {c: 0, <<: [*one, *two]}\n"
    assert yaml12.load(text)[0]["all"] == {"a": 1, "b": 1, "c": 0}


def test_an_alias_bomb_is_refused() -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    for n in range(1, 10):
        before, name = chr(96 + n), chr(97 + n)
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]")
    (problem,) = problems("\n".join(lines).encode())
    assert "aliases" in problem


def test_a_missing_file_is_a_problem_too(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="readable file"):
        yaml12.load_file(tmp_path / "none.yaml")
    with pytest.raises(ScenarioError, match="readable file"):
        yaml12.load_file(tmp_path)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_value_or_problems(data: bytes) -> None:
    assert all(p.line >= 1 and p.column >= 1 for p in refused(data))


@given(st.text(alphabet="ab: -[]{}&*<!#|>'\"\n\t?,01", max_size=60))
def test_any_text_that_looks_like_yaml_gives_a_value_or_problems(text: str) -> None:
    assert all(p.line >= 1 and p.column >= 1 for p in refused(text.encode()))


def test_the_pure_reader_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    text = b"a: &x {k: [NO, 1, 'q']}\nb: *x\nc: |\n  text\n"
    fast = yaml12.load(text)
    monkeypatch.setattr(yaml12, "_Loader", yaml.SafeLoader)
    assert yaml12.load(text) == fast
