"""Say how far observed labels agree with expected ones: rows, rates, exit status.

Every rule here is spelled out with worked examples in docs/judging.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median
from typing import Any

from filterbed.wilson import Rate
from scenarios.model import Label
from scenarios.taxonomy import agrees, ancestors

SCHEMA = "filterbed/score-1"


@dataclass(frozen=True, slots=True)
class Row:
    """One target seen from one vantage by one probe in one round; times in seconds."""

    vantage: str
    target: str
    probe: str
    round: int
    t_start: float
    t_end: float
    expected: Label
    observed: Label

    def __post_init__(self) -> None:
        if self.expected.verdict == "unknown":
            raise ValueError(
                f"row {self.vantage}/{self.target}: the expected verdict is 'unknown'; a truth is "
                "ok, down or blocked: make the run invalid where it cannot be told"
            )

    @property
    def correct(self) -> bool:
        """Return whether the observed label is right (see `correct`)."""
        return correct(self.expected, self.observed)

    def to_json(self) -> dict[str, Any]:
        """Return the row as score.json writes it."""
        return {
            "vantage": self.vantage,
            "target": self.target,
            "probe": self.probe,
            "round": self.round,
            "t_start": self.t_start,
            "t_end": self.t_end,
            "expected": label_json(self.expected),
            "observed": label_json(self.observed),
            "correct": self.correct,
        }


def label_json(label: Label) -> dict[str, Any]:
    """Return `{verdict, mechanisms[], locus}`, the mechanisms sorted."""
    return {
        "verdict": label.verdict,
        "mechanisms": sorted(label.mechanisms),
        "locus": label.locus,
    }


def label_text(label: Label) -> str:
    """Say a label in one line: `blocked dns.nxdomain (network)`."""
    words = [label.verdict, *sorted(label.mechanisms)]
    if label.locus is not None:
        words.append(f"({label.locus})")
    return " ".join(words)


def prefixes(nodes: Iterable[str]) -> frozenset[str]:
    """Return the nodes and all their ancestors: `a.b.c` gives `a`, `a.b`, `a.b.c`."""
    return frozenset(path for node in nodes for path in (*ancestors(node), node))


def correct(expected: Label, observed: Label) -> bool:
    """Judge one answer.

    The verdicts are equal; for `blocked` the loci are equal (a `blocked` without a locus claims the
    network) and each observed mechanism is an expected one or a whole-label prefix of one. No
    mechanism at all passes. `unknown` is never correct.
    """
    if observed.verdict == "unknown" or observed.verdict != expected.verdict:
        return False
    if observed.verdict != "blocked":
        return True
    same_locus = (observed.locus or "network") == (expected.locus or "network")
    return same_locus and agrees(observed.mechanisms, expected.mechanisms)


def positive(label: Label) -> bool:
    """Return whether a label says: blocked by the network."""
    return label.verdict == "blocked" and (label.locus or "network") == "network"


def summarise(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """Return the summary of each probe, in order of first appearance."""
    probes = dict.fromkeys(row.probe for row in rows)
    return {probe: _probe([row for row in rows if row.probe == probe]) for probe in probes}


def _probe(rows: Sequence[Row]) -> dict[str, Any]:
    """Summarise one probe's rows; `unknown` rows count in `unknown` and, as misses, recall_all."""
    answered = [row for row in rows if row.observed.verdict != "unknown"]
    cells = [(positive(row.expected), positive(row.observed)) for row in answered]
    hit, false = cells.count((True, True)), cells.count((False, True))
    missed, clear = cells.count((True, False)), cells.count((False, False))
    truths = sum(positive(row.expected) for row in rows)
    return {
        "true_positive": hit,
        "false_positive": false,
        "true_negative": clear,
        "false_negative": missed,
        "unknown": len(rows) - len(answered),
        "precision": Rate(hit, hit + false).to_json(),
        "recall": Rate(hit, hit + missed).to_json(),
        "recall_all": Rate(hit, truths).to_json(),
        "accuracy": Rate(sum(row.correct for row in rows), len(rows)).to_json(),
        "mechanism": _mechanism(answered),
        "seconds": _seconds([row.t_end - row.t_start for row in answered]),
    }


def _mechanism(rows: Sequence[Row]) -> dict[str, Any]:
    """Compare mechanisms, with all their ancestors, over the rows positive in both.

    Precision and recall are micro-averaged: the nodes of all rows are pooled before dividing, n is
    that pool. Each row is `exact` (the same nodes), `under` (only true nodes, but not all) or
    `over` (some node that is not true: a wrong layer, or deeper than the truth).
    Limits:  a node and its ancestors are not independent, so these intervals are a little narrow.
    """
    pairs = [
        (prefixes(row.expected.mechanisms), prefixes(row.observed.mechanisms))
        for row in rows
        if positive(row.expected) and positive(row.observed)
    ]
    shared = sum(len(true & seen) for true, seen in pairs)
    return {
        "precision": Rate(shared, sum(len(seen) for _, seen in pairs)).to_json(),
        "recall": Rate(shared, sum(len(true) for true, _ in pairs)).to_json(),
        "exact": sum(seen == true for true, seen in pairs),
        "under": sum(seen < true for true, seen in pairs),
        "over": sum(not seen <= true for true, seen in pairs),
    }


def _seconds(values: Sequence[float]) -> dict[str, float | None]:
    """Return median and 95th percentile (nearest rank) of seconds per answered target."""
    if not values:
        return {"median": None, "p95": None}
    ordered = sorted(values)
    rank = ceil(0.95 * len(ordered)) - 1
    return {"median": round(median(ordered), 6), "p95": round(ordered[rank], 6)}


def score_document(
    *, scenario: str, seed: int, taxonomy: str, valid: bool, rows: Sequence[Row]
) -> dict[str, Any]:
    """Return the content of score.json; an invalid run has no rows and no summary."""
    return {
        "schema": SCHEMA,
        "scenario": scenario,
        "seed": seed,
        "valid": valid,
        "taxonomy": taxonomy,
        "rows": [row.to_json() for row in rows] if valid else [],
        "summary": summarise(rows) if valid else None,
    }


def run_status(*, valid: bool, rows: Sequence[Row]) -> int:
    """Return one run's exit status: 4 invalid, 1 some row is not correct, 0 all are."""
    if not valid:
        return 4
    return 0 if all(row.correct for row in rows) else 1


def exit_status(statuses: Iterable[int]) -> int:
    """Return the command's exit status: the highest of its runs' 4, 3, 1, 0."""
    return max(statuses, default=0)
