"""What must hold of every score, whatever a tool says."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from filterbed.score import (
    Row,
    correct,
    positive,
    prefixes,
    summarise,
)
from scenarios.model import Label, Locus

CELLS = ("true_positive", "false_positive", "true_negative", "false_negative", "unknown")
RATES = ("precision", "recall", "recall_all", "accuracy")
NODES = ["dns", "dns.nxdomain", "dns.injection", "dns.injection.other", "tls.reset.sni", "tls"]


LOCI: list[Locus | None] = ["network", "server_side", "client_side", "unknown", None]


blocks = st.builds(
    Label, st.just("blocked"), st.frozensets(st.sampled_from(NODES)), st.sampled_from(LOCI)
)


truths = st.sampled_from([Label("ok"), Label("down")]) | blocks


labels = truths | st.just(Label("unknown"))


pairs = st.lists(st.tuples(truths, labels), max_size=12)


def scored(found: list[tuple[Label, Label]]) -> list[Row]:
    return [Row("v", str(n), "p", 1, 0, n, *pair) for n, pair in enumerate(found)]


@given(pairs)
def test_every_row_is_in_one_cell_and_every_rate_in_bounds(
    found: list[tuple[Label, Label]],
) -> None:
    for result in summarise(scored(found)).values():
        assert sum(result[cell] for cell in CELLS) == len(found)
        kinds = ("exact", "under", "over")
        assert sum(result["mechanism"][kind] for kind in kinds) == result["true_positive"]
        for rate in [
            *(result[key] for key in RATES),
            result["mechanism"]["precision"],
            result["mechanism"]["recall"],
        ]:
            assert 0 <= rate["low"] <= (rate["value"] or 0) or rate["value"] is None
            assert (rate["value"] or 0) <= rate["high"] <= 1
            assert (rate["value"] is None) == (rate["n"] == 0)
        if result["recall"]["value"] is not None:
            assert result["recall_all"]["value"] <= result["recall"]["value"]
        json.dumps(result, allow_nan=False)


@given(truths)
def test_the_truth_and_all_its_prefixes_are_correct(truth: Label) -> None:
    assert correct(truth, truth)
    if truth.verdict == "blocked":
        assert correct(truth, Label("blocked", prefixes(truth.mechanisms), truth.locus))
        assert correct(truth, Label("blocked", frozenset(), truth.locus))


@given(truths, labels)
def test_a_correct_answer_claims_what_is_true(truth: Label, seen: Label) -> None:
    if correct(truth, seen):
        assert positive(truth) == positive(seen)
        assert seen.verdict != "unknown"
