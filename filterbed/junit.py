"""Write runs as JUnit XML, so that any build server shows them.

One suite per scenario and probe, one case per row: a row that is not correct is a failure; an
invalid run is one case with an error that holds its reasons.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol
from xml.etree import ElementTree as Xml

from filterbed.score import Row, label_text

#: What XML 1.0 section 2.2 does not allow in a document, not even escaped.
_FORBIDDEN: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Finished(Protocol):
    """One scenario's run, as the runner reports it."""

    @property
    def scenario(self) -> str:
        """Return the scenario's name."""

    @property
    def directory(self) -> str | None:
        """Return the run directory, None where none could be made."""

    @property
    def valid(self) -> bool:
        """Return whether the score can be trusted."""

    @property
    def invalid_because(self) -> Sequence[str]:
        """Return the reasons why not."""

    @property
    def summary(self) -> Mapping[str, Any] | None:
        """Return score.json's summary, None where invalid."""

    @property
    def rows(self) -> Sequence[Row]:
        """Return the rows, none where invalid."""


def safe(text: str) -> str:
    """Return text that XML can hold: what it cannot is written as `\\xNN` or `\\uNNNN`."""
    return _FORBIDDEN.sub(lambda match: ascii(match.group())[1:-1], text)


def document(runs: Iterable[Finished]) -> str:
    """Return the whole XML document."""
    root = Xml.Element("testsuites", {"name": "filterbed"})
    for run in runs:
        if run.valid:
            for probe in dict.fromkeys(row.probe for row in run.rows):
                _suite(root, run, probe, [row for row in run.rows if row.probe == probe])
        else:
            _invalid(root, run)
    Xml.indent(root)
    return Xml.tostring(root, encoding="unicode", xml_declaration=False).join(
        ('<?xml version="1.0" encoding="utf-8"?>\n', "\n")
    )


def _suite(root: Xml.Element, run: Finished, probe: str, rows: Sequence[Row]) -> None:
    failures = sum(not row.correct for row in rows)
    seconds = sum(row.t_end - row.t_start for row in rows)
    suite = _element(
        root,
        "testsuite",
        name=f"{run.scenario} {probe}",
        tests=str(len(rows)),
        failures=str(failures),
        errors="0",
        time=f"{seconds:.3f}",
    )
    rounds = max((row.round for row in rows), default=1)
    for row in rows:
        name = row.target if rounds == 1 else f"{row.target} round {row.round}"
        case = _element(
            suite,
            "testcase",
            classname=f"{run.scenario}.{row.vantage}",
            name=name,
            time=f"{row.t_end - row.t_start:.3f}",
        )
        if not row.correct:
            told = f"expected {label_text(row.expected)}, observed {label_text(row.observed)}"
            _element(case, "failure", message=told, type="verdict").text = safe(told)


def _invalid(root: Xml.Element, run: Finished) -> None:
    suite = _element(
        root, "testsuite", name=run.scenario, tests="1", failures="0", errors="1", time="0.000"
    )
    case = _element(suite, "testcase", classname=run.scenario, name="the run is valid", time="0")
    reasons = list(run.invalid_because) or ["no reason is known"]
    error = _element(case, "error", message=f"invalid: {reasons[0]}", type="invalid")
    error.text = safe("\n".join(reasons))


def _element(parent: Xml.Element, tag: str, **attributes: str) -> Xml.Element:
    made = {key: safe(value) for key, value in attributes.items()}
    return Xml.SubElement(parent, tag, made)
