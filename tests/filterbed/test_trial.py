"""Trials: what each of them says, and that none of them touches this machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from filterbed.trial import TRIALS, Trial, answer, attempt, last_line


def trial(command: str) -> Trial:
    return Trial("a trial", command, "warn", "means something", "a cure")


@pytest.mark.live
def test_answers_come_in_order_and_say_why() -> None:
    told = attempt([trial("true"), trial("echo one; echo two >&2; false"), trial("false")])
    assert [refusal for _, refusal in told] == [None, "two", "no reason given"]


@pytest.mark.live
def test_a_trial_changes_nothing_outside() -> None:
    names = os.listdir("/sys/class/net")
    host = os.uname().nodename
    told = attempt([trial("ip link add fb9 type veth peer name fb8 && hostname elsewhere")])
    assert told[0][1] is None
    assert os.listdir("/sys/class/net") == names
    assert os.uname().nodename == host


@pytest.mark.live
def test_every_trial_that_a_run_needs_succeeds_where_tests_run() -> None:
    told = attempt(TRIALS)
    assert [(t.name, why) for t, why in told if why and t.lacking == "missing"] == []


def test_names_are_unique_and_each_has_a_cure() -> None:
    assert len({t.name for t in TRIALS}) == len(TRIALS)
    assert all(t.cure and t.meaning for t in TRIALS)


def test_answer_of_a_program_that_is_not_there() -> None:
    status, text = answer(["/no/such/program"])
    assert status == -1
    assert "/no/such/program" in text


def test_answer_holds_both_outputs() -> None:
    assert answer(["sh", "-c", "echo a; echo b >&2; exit 7"]) == (7, "a\nb\n")


def test_answer_survives_any_bytes(tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(bytes(range(256)))
    status, text = answer(["cat", str(tmp_path / "noise")])
    assert status == 0
    assert "A" in text


@pytest.mark.parametrize(
    ("text", "line"), [("", "no reason given"), ("a\n b \n\n", "b"), ("\n", "no reason given")]
)
def test_last_line(text: str, line: str) -> None:
    assert last_line(text) == line
