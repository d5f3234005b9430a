"""A scoreboard says everything without colour, at any width, in any encoding."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterbed.score import Row, summarise
from filterbed.scoreboard import show
from scenarios.model import Label

OK, UNKNOWN = Label("ok"), Label("unknown")
BLOCKED = Label("blocked", frozenset({"dns.injection.other"}), "network")


@dataclass
class Run:
    scenario: str = "china-2010/december"
    directory: str | None = "runs/china-2010/december"
    valid: bool = True
    invalid_because: list[str] = field(default_factory=list)
    summary: dict[str, Any] | None = None
    rows: list[Row] = field(default_factory=list)
    unknown: dict[str, int] = field(default_factory=dict)


def rows(vantages: tuple[str, ...] = ("bj-cu",)) -> list[Row]:
    said = {"facebook": BLOCKED, "twitter": OK, "youtube": UNKNOWN}
    return [
        Row(vantage, target, "webcheck", 1, 0.0, 1.0, BLOCKED, observed)
        for vantage in vantages
        for target, observed in said.items()
    ]


def scored(found: list[Row]) -> Run:
    return Run(rows=found, summary=summarise(found))


def shown(run: Run, width: int | None = None, encoding: str = "utf-8") -> str:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, newline="\n")
    show([run], file=file, width=width)
    file.flush()
    return raw.getvalue().decode(encoding)


def lines_of(text: str) -> list[str]:
    return [re.sub(r" +", " ", line.strip()) for line in text.splitlines()]


def test_every_row_has_its_mark_and_both_labels() -> None:
    lines = lines_of(shown(scored(rows())))
    told = "blocked dns.injection.other (network)"
    assert "webcheck from bj-cu" in lines
    assert f"✓ facebook {told} {told}" in lines
    assert f"✗ twitter {told} ok" in lines
    assert f"? youtube {told} unknown" in lines
    summary = (
        "webcheck: precision 1.00 [0.21–1.00] of 1 · recall 0.50 [0.09–0.91] of 2 · "
        "accuracy 0.33 [0.06–0.79] of 3 · unknown 1"
    )
    assert summary in " ".join(lines)
    assert lines[-1] == "run directory: runs/china-2010/december"


def test_several_vantages_stand_side_by_side() -> None:
    lines = lines_of(shown(scored(rows(("bj-cu", "sh-ct")))))
    node = "dns.injection.other"
    assert "target bj-cu sh-ct" in lines
    assert f"facebook ✓ {node} ✓ {node}" in lines
    assert f"twitter ✗ ok, is {node} ✗ ok, is {node}" in lines
    assert f"youtube ? unknown, is {node} ? unknown, is {node}" in lines


def test_without_a_terminal_there_are_no_escapes() -> None:
    assert "\x1b" not in shown(scored(rows()))
    assert "\x1b" not in shown(Run(valid=False, invalid_because=["the censor died"]))


def test_an_invalid_run_is_loud_and_has_no_table() -> None:
    text = shown(Run(valid=False, invalid_because=["the censor died", "audit: 3 packets"]))
    assert "INVALID" in text
    assert "✗ the censor died" in text
    assert "✗ audit: 3 packets" in text
    assert "expected" not in text


def test_why_a_row_is_unknown_is_said_once() -> None:
    run = scored(rows())
    run.unknown = {"missing: the tool gave no answer (exit status 127)": 4}
    assert "? 4 unknown: missing: the tool gave no answer (exit status 127)" in shown(run)


def test_nothing_known_is_no_zero() -> None:
    found = [Row("bj", "x", "webcheck", 1, 0.0, 1.0, OK, OK)]
    assert "precision – of 0" in shown(scored(found))


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_no_line_is_wider_than_asked(width: int) -> None:
    run = scored(rows())
    run.directory = None
    text = shown(run, width)
    assert max(map(len, text.splitlines())) <= width
    letters = "".join(text.split())
    assert letters.count("✓") == 1


def test_an_ascii_terminal_gets_ascii() -> None:
    text = shown(scored(rows()), encoding="ascii")
    assert re.search(r"\+ +facebook", text)
    assert re.search(r"x +twitter", text)


@given(st.text(st.characters(codec=None), max_size=30), st.sampled_from(["utf-8", "ascii"]))
def test_any_text_is_shown_and_commands_no_terminal(text: str, encoding: str) -> None:
    found = [Row(text, text, text, 1, 0.0, 1.0, OK, OK)]
    run = Run(scenario=text, directory=text, rows=found, summary=summarise(found))
    bad = Run(scenario=text, valid=False, invalid_because=[text])
    for one in (run, bad):
        assert not set(shown(one, encoding=encoding)) & {"\x1b", "\x00", "\x07", "\x9b"}
