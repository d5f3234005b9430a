"""How a tool's end is put into words."""

from __future__ import annotations

import pytest

from filterbed.stage.tool import Outcome


@pytest.mark.parametrize(
    ("status", "timed_out", "text"),
    [
        (0, False, None),
        (3, False, "exit status 3"),
        (139, False, "killed by signal 11"),
        (0, True, "stopped after 5 s"),
        (143, True, "stopped after 5 s"),
    ],
)
def test_the_end_of_a_tool_is_told(status: int, timed_out: bool, text: str | None) -> None:
    outcome = Outcome(started=10.0, ended=15.0, status=status, timed_out=timed_out)
    assert outcome.end == text
