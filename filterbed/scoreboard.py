"""Show runs on a terminal: what was expected, what the tool said, and how far they agree.

The marks differ in shape, not only in colour; without a terminal the text is plain.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import IO, Any, Final

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from filterbed.junit import Finished
from filterbed.score import Row, label_text
from scenarios.model import Label

#: Right, wrong, no answer. Blue and orange stay apart for the colour-blind (Okabe and Ito, 2008).
MARKS: Final = {"right": "✓", "wrong": "✗", "none": "?"}
_STYLES: Final = {"right": "#56b4e9", "wrong": "bold #e69f00", "none": "bold #e69f00"}
_ASCII: Final = {"✓": "+", "✗": "x", "·": "-", "–": "-"}
#: How many different reasons for `unknown` are shown; the rest is in observations.jsonl.
REASONS: Final = 5
#: Where there is no terminal to ask.
PLAIN_WIDTH: Final = 100


def show(
    runs: Iterable[Finished], *, file: IO[str] | None = None, width: int | None = None
) -> None:
    """Print a scoreboard for each run."""
    console = Console(file=file, width=width, highlight=False, soft_wrap=False)
    if width is None and not console.is_terminal:
        console = Console(file=file, width=PLAIN_WIDTH, highlight=False)
    for run in runs:
        _run(console, run)


def _run(console: Console, run: Finished) -> None:
    console.print()
    console.print(Text(_plain(console, run.scenario), style="bold"))
    if not run.valid:
        _invalid(console, run)
    for probe in dict.fromkeys(row.probe for row in run.rows):
        rows = [row for row in run.rows if row.probe == probe]
        vantages = list(dict.fromkeys(row.vantage for row in rows))
        if len(vantages) == 1:
            console.print(_table(console, probe, vantages[0], rows))
        else:
            console.print(_matrix(console, probe, vantages, rows))
        if run.summary and probe in run.summary:
            _summary(console, probe, run.summary[probe])
    for reason, times in list(getattr(run, "unknown", {}).items())[:REASONS]:
        words = f"{MARKS['none']} {times} unknown: {reason}"
        console.print(Padding(Text(_plain(console, words)), (0, 0, 0, 2)))
    if run.directory is not None:
        console.print(Text(_plain(console, f"  run directory: {run.directory}")), soft_wrap=True)


def _invalid(console: Console, run: Finished) -> None:
    """Say loudly that there is no score."""
    loud = "bold reverse" if console.is_terminal else ""
    console.print(Text("  INVALID: this run has no score, because", style=loud))
    for reason in run.invalid_because or ["no reason is known"]:
        console.print(Padding(Text(_plain(console, f"{MARKS['wrong']} {reason}")), (0, 0, 0, 4)))


def _table(console: Console, probe: str, vantage: str, rows: Sequence[Row]) -> Table:
    table = _plain_table(console, f"  {probe} from {vantage}")
    table.add_column("", no_wrap=True, width=3, justify="right")
    # Nothing is cut away: a narrow terminal folds.
    for name in ("target", "expected", "observed"):
        table.add_column(name, overflow="fold")
    several = len({row.round for row in rows}) > 1
    for row in rows:
        kind = mark(row)
        target = f"{row.target} #{row.round}" if several else row.target
        texts = (target, label_text(row.expected), label_text(row.observed))
        table.add_row(
            Text(_plain(console, MARKS[kind]), style=_STYLES[kind]),
            *(Text(_plain(console, text)) for text in texts),
        )
    return table


def _matrix(console: Console, probe: str, vantages: Sequence[str], rows: Sequence[Row]) -> Table:
    """Show several vantages side by side: what was observed, and what was true where it differs."""
    table = _plain_table(console, f"  {probe}")
    table.add_column("", no_wrap=True, width=1)
    for name in ("target", *vantages):
        table.add_column(Text(_plain(console, name)), overflow="fold")
    cells: dict[tuple[str, int], dict[str, Row]] = {}
    for row in rows:
        cells.setdefault((row.target, row.round), {})[row.vantage] = row
    several = len({row.round for row in rows}) > 1
    for (target, turn), found in cells.items():
        name = f"{target} #{turn}" if several else target
        table.add_row(
            "",
            Text(_plain(console, name)),
            *(_cell(console, found[v]) if v in found else Text("") for v in vantages),
        )
    return table


def _cell(console: Console, row: Row) -> Text:
    kind = mark(row)
    text = f"{MARKS[kind]} {_brief(row.observed)}"
    if kind != "right":
        text += f", is {_brief(row.expected)}"
    return Text(_plain(console, text), style=_STYLES[kind] if kind != "right" else "")


def _brief(label: Label) -> str:
    """Say a label in the fewest words: what blocks, and where, if not the network."""
    if label.verdict != "blocked":
        return label.verdict
    text = " ".join(sorted(label.mechanisms)) or "blocked"
    return text if (label.locus or "network") == "network" else f"{text} ({label.locus})"


def _plain_table(console: Console, title: str) -> Table:
    return Table(
        title=Text(_plain(console, title)),
        title_justify="left",
        title_style="",
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
        show_edge=False,
    )


def mark(row: Row) -> str:
    """Return which of MARKS a row gets."""
    if row.observed.verdict == "unknown":
        return "none"
    return "right" if row.correct else "wrong"


def _summary(console: Console, probe: str, summary: Mapping[str, Any]) -> None:
    words = [f"{name} {rate(summary[name])}" for name in ("precision", "recall", "accuracy")]
    if summary["unknown"]:
        words.append(f"unknown {summary['unknown']}")
    line = f"{probe}: {' · '.join(words)}"
    console.print(Padding(Text(_plain(console, line), style="bold"), (0, 0, 0, 2)))


def rate(document: Mapping[str, Any]) -> str:
    """Write a rate with its interval: `0.83 [0.44–0.97] of 6`."""
    if document["value"] is None:
        return "– of 0"
    low, high = document["low"], document["high"]
    return f"{document['value']:.2f} [{low:.2f}–{high:.2f}] of {document['n']}"


def _plain(console: Console, text: str) -> str:
    """Return text that this console can show: no control characters, its encoding's letters."""
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    encoding = console.encoding or "utf-8"
    try:
        shown.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        swapped = "".join(_ASCII.get(c, c) for c in shown)
        shown = swapped.encode("ascii", "backslashreplace").decode("ascii")
    return shown
