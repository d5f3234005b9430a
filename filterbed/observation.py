"""Read what a tool printed as one answer for each target, whatever it printed.

A tool prints one JSON object a line (docs/judging.md). Nothing it prints raises: what cannot be
read is a note, and a target without exactly one readable answer is `unknown`, with the reason.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any, cast, get_args

from scenarios.model import Label, Locus, Verdict

#: Bounds on what is looked at; the rest is counted in a note. Bytes, lines, characters.
LINE_LIMIT = 1 << 20
LINES_LIMIT = 100_000
NOTES_LIMIT = 200
DETAIL_LIMIT = 2_000
RAW_LIMIT = 2_000
ROUND_LIMIT = 1_000

KEYS = frozenset({"target", "verdict", "mechanisms", "locus", "detail", "round"})
UNKNOWN = Label("unknown")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of output without its line end; `at` is when its end arrived, epoch seconds.

    `whole` is False when the output stopped before a line end.
    """

    at: float
    data: bytes
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Note:
    """Something odd in the output; `line` counts from 1, None for the output as a whole."""

    line: int | None
    text: str
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Observation:
    """What the tool said about one target in one round.

    `reason` is set when the label is `unknown`. `raw` are the lines it rests on, shortened.
    `t_start` is when the answer before it arrived (the tool's start for the first): exact for a
    tool that works through its list, an estimate for one that works on several at once.
    """

    target: str
    round: int
    label: Label
    t_start: float
    t_end: float
    reason: str | None = None
    detail: str | None = None
    raw: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """A whole output: observations by target in the order asked, then by round; and the notes."""

    observations: tuple[Observation, ...]
    notes: tuple[Note, ...] = ()

    def after(self, rounds: int) -> Reading:
        """Return it with its rounds counted on from those that were before."""
        later = (replace(seen, round=seen.round + rounds) for seen in self.observations)
        return replace(self, observations=tuple(later)) if rounds else self


@dataclass(frozen=True, slots=True)
class _Answer:
    """One line that names a target that was asked; `fault` says why it is no answer."""

    target: str
    round: int
    label: Label
    fault: str | None
    detail: str | None
    start: float
    at: float
    raw: str


@dataclass(slots=True)
class _Sheet:
    """Answers and notes as they are collected; the notes are bounded."""

    answers: list[_Answer] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    unread: int = 0
    spilled: int = 0

    def note(self, line: int | None, text: str, raw: str = "") -> None:
        if len(self.notes) < NOTES_LIMIT:
            self.notes.append(Note(line, text, raw))
        else:
            self.spilled += 1


class _FaultError(ValueError):
    """The line cannot be read; its text says why."""


def split(chunks: Iterable[tuple[float, bytes]]) -> list[Line]:
    """Cut output, as it arrived, into lines; blank ones are left out.

    Args:    chunks: arrival time (epoch seconds) and bytes of each read, in order.
    Limits:  after LINES_LIMIT lines one more is kept, so that `read` can tell; then it stops.
    """
    lines: list[Line] = []
    parts: list[bytes] = []
    at = 0.0
    for at, data in chunks:
        *whole, rest = data.split(b"\n")
        for piece in whole:
            line = b"".join((*parts, piece)).rstrip(b"\r")
            parts.clear()
            if line.strip():
                lines.append(Line(at, line))
            if len(lines) > LINES_LIMIT:
                return lines
        if rest:
            parts.append(rest)
    last = b"".join(parts)
    if last.strip():
        lines.append(Line(at, last, whole=False))
    return lines


def read(
    lines: Sequence[Line],
    targets: Sequence[str],
    *,
    started: float,
    ended: float,
    is_node: Callable[[str], bool],
    cut: bool = False,
    end: str | None = None,
) -> Reading:
    """Turn output into exactly one observation per target and round.

    The rounds are those the tool named (1 if it named none), and every target is asked in each:
    an answer left out in a round is a missing answer.

    Args:
        targets: the names the tool was given, in order.
        started, ended: when the tool ran, epoch seconds.
        is_node: whether a word is a node of the taxonomy.
        cut: the output was longer than what is kept.
        end: how the tool ended if not well ("stopped after 120 s"); becomes part of reasons.
    """
    sheet = _Sheet()
    asked = frozenset(targets)
    previous = started
    for number, line in enumerate(lines[:LINES_LIMIT], 1):
        answer = _line(number, line, previous, asked, is_node, sheet)
        if answer is not None:
            sheet.answers.append(answer)
            previous = max(previous, line.at)
    if len(lines) > LINES_LIMIT:
        sheet.note(None, f"more than {LINES_LIMIT} lines: the rest was not read")
    if cut:
        sheet.note(None, "the output was longer than what is kept: the rest was not read")
    found: dict[tuple[str, int], list[_Answer]] = {}
    for answer in sheet.answers:
        found.setdefault((answer.target, answer.round), []).append(answer)
    rounds = sorted({answer.round for answer in sheet.answers}) or [1]
    missing = _missing(sheet, cut or len(lines) > LINES_LIMIT, end)
    observations = tuple(
        _settle(found[target, turn], sheet)
        if (target, turn) in found
        else Observation(target, turn, UNKNOWN, started, ended, missing)
        for target in targets
        for turn in rounds
    )
    if sheet.spilled:
        sheet.notes.append(Note(None, f"{sheet.spilled} more notes were left out"))
    return Reading(observations, tuple(sheet.notes))


def documents(reading: Reading, *, vantage: str, probe: str) -> list[dict[str, Any]]:
    """Return the lines of observations.jsonl for one vantage: observations, then notes."""
    head = {"vantage": vantage, "probe": probe}
    return [
        {
            "kind": "observation",
            **head,
            "target": seen.target,
            "round": seen.round,
            "verdict": seen.label.verdict,
            "mechanisms": sorted(seen.label.mechanisms),
            "locus": seen.label.locus,
            "reason": seen.reason,
            "detail": seen.detail,
            "t_start": seen.t_start,
            "t_end": seen.t_end,
            "raw": list(seen.raw),
        }
        for seen in reading.observations
    ] + [
        {"kind": "note", **head, "line": note.line, "note": note.text, "raw": note.raw}
        for note in reading.notes
    ]


def _missing(sheet: _Sheet, cut: bool, end: str | None) -> str:
    """Say why a target has no answer, with whatever may have swallowed it."""
    causes = [end] if end else []
    if cut:
        causes.append("its output was cut")
    if sheet.unread:
        first = next(note for note in sheet.notes if note.line is not None)
        count = "1 line" if sheet.unread == 1 else f"{sheet.unread} lines"
        causes.append(f"{count} could not be read; line {first.line}: {first.text}")
    return "missing: the tool gave no answer" + (f" ({'; '.join(causes)})" if causes else "")


def _line(
    number: int,
    line: Line,
    start: float,
    asked: frozenset[str],
    is_node: Callable[[str], bool],
    sheet: _Sheet,
) -> _Answer | None:
    """Read one line; None, and a note, when it answers nothing that was asked."""
    raw = line.data[:RAW_LIMIT].decode("utf-8", "backslashreplace")
    try:
        found = _object(line)
        target = found.get("target", "")
        if not isinstance(target, str) or target not in asked:
            raise _FaultError(
                f"unknown target {_show(target)}" if "target" in found else "no target"
            )
    except _FaultError as fault:
        sheet.unread += 1
        sheet.note(number, str(fault), raw)
        return None
    if not line.whole:
        sheet.note(number, "the last line has no line end")
    strange = sorted(found.keys() - KEYS)
    if strange:
        sheet.note(number, f"keys without a meaning: {_show(strange)}")
    turn, label, fault_text = 1, UNKNOWN, None
    try:
        turn = _round(found.get("round"))
        label = _label(found, is_node)
    except _FaultError as fault:
        fault_text = str(fault)
        sheet.note(number, fault_text, raw)
    return _Answer(
        target, turn, label, fault_text, _detail(found.get("detail")), start, line.at, raw
    )


def _object(line: Line) -> dict[str, Any]:
    """Parse a line as one JSON object (RFC 8259); a _FaultError says what it is instead."""
    half = "" if line.whole else "half a line: "
    if len(line.data) > LINE_LIMIT:
        raise _FaultError(f"{half}longer than {LINE_LIMIT} bytes")
    try:
        text = line.data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _FaultError(f"{half}invalid UTF-8 at byte {error.start}") from error
    try:
        found = json.loads(
            text, parse_constant=_constant, parse_float=_float, object_pairs_hook=_pairs
        )
    except _FaultError as fault:
        raise _FaultError(f"{half}{fault}") from fault
    except RecursionError as error:
        raise _FaultError(f"{half}not JSON: nested too deeply") from error
    except ValueError as error:
        raise _FaultError(f"{half}not JSON: {str(error)[:120]}") from error
    if not isinstance(found, dict):
        raise _FaultError(f"{half}not an object: {_show(found)}")
    return found


def _constant(word: str) -> float:
    raise _FaultError(f"not JSON: {word} is no JSON number")


def _float(text: str) -> float:
    value = float(text)
    if not isfinite(value):
        raise _FaultError(f"not JSON we can keep: the number {text[:40]} is too large")
    return value


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(key for i, (key, _) in enumerate(pairs) if key in dict(pairs[:i]))
        raise _FaultError(f"the key {_show(twice)} stands twice")
    return found


def _round(value: object) -> int:
    if value is None:
        return 1
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= ROUND_LIMIT:
        return value
    raise _FaultError(f"round {_show(value)}: expected a whole number from 1 to {ROUND_LIMIT}")


def _label(found: dict[str, Any], is_node: Callable[[str], bool]) -> Label:
    """Read the label; a `blocked` without a locus claims the network, and is written so."""
    verdict = found.get("verdict")
    if verdict not in get_args(Verdict):
        seen = f"unknown verdict {_show(verdict)}" if "verdict" in found else "no verdict"
        raise _FaultError(f"{seen}: expected {', '.join(get_args(Verdict))}")
    words = found.get("mechanisms")
    words = [] if words is None else words
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise _FaultError(f"mechanisms {_show(words)}: expected a list of words")
    for word in words:
        if not is_node(word):
            raise _FaultError(f"unknown mechanism {_show(word)}")
    locus = found.get("locus")
    if locus is not None and (not isinstance(locus, str) or locus not in get_args(Locus)):
        raise _FaultError(f"unknown locus {_show(locus)}: expected {', '.join(get_args(Locus))}")
    if verdict != "blocked":
        if words:
            raise _FaultError(f"mechanisms {_show(words)} with the verdict {verdict}")
        if locus is not None:
            raise _FaultError(f"locus {_show(locus)} with the verdict {verdict}")
        return Label(cast(Verdict, verdict))
    return Label("blocked", frozenset(words), cast(Locus, locus or "network"))


def _detail(value: object) -> str | None:
    """Keep a detail as bounded text, JSON where it is not text already."""
    if value is None:
        return None
    try:
        text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    except (RecursionError, ValueError):
        text = "(not kept: nested too deeply, or a number too large)"
    return text if len(text) <= DETAIL_LIMIT else text[: DETAIL_LIMIT - 1] + "…"


def _show(value: object) -> str:
    """Show a tool's value in a sentence: ASCII, short, whatever it is."""
    try:
        text = ascii(value)
    except (RecursionError, ValueError):
        text = f"a {type(value).__name__} too large to show"
    return text if len(text) <= 80 else text[:77] + "..."


def _settle(answers: list[_Answer], sheet: _Sheet) -> Observation:
    """Make one observation of a target's answers in one round."""
    first, last = answers[0], answers[-1]
    claims = {(answer.label, answer.fault) for answer in answers}
    raw = tuple(answer.raw for answer in answers[:4])
    label, reason = first.label, first.fault
    if len(claims) > 1:
        label, reason = UNKNOWN, f"contradictory: {len(answers)} answers that differ"
        sheet.note(None, f"target {_show(first.target)}, round {first.round}: {reason}")
    elif len(answers) > 1:
        sheet.note(
            None, f"target {_show(first.target)}, round {first.round}: {len(answers)} equal answers"
        )
    if label.verdict == "unknown" and reason is None:
        reason = "the tool said unknown"
    return Observation(
        first.target, first.round, label, first.start, last.at, reason, first.detail, raw
    )
