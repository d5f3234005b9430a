"""Rules that an earlier one always answers for are found; those that may get their turn are not."""

from __future__ import annotations

from typing import Any

import pytest

from censor.policy.loader import problems
from censor.policy.precedence import covers

NAME: dict[str, Any] = {"suffix": ["blocked.example"]}
TLS: dict[str, Any] = {"tls.sni": NAME}
PORT: dict[str, Any] = {"server.port": [443]}
DROP: dict[str, Any] = {"drop": "packet"}
RESET: dict[str, Any] = {"inject": "reset"}
ALLOW: dict[str, Any] = {"allow": True}
INVITE: dict[str, Any] = {"sip.method": ["INVITE"]}


def pair(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    rules = [{"id": "first", "then": DROP, **first}, {"id": "second", "then": DROP, **second}]
    return {"position": "in-path", "rules": rules}


@pytest.mark.parametrize(
    ("first", "second", "place"),
    [
        ({"when": TLS}, {"when": TLS}, 1),
        ({"when": {"tls": True}}, {"when": TLS}, 1),
        ({"when": TLS, "then": RESET}, {"when": {**TLS, **PORT}}, 1),
        ({"when": {"direction": "both", "tls": True}}, {"when": TLS}, 1),
        ({"when": TLS}, {"when": {"tls": True}, "then": ALLOW}, 0),
        ({"when": {}, "then": ALLOW}, {"when": TLS}, 1),
        ({"when": PORT}, {"when": {**PORT, **TLS}}, 1),
        ({"when": PORT, "then": [RESET, DROP]}, {"when": PORT}, 1),
    ],
)
def test_who_never_gets_a_turn(first: Any, second: Any, place: int) -> None:
    (problem,) = problems(pair(first, second))
    assert problem.path == ("rules", place, "when")
    assert ("second", "first")[place] in problem.expected


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"when": TLS}, {"when": {"tls": True}}),
        ({"when": TLS, "continue": True}, {"when": TLS}),
        ({"when": TLS, "chance": 0.5}, {"when": TLS}),
        ({"when": TLS, "chance": {"of": 0.5, "per": "flow"}}, {"when": TLS}),
        ({"when": {**TLS, **PORT}}, {"when": TLS}),
        ({"when": TLS, "then": ALLOW}, {"when": {"tls": True}}),
        ({"when": PORT, "then": RESET}, {"when": {**PORT, **TLS}}),
        ({"when": PORT, "then": {"drop": "packet", "toward": "client"}}, {"when": PORT}),
        ({"when": PORT, "then": {**DROP, "chance": 0.5}}, {"when": PORT}),
        ({"when": {**PORT, "tcp.flags": ["S"]}}, {"when": {**PORT, "tcp.flags": ["S"], **TLS}}),
        ({"when": {"tls": True}, "then": RESET}, {"when": {"tls.certificate": NAME}}),
        ({"when": INVITE, "then": RESET}, {"when": {**INVITE, "sip.status": ["2xx"]}}),
    ],
)
def test_who_may_get_one(first: Any, second: Any) -> None:
    assert problems(pair(first, second)) == []


def test_what_covers_what() -> None:
    assert covers({}, {})
    assert covers({"rtp": True}, {"rtp": True, **PORT})
    assert not covers({"rtp": True}, {"rtcp": True})
    assert not covers(PORT, {"server.port": [80]})
