"""JUnit XML that any reader takes, whatever the texts hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree as Xml

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterbed import junit
from filterbed.score import Row
from scenarios.model import Label

OK, BLOCKED = Label("ok"), Label("blocked", frozenset({"dns.nxdomain"}), "network")


@dataclass
class Run:
    scenario: str = "china-2010/december"
    directory: str | None = "runs/x"
    valid: bool = True
    invalid_because: list[str] = field(default_factory=list)
    summary: dict[str, Any] | None = None
    rows: list[Row] = field(default_factory=list)


def row(target: str, observed: Label, probe: str = "webcheck", turn: int = 1) -> Row:
    return Row("bj-cu", target, probe, turn, 10.0, 11.5, BLOCKED, observed)


def parsed(*runs: Run) -> Xml.Element:
    return Xml.fromstring(junit.document(runs).encode("utf-8"))


def test_a_suite_per_probe_and_a_case_per_row() -> None:
    rows = [row("facebook", BLOCKED), row("twitter", OK), row("facebook", OK, "mine")]
    suites = list(parsed(Run(rows=rows)))
    assert [suite.attrib for suite in suites] == [
        {
            "name": "china-2010/december webcheck",
            "tests": "2",
            "failures": "1",
            "errors": "0",
            "time": "3.000",
        },
        {
            "name": "china-2010/december mine",
            "tests": "1",
            "failures": "1",
            "errors": "0",
            "time": "1.500",
        },
    ]
    good, bad = suites[0]
    assert good.attrib == {
        "classname": "china-2010/december.bj-cu",
        "name": "facebook",
        "time": "1.500",
    }
    assert len(good) == 0
    assert bad[0].tag == "failure"
    assert bad[0].get("message") == "expected blocked dns.nxdomain (network), observed ok"


def test_an_invalid_run_is_an_error_with_all_its_reasons() -> None:
    suite = parsed(Run(valid=False, invalid_because=["the censor died", "audit: 3 packets"]))[0]
    assert (suite.get("errors"), suite.get("failures")) == ("1", "0")
    error = suite[0][0]
    assert error.tag == "error"
    assert error.get("message") == "invalid: the censor died"
    assert error.text == "the censor died\naudit: 3 packets"


def test_rounds_are_told_apart() -> None:
    suite = parsed(Run(rows=[row("facebook", OK), row("facebook", OK, turn=2)]))[0]
    assert [case.get("name") for case in suite] == ["facebook round 1", "facebook round 2"]


def test_control_characters_are_written_out() -> None:
    assert junit.safe("a\x00\x1b[31m\ud800\ufffe\tb") == "a\\x00\\x1b[31m\\ud800\\ufffe\tb"


@given(st.text(st.characters(codec=None)))
@pytest.mark.filterwarnings("error")
def test_any_text_survives(text: str) -> None:
    runs = [
        Run(scenario=text, rows=[row(text, OK, text)]),
        Run(scenario=text, valid=False, invalid_because=[text, text]),
    ]
    first, second = parsed(*runs)
    assert len(first) == 1
    assert second[0][0].tag == "error"
