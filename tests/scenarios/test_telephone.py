"""Who is to ring must be one that rings, and who is called one that does not."""

from __future__ import annotations

import pytest

from scenarios import schema, telephone
from scenarios.places import Places
from topologies.service import Sip

PHONE = Sip(
    "phone", "servers", ("sip.voice.net",), ("5.9.1.1",), (("bob", "x"),),
    conducts=(("+4930120", "calls-back"),), numbers=("+4930120", "+4930121"),
)  # fmt: skip


def problems(**said: str) -> list[str]:
    said |= {"kind": "call", "registrar": "sip.voice.net"}
    target = schema.CallTarget.model_validate(said)
    found = telephone.client(target, ("targets", "x"), Places("f.yaml", {}))
    return [problem.expected for problem in found]


def test_baresip_calls_without_help_and_is_not_called() -> None:
    assert problems(client="baresip") == []
    assert problems(client="sipp", stun="stun.net", turn="turn.net", direction="in") == []
    (one,) = problems(client="baresip", turn="turn.net")
    assert "has no turn" in one
    (one,) = problems(client="baresip", direction="in")
    assert "is not called here" in one


@pytest.mark.parametrize(
    ("direction", "callee", "expected"),
    [
        ("in", "004930120", None),
        ("out", "+4930121", None),
        (None, "echo", None),
        ("in", "+4930121", "calls back (+4930120)"),
        ("in", "echo", "calls back (+4930120)"),
        (None, "4930120", "direction: in"),
    ],
)
def test_direction(direction: str | None, callee: str, expected: str | None) -> None:
    said = {"kind": "call", "registrar": "sip.voice.net", "direction": direction, "callee": callee}
    target = schema.CallTarget.model_validate(said)
    found = [*telephone.direction(target, PHONE, ("targets", "x"), Places("f.yaml", {}))]
    assert len(found) == (expected is not None)
    assert all(expected in problem.expected for problem in found if expected)
