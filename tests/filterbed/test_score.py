"""Scores worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast, get_args

import pytest

from filterbed.score import (
    Row,
    correct,
    exit_status,
    label_text,
    run_status,
    score_document,
    summarise,
)
from filterbed.wilson import Rate
from scenarios.model import Label, Locus, Verdict

OK, DOWN, UNKNOWN = Label("ok"), Label("down"), Label("unknown")


def blocked(*mechanisms: str, locus: Locus | None = "network") -> Label:
    return Label("blocked", frozenset(mechanisms), locus)


#: Six targets: three blocked by the network, one refused by its server, one dead, one fine.
TRUTH = {
    "dns": blocked("dns.injection.other"),
    "sni": blocked("tls.reset.sni"),
    "page": blocked("http.blockpage", "dns.nxdomain"),
    "geo": blocked("http.redirect.geo", locus="server_side"),
    "dead": DOWN,
    "fine": OK,
}


def rows(observed: dict[str, Label], truth: dict[str, Label] | None = None) -> list[Row]:
    return [
        Row("bj", target, "tool", 1, 10.0 * n, 10.0 * n + n, expected, observed[target])
        for n, (target, expected) in enumerate((truth or TRUTH).items(), 1)
    ]


def summary(observed: dict[str, Label]) -> dict[str, Any]:
    return summarise(rows(observed))["tool"]


def counts(found: dict[str, Any]) -> tuple[int, ...]:
    keys = ("true_positive", "false_positive", "true_negative", "false_negative", "unknown")
    return tuple(found[key] for key in keys)


def rates(found: dict[str, Any]) -> dict[str, tuple[float | None, int]]:
    keys = ("precision", "recall", "recall_all", "accuracy")
    return {key: (found[key]["value"], found[key]["n"]) for key in keys}


# The five tools


def test_an_honest_tool() -> None:
    found = summary(TRUTH)
    assert counts(found) == (3, 0, 3, 0, 0)
    assert rates(found) == {
        "precision": (1.0, 3),
        "recall": (1.0, 3),
        "recall_all": (1.0, 3),
        "accuracy": (1.0, 6),
    }
    # Nodes with ancestors: dns 3, sni 3, page 2 + 2.
    assert found["mechanism"] == {
        "precision": Rate(10, 10).to_json(),
        "recall": Rate(10, 10).to_json(),
        "exact": 3,
        "under": 0,
        "over": 0,
    }
    # Seconds 1 to 6: the median lies between the third and the fourth; p95 is the slowest.
    assert found["seconds"] == {"median": 3.5, "p95": 6.0}


def test_a_tool_that_always_says_ok() -> None:
    found = summary(dict.fromkeys(TRUTH, OK))
    assert counts(found) == (0, 0, 3, 3, 0)
    assert rates(found) == {
        "precision": (None, 0),
        "recall": (0.0, 3),
        "recall_all": (0.0, 3),
        "accuracy": (round(1 / 6, 6), 6),
    }
    nothing = Rate(0, 0).to_json()
    assert found["mechanism"] == {
        "precision": nothing,
        "recall": nothing,
        "exact": 0,
        "under": 0,
        "over": 0,
    }


def test_a_tool_that_always_says_blocked() -> None:
    """Without locus and mechanism it claims the network, and naming no mechanism passes."""
    found = summary(dict.fromkeys(TRUTH, blocked(locus=None)))
    assert counts(found) == (3, 3, 0, 0, 0)
    assert rates(found) == {
        "precision": (0.5, 6),
        "recall": (1.0, 3),
        "recall_all": (1.0, 3),
        "accuracy": (0.5, 6),
    }
    assert found["mechanism"] == {
        "precision": Rate(0, 0).to_json(),
        "recall": Rate(0, 10).to_json(),
        "exact": 0,
        "under": 3,
        "over": 0,
    }


def test_a_tool_that_names_a_wrong_layer() -> None:
    """It finds what is blocked, so the detection rates are full; every positive row is wrong."""
    found = summary({**TRUTH, **dict.fromkeys(("dns", "sni", "page"), blocked("tcp.reset"))})
    assert counts(found) == (3, 0, 3, 0, 0)
    assert rates(found)["accuracy"] == (0.5, 6)
    assert found["mechanism"] == {
        "precision": Rate(0, 6).to_json(),
        "recall": Rate(0, 10).to_json(),
        "exact": 0,
        "under": 0,
        "over": 3,
    }


def test_a_tool_that_names_only_a_prefix() -> None:
    said = {"dns": blocked("dns"), "sni": blocked("tls.reset"), "page": blocked("http", "dns")}
    found = summary({**TRUTH, **said})
    assert counts(found) == (3, 0, 3, 0, 0)
    assert rates(found)["accuracy"] == (1.0, 6)
    # Said: 1 + 2 + 2 nodes, all true, of 10.
    assert found["mechanism"] == {
        "precision": Rate(5, 5).to_json(),
        "recall": Rate(5, 10).to_json(),
        "exact": 0,
        "under": 3,
        "over": 0,
    }


def test_a_silent_tool() -> None:
    found = summary(dict.fromkeys(TRUTH, UNKNOWN))
    assert counts(found) == (0, 0, 0, 0, 6)
    assert rates(found) == {
        "precision": (None, 0),
        "recall": (None, 0),
        "recall_all": (0.0, 3),
        "accuracy": (0.0, 6),
    }
    assert found["seconds"] == {"median": None, "p95": None}


# Other combinations


def test_a_server_side_block_called_a_network_block_is_a_false_positive() -> None:
    found = summary({**TRUTH, "geo": blocked("http.redirect.geo")})
    assert counts(found) == (3, 1, 2, 0, 0)
    assert rates(found)["accuracy"] == (round(5 / 6, 6), 6)


@pytest.mark.parametrize("locus", ["unknown", "server_side", "client_side"])
def test_a_network_block_laid_elsewhere_is_a_miss(locus: Locus) -> None:
    found = summary({**TRUTH, "dns": blocked("dns.injection.other", locus=locus)})
    assert counts(found) == (2, 0, 3, 1, 0)


def test_a_mechanism_deeper_than_the_truth_is_over_and_not_correct() -> None:
    truth = {"sni": blocked("tls.reset")}
    found = summarise(rows({"sni": blocked("tls.reset.sni")}, truth))["tool"]
    assert found["accuracy"]["value"] == 0
    assert found["mechanism"]["over"] == 1
    assert found["mechanism"]["precision"] == Rate(2, 3).to_json()
    assert found["mechanism"]["recall"] == Rate(2, 2).to_json()


def test_one_of_two_mechanisms_is_correct_and_under() -> None:
    assert correct(TRUTH["page"], blocked("http.blockpage"))
    found = summarise(rows({"page": blocked("http.blockpage")}, {"page": TRUTH["page"]}))["tool"]
    assert found["mechanism"]["under"] == 1


def test_a_right_and_a_wrong_mechanism_is_not_correct() -> None:
    assert not correct(TRUTH["dns"], blocked("dns", "tcp.reset"))


def test_a_prefix_means_whole_labels() -> None:
    assert not correct(blocked("tcp.reset"), blocked("tcp.res"))
    assert not correct(blocked("http.error.geo"), blocked("http.err"))
    assert correct(blocked("http.error.geo"), blocked("http.error"))


def test_no_mechanism_in_the_truth_allows_none() -> None:
    assert correct(blocked(), blocked())
    assert not correct(blocked(), blocked("dns"))


def test_down_is_not_ok() -> None:
    assert not correct(DOWN, OK)
    assert not correct(OK, DOWN)


def test_a_truth_is_never_unknown() -> None:
    with pytest.raises(ValueError, match="expected verdict is 'unknown'"):
        Row("bj", "x", "tool", 1, 0, 1, UNKNOWN, OK)


def test_probes_are_summarised_apart() -> None:
    first = rows(TRUTH)
    other = [
        Row(r.vantage, r.target, "other", 1, r.t_start, r.t_end, r.expected, OK) for r in first
    ]
    found = summarise([*other, *first])
    assert list(found) == ["other", "tool"]
    assert found["tool"] == summary(TRUTH)


def test_p95_is_the_nearest_rank() -> None:
    many = [Row("v", str(n), "p", 1, 0.0, float(n), OK, OK) for n in range(1, 101)]
    assert summarise(many)["p"]["seconds"] == {"median": 50.5, "p95": 95.0}


# Documents and statuses


def test_the_document_has_the_contracts_keys() -> None:
    found = score_document(scenario="a/b", seed=3, taxonomy="t", valid=True, rows=rows(TRUTH)[:1])
    summary_ = found.pop("summary")
    assert found == {
        "schema": "filterbed/score-1",
        "scenario": "a/b",
        "seed": 3,
        "valid": True,
        "taxonomy": "t",
        "rows": [
            {
                "vantage": "bj",
                "target": "dns",
                "probe": "tool",
                "round": 1,
                "t_start": 10.0,
                "t_end": 11.0,
                "expected": {
                    "verdict": "blocked",
                    "mechanisms": ["dns.injection.other"],
                    "locus": "network",
                },
                "observed": {
                    "verdict": "blocked",
                    "mechanisms": ["dns.injection.other"],
                    "locus": "network",
                },
                "correct": True,
            }
        ],
    }
    assert list(summary_) == ["tool"]
    assert set(summary_["tool"]["precision"]) == {"value", "low", "high", "n"}


def test_an_invalid_run_has_no_score() -> None:
    found = score_document(scenario="a", seed=0, taxonomy="t", valid=False, rows=rows(TRUTH))
    assert (found["valid"], found["rows"], found["summary"]) == (False, [], None)


def test_exit_statuses() -> None:
    good, bad = rows(TRUTH), rows(dict.fromkeys(TRUTH, UNKNOWN))
    assert run_status(valid=True, rows=good) == 0
    assert run_status(valid=True, rows=[*good, *bad]) == 1
    assert run_status(valid=False, rows=good) == 4
    assert exit_status([]) == 0
    assert exit_status([0, 1, 0]) == 1
    assert exit_status([1, 3, 0]) == 3
    assert exit_status([3, 4, 1]) == 4


def test_a_label_in_one_line() -> None:
    assert label_text(OK) == "ok"
    assert label_text(TRUTH["page"]) == "blocked dns.nxdomain http.blockpage (network)"


# The page

PAGE = Path(__file__).parents[2] / "docs" / "judging.md"


def page_label(cell: str) -> Label:
    verdict, *words = [word.strip("`") for word in cell.split()]
    loci = [cast(Locus, word) for word in words if word in get_args(Locus)]
    nodes = frozenset(words) - {*loci}
    return Label(cast(Verdict, verdict), nodes, loci[0] if loci else None)


def page_examples() -> list[tuple[str, str, bool]]:
    table = PAGE.read_text().split("| expected | observed | correct |\n|---|---|---|\n")[1]
    lines = table.split("\n\n")[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [(expected, observed, {"yes": True, "no": False}[right])
            for expected, observed, right in cells]  # fmt: skip


@pytest.mark.parametrize(("expected", "observed", "right"), page_examples())
def test_the_pages_examples(expected: str, observed: str, right: bool) -> None:
    assert correct(page_label(expected), page_label(observed)) is right


SAID = {
    "right about everything": TRUTH,
    "always `ok`": dict.fromkeys(TRUTH, OK),
    "always `blocked`": dict.fromkeys(TRUTH, blocked()),
    "`tcp.reset` for all three": {
        **TRUTH,
        **dict.fromkeys(("dns", "sni", "page"), blocked("tcp.reset")),
    },
    "`dns`; `tls.reset`; `dns`, `http`": {
        **TRUTH,
        "dns": blocked("dns"),
        "sni": blocked("tls.reset"),
        "page": blocked("dns", "http"),
    },
    "silent": dict.fromkeys(TRUTH, UNKNOWN),
}


@pytest.mark.parametrize("tool", SAID)
def test_the_pages_five_tools(tool: str) -> None:
    (line,) = [line for line in PAGE.read_text().splitlines() if line.startswith(f"| {tool} |")]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    found = summary(SAID[tool])
    assert tuple(map(int, cells[1].split())) == counts(found)
    for cell, key in zip(
        cells[2:6], ("precision", "recall", "recall_all", "accuracy"), strict=True
    ):
        hits, n = map(int, cell.split("/"))
        assert found[key] == Rate(hits, n).to_json()
    for word in cells[6].split(", ") if cells[6][-1].isdigit() else []:
        key, value = word.split()
        share = [int(number) for number in value.split("/")]
        wanted = Rate(*share).to_json() if len(share) == 2 else share[0]
        assert found["mechanism"][key] == wanted
