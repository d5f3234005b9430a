"""QUIC judged: silence by name, by everything, for everybody; and what is no silence."""

from __future__ import annotations

from typing import Any

import pytest

from filterbed.probe.initial import named, stalled
from filterbed.probe.judge import judge
from filterbed.probe.proof import wanted

PAGE = {
    "address": "1.1.1.1", "outcome": "ok", "status": 200, "location": None, "title": "A",
    "length": 9, "sha256": "x", "results": None, "server": "s", "first": 0.1, "after": "answer",
}  # fmt: skip
GONE = {**PAGE, "outcome": "timeout", "status": None, "title": None, "after": "request"}
OK = {"outcome": "ok"}
MUTE = {"outcome": "timeout"}
BY_NAME = {"other_name": OK, "same_name": MUTE}


def row(quic: str | None = "ok", page: Any = None, error: str | None = None) -> dict[str, Any]:
    """Build a measurement over QUIC; a page comes with a good handshake."""
    shaken = {"address": "1.1.1.1", "port": 443, "outcome": quic, "error": error}
    shaken |= {"after": "hello" if quic != "ok" else "answer", "seconds": 0.1}
    pages = [page or PAGE] if quic == "ok" else []
    part: dict[str, Any] = {"kind": "web", "dns": None, "tcp": [], "tls": [], "udp": []}
    return part | {
        "http": pages,
        "quic": [shaken] if quic else [],
        "sip": {"register": None, "call": None},
    }


@pytest.mark.parametrize(
    ("local", "control", "proof", "verdict", "mechanisms"),
    [
        (row(), row(), {}, "ok", ()),
        (row(), row("timeout"), {}, "ok", ()),
        (row("timeout"), row(), {}, "blocked", ("quic.timeout",)),
        (row("timeout"), row(), BY_NAME, "blocked", ("quic.timeout.sni",)),
        (row("timeout"), row(), {"other_name": MUTE, "same_name": MUTE}, "blocked",
         ("quic.timeout",)),
        (row("timeout"), row(), {"other_name": OK, "same_name": OK}, "blocked", ("quic.timeout",)),
        (row(page=GONE), row(), {}, "blocked", ("quic.timeout",)),
        (row(page=GONE), row(), BY_NAME, "blocked", ("quic.timeout.sni",)),
        (row(page={**GONE, "outcome": "reset"}), row(), {}, "blocked", ("quic",)),
        (row("refused"), row(), {}, "blocked", ("ip.unreachable",)),
        (row("alert"), row(), {}, "blocked", ("quic",)),
        (row("invalid", error="self-signed"), row(), {}, "blocked", ("quic",)),
        (row("timeout"), row("timeout"), {}, "down", ()),
        (row("refused"), row("refused"), {}, "down", ()),
        (row("invalid"), row("invalid"), {}, "down", ()),
        (row("timeout"), row("refused"), {}, "unknown", ()),
        (row(page=GONE), row(page=GONE), {}, "down", ()),
        (row(page={**PAGE, "status": 403, "title": "No"}), row(), {}, "blocked",
         ("http.error.geo",)),
    ],
)  # fmt: skip
def test_verdicts(local: Any, control: Any, proof: Any, verdict: str, mechanisms: Any) -> None:
    said = judge(local, control, proof)
    assert (said.verdict, said.mechanisms) == (verdict, mechanisms), said.detail


def test_a_good_certificate_makes_a_refusal_the_servers() -> None:
    said = judge(row(page={**PAGE, "status": 403, "title": "No"}), row(), {})
    assert said.locus == "server_side"


@pytest.mark.parametrize(
    ("local", "control", "expected"),
    [
        (row("timeout"), row(), {"other_name"}),
        (row(page=GONE), row(), {"other_name"}),
        (row("timeout"), row("timeout"), set()),
        (row("refused"), row(), set()),
        (row(), row(), set()),
        (row(page={**PAGE, "status": 403, "title": "No"}), row(), set()),
    ],
)
def test_only_silence_that_is_ours_alone_is_followed_up(
    local: Any, control: Any, expected: set[str]
) -> None:
    assert wanted(local, control) == expected


def test_silence_is_that_of_every_address() -> None:
    mixed = row("timeout")
    mixed["quic"].append({**mixed["quic"][0], "address": "1.0.0.1", "outcome": "refused"})
    assert not stalled(mixed)
    assert not stalled(row(None))


def test_a_name_needs_both_tries() -> None:
    assert named(BY_NAME)
    assert not named({"other_name": OK})
