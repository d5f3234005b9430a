"""Whatever a tool prints gives exactly one observation per target and round."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterbed import observation
from filterbed.observation import Line, Observation, Reading, documents, read, split
from scenarios.model import Label
from scenarios.taxonomy import is_node

TARGETS = ["facebook", "skype", "control"]


def reading(data: bytes, targets: list[str] | None = None, **more: Any) -> Reading:
    lines = split([(5.0, data)])
    names = TARGETS if targets is None else targets
    return read(lines, names, started=1.0, ended=9.0, is_node=is_node, **more)


def one(line: bytes, target: str = "facebook") -> Observation:
    found = [seen for seen in reading(line).observations if seen.target == target]
    assert len(found) == 1
    return found[0]


def said(**answer: Any) -> bytes:
    return json.dumps({"target": "facebook", **answer}).encode() + b"\n"


# What is read


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        ({"verdict": "ok"}, Label("ok")),
        ({"verdict": "down"}, Label("down")),
        ({"verdict": "ok", "mechanisms": [], "locus": None}, Label("ok")),
        ({"verdict": "ok", "mechanisms": None, "detail": None, "round": None}, Label("ok")),
        ({"verdict": "blocked"}, Label("blocked", frozenset(), "network")),
        ({"verdict": "blocked", "locus": "unknown"}, Label("blocked", frozenset(), "unknown")),
        (
            {"verdict": "blocked", "mechanisms": ["dns.nxdomain", "dns"], "locus": "server_side"},
            Label("blocked", frozenset({"dns", "dns.nxdomain"}), "server_side"),
        ),
    ],
)
def test_good_answers(answer: dict[str, Any], label: Label) -> None:
    seen = one(said(**answer))
    assert (seen.label, seen.reason) == (label, None)


def test_the_tool_may_say_unknown() -> None:
    seen = one(said(verdict="unknown", detail="no route"))
    assert (seen.label.verdict, seen.reason) == ("unknown", "the tool said unknown")
    assert seen.detail == "no route"


def test_carriage_returns_blank_lines_and_chatter_do_no_harm() -> None:
    found = reading(b"\n\r\nstarting up ...\r\n" + said(verdict="ok").replace(b"\n", b"\r\n"))
    assert found.observations[0].label == Label("ok")
    assert [note.line for note in found.notes] == [1]
    assert found.notes[0].text.startswith("not JSON")
    assert found.notes[0].raw == "starting up ..."


def test_a_whole_object_without_a_line_end_counts() -> None:
    found = reading(said(verdict="ok").rstrip())
    assert found.observations[0].label == Label("ok")
    assert "no line end" in found.notes[0].text


def test_keys_without_a_meaning_are_noted() -> None:
    found = reading(said(verdict="ok", confidence=0.9))
    assert found.observations[0].label == Label("ok")
    assert "'confidence'" in found.notes[0].text


# What cannot be read makes the target unknown, with the reason


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (said(), "no verdict"),
        (said(verdict="censored"), "unknown verdict 'censored'"),
        (said(verdict=None), "unknown verdict None"),
        (said(verdict=["ok"]), "unknown verdict"),
        (said(verdict={}), "unknown verdict"),
        (said(verdict="OK"), "unknown verdict 'OK'"),
        (said(verdict="blocked", mechanisms=["dns.magic"]), "unknown mechanism 'dns.magic'"),
        (said(verdict="blocked", mechanisms=[""]), "unknown mechanism ''"),
        (said(verdict="blocked", mechanisms="dns"), "expected a list of words"),
        (said(verdict="blocked", mechanisms=[["dns"]]), "expected a list of words"),
        (said(verdict="blocked", locus="isp"), "unknown locus 'isp'"),
        (said(verdict="blocked", locus=["network"]), "unknown locus"),
        (said(verdict="ok", mechanisms=["dns"]), "with the verdict ok"),
        (said(verdict="down", locus="network"), "with the verdict down"),
        (said(verdict="ok", round=0), "round 0"),
        (said(verdict="ok", round=True), "round True"),
        (said(verdict="ok", round=1.0), "round 1.0"),
        (said(verdict="ok", round=10**400), "round 1000"),
        (said(verdict="ok", round="1"), "round '1'"),
        (said(verdict="ok") + said(verdict="down"), "contradictory"),
        (said(verdict="unknown") + said(verdict="down"), "contradictory"),
        (said(verdict="okay") + said(verdict="ok"), "contradictory"),
        (said(verdict="blocked") + said(verdict="blocked", mechanisms=["dns"]), "contradictory"),
    ],
)
def test_bad_answers_are_unknown(line: bytes, reason: str) -> None:
    found = reading(line)
    seen = found.observations[0]
    assert seen.label == Label("unknown")
    assert seen.reason is not None
    assert reason in seen.reason
    assert any(reason in note.text for note in found.notes)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"target": "facebook", "verdi', "half a line: not JSON"),
        (b'{"target": "facebook", "verdict": "\xff"}\n', "invalid UTF-8 at byte 35"),
        (b"facebook blocked\n", "not JSON"),
        (b'["facebook", "ok"]\n', "not an object"),
        (b'"facebook"\n', "not an object"),
        (b"null\n", "not an object"),
        (b'{"verdict": "ok"}\n', "no target"),
        (b'{"target": "faceb\\u00f6\\ud800k", "verdict": "ok"}\n', "unknown target 'faceb\\xf6"),
        (b'{"target": {"a": 1}, "verdict": "ok"}\n', "unknown target"),
        (b'{"target": "facebook", "verdict": "ok", "detail": NaN}\n', "NaN is no JSON number"),
        (b'{"target": "facebook", "verdict": "ok", "detail": -Infinity}\n', "-Infinity"),
        (b'{"target": "facebook", "verdict": "ok", "detail": 1e999}\n', "1e999 is too large"),
        (b'{"target": "facebook", "verdict": "ok", "verdict": "down"}\n', "stands twice"),
        (b'{"target": "facebook", "round": ' + b"9" * 5000 + b"}\n", "not JSON"),
        (b"[" * 100_000 + b"\n", "nested too deeply"),
        (b'{"a":' * 100_000 + b"\n", "nested too deeply"),
        (b'{"target": "facebook", "detail": "' + b"x" * (1 << 20) + b'"}\n', "longer than"),
        (b"\x00\x00\n", "not JSON"),
    ],
)
def test_unreadable_lines_leave_the_target_missing_and_say_so(line: bytes, reason: str) -> None:
    found = reading(line)
    seen = found.observations[0]
    assert seen.label == Label("unknown")
    assert seen.reason is not None
    assert seen.reason.startswith("missing: ")
    assert reason in found.notes[0].text
    assert "1 line could not be read; line 1: " in seen.reason
    assert reason in seen.reason


def test_silence_is_missing_and_says_how_the_tool_ended() -> None:
    found = reading(b"", end="stopped after 120 s")
    assert [seen.target for seen in found.observations] == TARGETS
    for seen in found.observations:
        assert seen.label == Label("unknown")
        assert seen.reason == "missing: the tool gave no answer (stopped after 120 s)"
        assert (seen.t_start, seen.t_end, seen.round) == (1.0, 9.0, 1)


def test_cut_output_is_a_reason() -> None:
    seen = reading(said(verdict="ok"), cut=True).observations
    assert seen[0].label == Label("ok")
    assert "its output was cut" in (seen[1].reason or "")


def test_equal_answers_twice_are_one_answer_and_a_note() -> None:
    found = reading(said(verdict="ok") * 3)
    assert found.observations[0].label == Label("ok")
    assert [note.text for note in found.notes] == ["target 'facebook', round 1: 3 equal answers"]


def test_every_target_is_asked_in_every_round_that_was_named() -> None:
    data = said(verdict="ok") + said(verdict="blocked", round=3)
    found = reading(data, ["facebook", "skype"])
    assert [(seen.target, seen.round, seen.label.verdict) for seen in found.observations] == [
        ("facebook", 1, "ok"),
        ("facebook", 3, "blocked"),
        ("skype", 1, "unknown"),
        ("skype", 3, "unknown"),
    ]


# Times


def test_an_answer_takes_from_the_answer_before_it() -> None:
    chunks = [
        (2.0, said(verdict="ok") + b'{"target": "skype", '),
        (4.0, b'"verdict": "ok"}\nnoise\n'),
        (5.0, b'{"target": "control", "verdict": "ok"}\n'),
    ]
    found = read(split(chunks), TARGETS, started=1.0, ended=9.0, is_node=is_node)
    assert [(seen.t_start, seen.t_end) for seen in found.observations] == [
        (1.0, 2.0),
        (2.0, 4.0),
        (4.0, 5.0),
    ]


# Bounds


def test_a_long_detail_is_shortened_and_an_object_kept_as_json() -> None:
    assert len(one(said(verdict="ok", detail="y" * 50_000)).detail or "") == 2_000
    assert one(said(verdict="ok", detail={"b": 1, "a": [2]})).detail == '{"a": [2], "b": 1}'


def test_of_a_flood_a_bounded_part_is_read_and_it_says_that_it_was_cut() -> None:
    found = reading(said(verdict="ok") + b"x\n" * (8 << 20))
    assert found.observations[0].label == Label("ok")
    assert len(found.notes) == observation.NOTES_LIMIT + 1
    assert "more notes were left out" in found.notes[-1].text
    assert "its output was cut" in (found.observations[1].reason or "")


def test_sixteen_mebibytes_without_a_line_end() -> None:
    found = reading(b"\xff" * (16 << 20))
    assert "longer than" in found.notes[0].text
    assert len(found.notes[0].raw) <= 4 * observation.RAW_LIMIT


# Any bytes


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_splitting_does_not_depend_on_the_reads(pieces: list[bytes]) -> None:
    together = [line.data for line in split([(1.0, b"".join(pieces))])]
    assert [line.data for line in split([(1.0, piece) for piece in pieces])] == together


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
answers = st.fixed_dictionaries(
    {},
    optional={
        "target": st.sampled_from([*TARGETS, "else"]) | json_values,
        "verdict": st.sampled_from(["ok", "down", "blocked", "unknown", "?"]) | json_values,
        "mechanisms": st.lists(st.sampled_from(["dns", "dns.nxdomain", "no"])) | json_values,
        "locus": st.sampled_from(["network", "server_side", "isp"]) | json_values,
        "detail": json_values,
        "round": st.integers(-1, 3) | json_values,
    },
).map(lambda value: json.dumps(value).encode())


@given(st.lists(answers | st.binary(max_size=40), max_size=12), st.booleans(), st.booleans())
def test_any_output_gives_one_observation_per_target_and_round(
    pieces: list[bytes], ended: bool, cut: bool
) -> None:
    found = reading(b"\n".join(pieces) + b"\n" * ended, cut=cut)
    keys = [(seen.target, seen.round) for seen in found.observations]
    rounds = sorted({turn for _, turn in keys})
    assert keys == [(target, turn) for target in TARGETS for turn in rounds]
    for seen in found.observations:
        assert (seen.label.verdict == "unknown") == (seen.reason is not None)
        assert seen.label.verdict == "blocked" or seen.label == Label(seen.label.verdict)
        assert (seen.label.locus is not None) == (seen.label.verdict == "blocked")
        assert all(is_node(word) for word in seen.label.mechanisms)
    for document in documents(found, vantage="bj", probe="tool"):
        assert json.loads(json.dumps(document, allow_nan=False)) == document


@given(st.binary(max_size=300))
def test_any_bytes_behind_good_lines_do_not_change_them(junk: bytes) -> None:
    good = b"".join(
        json.dumps({"target": target, "verdict": "ok"}).encode() + b"\n" for target in TARGETS
    )
    found = reading(good + junk)
    assert [seen.label for seen in found.observations if seen.round == 1] == [Label("ok")] * 3


def test_documents_keep_the_lines_and_say_who_spoke() -> None:
    found = reading(said(verdict="blocked", mechanisms=["dns"], detail="why") + b"noise\n")
    seen, *_, note = documents(found, vantage="bj-cu", probe="mine")
    assert seen == {
        "kind": "observation",
        "vantage": "bj-cu",
        "probe": "mine",
        "target": "facebook",
        "round": 1,
        "verdict": "blocked",
        "mechanisms": ["dns"],
        "locus": "network",
        "reason": None,
        "detail": "why",
        "t_start": 1.0,
        "t_end": 5.0,
        "raw": [said(verdict="blocked", mechanisms=["dns"], detail="why").decode().strip()],
    }
    assert (note["kind"], note["line"], note["raw"]) == ("note", 2, "noise")


def test_lines_arrive_when_their_end_does() -> None:
    lines = split([(1.0, b"a"), (2.0, b"b\nc"), (3.0, b"")])
    assert lines == [Line(2.0, b"ab"), Line(3.0, b"c", whole=False)]
    assert all(first.at <= second.at for first, second in pairwise(lines))
