"""What a policy may not ask for: every act in every position, in a memory, with `request`."""

from __future__ import annotations

from typing import Any

import pytest

from censor.policy.action import ACTS
from censor.policy.loader import load
from censor.policy.problem import problems

DNS = {"dns.name": {"suffix": ["a.example"]}}
SIP = {"sip.method": ["INVITE"]}
WEB = {"http": True}

#: Every act: the rule it stands in, how it is written, and whether an on-path box can do it.
TABLE: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "allow": ({}, {"allow": True}, True),
    "drop": ({}, {"drop": "packet"}, False),
    "reset": ({}, {"inject": "reset"}, True),
    "fin": ({}, {"inject": "fin"}, True),
    "syn-ack": ({"protocol": "tcp"}, {"inject": "syn-ack"}, True),
    "impostor": ({}, {"inject": "impostor"}, True),
    "probe": ({"tls": True}, {"inject": "probe", "from": ["9.9.9.9"]}, True),
    "dns-answer": (DNS, {"inject": "dns-answer", "empty": True}, True),
    "block-page": (WEB, {"inject": "block-page"}, True),
    "icmp-unreachable": ({}, {"inject": "icmp-unreachable"}, True),
    "sip-response": (SIP, {"inject": "sip-response"}, True),
    "sip-bye": (SIP, {"inject": "sip-bye"}, True),
    "sip-cancel": (SIP, {"inject": "sip-cancel"}, True),
    "intercept": ({"tls": True}, {"intercept": "tls"}, False),
    "police": ({}, {"police": "9 kbit/s"}, False),
    "shape": ({}, {"shape": "9 kbit/s"}, False),
    "delay": ({}, {"delay": "9 ms"}, False),
    "thin": ({}, {"thin": 0.5}, False),
    "cut": ({}, {"cut": {"packets": 1}}, False),
    "rewrite reset": ({}, {"rewrite": "reset"}, False),
    "rewrite packet": ({}, {"rewrite": "packet", "ttl": 3}, False),
    "rewrite dns-answer": (DNS, {"rewrite": "dns-answer", "empty": True}, False),
}


def document(position: str, when: dict[str, Any], *acts: dict[str, Any]) -> dict[str, Any]:
    return {"position": position, "rules": [{"id": "r", "when": when, "then": list(acts)}]}


def test_the_table_has_every_act() -> None:
    assert set(TABLE) == set(ACTS)


@pytest.mark.parametrize("word", TABLE)
@pytest.mark.parametrize("position", ["in-path", "on-path"])
def test_every_act_in_every_position(word: str, position: str) -> None:
    when, act, on_path = TABLE[word]
    found = problems(document(position, when, act))
    if position == "in-path" or on_path:
        assert found == []
        load(document(position, when, act))
        return
    (problem,) = found
    assert problem.path[:4] == ("rules", 0, "then", 0)
    assert "the position is on-path" in problem.expected
    assert "an in-path box may" in str(problem.hint)


@pytest.mark.parametrize("word", [word for word, (_, act, _) in TABLE.items() if "inject" in act])
def test_an_on_path_box_cannot_take_the_request_away(word: str) -> None:
    when, act, _ = TABLE[word]
    dropping = {**act, "request": "drop"}
    assert problems(document("in-path", when, dropping)) == []
    (problem,) = problems(document("on-path", when, dropping))
    assert problem.path[-1] == "request"
    assert "on-path" in problem.expected


@pytest.mark.parametrize("position", ["in-path", "on-path"])
@pytest.mark.parametrize("later", [{"drop": "packet"}, {"drop": "flow"}, {"inject": "reset"}])
def test_a_memory_cannot_do_more_than_its_box(position: str, later: dict[str, Any]) -> None:
    act = {"inject": "reset", "residual": {"seconds": 3, "then": later}}
    found = problems(document(position, {}, act))
    refused = position == "on-path" and "drop" in later
    assert [one.path[3:] for one in found] == ([(0, "residual", "then", "drop")] if refused else [])


def test_what_was_not_text_where_text_was_due() -> None:
    """Found by damaging policies: each of these was once a traceback."""
    for act, at in (
        ({"inject": "reset", "profile": {}}, "profile"),
        ({"drop": "flow", "residual": {"seconds": float("inf")}}, "seconds"),
        ({"police": float("inf")}, "police"),
        ({"police": "9 kbit/s", "burst": float("inf")}, "burst"),
    ):
        assert [one.path[-1] for one in problems(document("in-path", {}, act))] == [at]
    nothing = {"drop": "flow", "residual": {"seconds": 3, "then": None}}
    assert problems(document("in-path", {}, nothing)) == []
    pools = {
        **document("in-path", DNS, {"inject": "dns-answer", "addresses": "x"}),
        "pools": {1: []},
    }
    assert any("a pool: 1" in one.expected for one in problems(pools))


def test_a_pattern_that_only_looks_like_a_name_is_measured() -> None:
    long = {"regex": ["x" * 3000]}
    assert problems(document("in-path", {"tls.sni": long}, {"drop": "flow"})) == []
    (problem,) = problems(document("in-path", {"http.path": long}, {"drop": "flow"}))
    assert problem.path[-1] == 0
    assert "2000 steps" in problem.expected
