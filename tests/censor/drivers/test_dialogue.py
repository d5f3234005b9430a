"""Requests and answers over pipes, whatever comes in."""

from __future__ import annotations

import io
import json
import os
from typing import Any

import pytest

from censor.drivers.dialogue import LIMIT, Dialogue


def talk(*chunks: bytes) -> tuple[list[str], list[Any], Dialogue]:
    answers = io.StringIO()
    read, write = os.pipe()
    dialogue = Dialogue(read, answers)
    words: list[str] = []
    try:
        for chunk in chunks:
            os.write(write, chunk)
            words += dialogue.read()
        os.close(write)
        while not dialogue.over:
            words += dialogue.read()
    finally:
        os.close(read)
    return words, [json.loads(line) for line in answers.getvalue().splitlines()], dialogue


def test_requests_come_line_by_line_however_they_are_cut() -> None:
    words, answers, _ = talk(b'{"do": "act', b'ive"}\n\n{"do": "idle"}\n{"do"', b': "stats"}\n')
    assert words == ["active", "idle", "stats"]
    assert answers == []


def test_the_end_of_input_is_a_request_to_stop() -> None:
    words, _, dialogue = talk(b'{"do": "stats"}\n{"do": "stop"')
    assert words == ["stats"]  # half a line is none
    assert dialogue.over


@pytest.mark.parametrize(
    "line", [b"stop", b"[]", b"5", b'{"do": 1}', b'{"do": ["stop"]}', b'{"d": "stop"}', b"\xff"]
)
def test_what_is_no_request_is_answered(line: bytes) -> None:
    words, (answer,), _ = talk(line + b"\n")
    assert words == []
    assert '{"do": "stop"}' in answer["error"]


def test_an_endless_line_is_not_kept() -> None:
    _, answers, dialogue = talk(*[b"x" * (LIMIT // 2)] * 5)
    assert answers
    assert len(dialogue._begun) <= LIMIT


def test_nobody_listening_is_a_request_to_stop() -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as answers:
        dialogue = Dialogue(0, answers)
        dialogue.answer({"ready": True})
        assert dialogue.over
        answers.flush = lambda: None  # type: ignore[method-assign]
        with pytest.raises(OSError, match="Broken pipe"):
            answers.close()
