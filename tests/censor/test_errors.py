"""Errors carry what their author needs."""

from __future__ import annotations

import pytest

from censor.errors import CensorError, MachineError, PolicyError


def test_a_policy_error_holds_every_problem() -> None:
    error = PolicyError(["rules[0]: no id", "rules[1]: no act"])
    assert error.problems == ("rules[0]: no id", "rules[1]: no act")
    assert str(error) == "rules[0]: no id\nrules[1]: no act"


def test_a_policy_error_takes_a_single_problem() -> None:
    assert PolicyError("no rules").problems == ("no rules",)


@pytest.mark.parametrize("error", [PolicyError("x"), MachineError("x")])
def test_one_base_catches_all(error: Exception) -> None:
    assert isinstance(error, CensorError)
