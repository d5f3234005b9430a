"""Lists and patterns of a document that cannot be used, each with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from censor.policy.problem import problems


def policy(when: Any) -> dict[str, Any]:
    return {"position": "in-path", "rules": [{"id": "r", "when": when, "then": {"drop": "flow"}}]}


@pytest.mark.parametrize(
    ("when", "path", "expected"),
    [
        ({"tls.sni": {"regex": ["ok", "(?=a)"]}}, ("tls.sni", "regex", 1), "lookahead"),
        ({"not": {"tls.sni": {"regex": ["a**"]}}}, ("not", "tls.sni", "regex", 0), "repetition"),
        (
            {"http.header": {"Cookie": {"regex": ["("]}}},
            ("http.header", "Cookie", "regex", 0),
            "closed",
        ),
        ({"tls.sni": {"suffix": {"file": "/none"}}}, ("tls.sni", "suffix", "file"), "No such file"),
        ({"server.address": {"file": "/none"}}, ("server.address", "file"), "No such file"),
        ({"tls.sni": {"exact": ["A"], "case": True}}, ("tls.sni", "case"), "false"),
        ({"http.path": {"prefx": []}}, ("http.path", "prefx"), "one of"),
        ({"quic.sni": {"exact": {"fil": "x"}}}, ("quic.sni", "exact", "fil"), "file"),
        ({"stun.method": ["bind"]}, ("stun.method", 0), "'binding'"),
        ({"client.port": "above"}, ("client.port",), "above server.port"),
        ({"tls.sni": {}, "quic.sni": {}}, (), "one protocol"),
        ({"rtcp": True, "stun": True}, (), "one protocol"),
        ({"rtp": False}, ("rtp",), "True"),
    ],
)
def test_each_is_found(when: Any, path: tuple[Any, ...], expected: str) -> None:
    found = {problem.path: problem for problem in problems(policy(when))}
    place = ("rules", 0, "when", *path)
    assert place in found, found
    assert expected in found[place].expected


def test_files_are_read_for_what_they_hold(tmp_path: Path) -> None:
    listed = tmp_path / "list"
    listed.write_text("a.example\n(?!x)\n")
    names = {"file": str(listed)}
    assert problems(policy({"tls.sni": {"exact": names}})) == []
    (wrong,) = problems(policy({"tls.sni": {"regex": names}}))
    assert wrong.path[-2:] == ("file", 1)
    (wrong,) = problems(policy({"server.address": names}))
    assert "a.example" in wrong.expected


def test_http_may_tell_cases_apart() -> None:
    assert problems(policy({"http.host": {"exact": ["A"], "case": True}})) == []
    assert problems(policy({"http.path": {"exact": ["A"], "case": True}})) == []
