"""Chat targets: what becomes of a message, and what is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scenarios.model import Label, Scenario

Load = Callable[..., Scenario]
Broken = Callable[..., list[str]]
SERVICES = """\
  tools: {kind: web, names: [tools.net], lists: {kept-back: [Falun], watched: [fever]}}
  friend: {kind: skype, part: peer, addresses: [80.160.91.11]}
  asleep: {kind: skype, part: peer, manner: silent}
  node: {kind: skype, part: supernode, addresses: [66.235.180.9]}
"""
TOM = "kind: chat, client: tom, filter: tools, peer: friend"
CLIENT_SIDE = "verdict: blocked, mechanisms: [app], locus: client_side"


@pytest.mark.parametrize(
    ("target", "word", "truth"),
    [
        (f"{{{TOM}, message: about falun, baseline: filtered}}", "filtered", CLIENT_SIDE),
        (f"{{{TOM}, message: a fever}}", "answers", "verdict: ok"),
        (f"{{{TOM}, message: supper}}", "answers", "verdict: ok"),
        ("{kind: chat, peer: friend, message: about falun}", "answers", "verdict: ok"),
        ("{kind: chat, peer: asleep, message: hi, baseline: silent}", "silent", "verdict: down"),
    ],
)
def test_what_becomes_of_a_message(load: Load, target: str, word: str, truth: str) -> None:
    scenario = load(
        ("targets:\n", f"{SERVICES}targets:\n"),
        ("pools:", f"  new: {target}\npools:"),
        ("truth:\n", f"truth:\n  - {{target: new, {truth}}}\n"),
    )
    assert set(scenario.targets[-1].baseline.values()) == {word}


def test_what_a_tool_is_told_and_what_the_placebo_keeps(load: Load) -> None:
    scenario = load(
        ("targets:\n", f"{SERVICES}targets:\n"),
        ("pools:", f"  new: {{{TOM}, message: about Falun, baseline: filtered}}\npools:"),
        ("truth:\n", f"truth:\n  - {{target: new, {CLIENT_SIDE}}}\n"),
    )
    assert scenario.targets[-1].public() == {
        "target": "new",
        "kind": "chat",
        "peer": "80.160.91.11",
        "message": "about Falun",
        "client": "tom",
        "filter": "tools.net",
    }
    (truth, *_) = [truth for (_, name), truth in scenario.truths.items() if name == "new"]
    assert truth.baseline == truth.label == Label("blocked", frozenset({"app"}), "client_side")


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("kind: chat, peer: frend, message: hi", "part peer: friend or asleep"),
        ("kind: chat, peer: node, message: hi", "part peer: friend or asleep"),
        ("kind: chat, client: tom, peer: friend, message: hi", "a filter where the client is tom"),
        ("kind: chat, filter: tools, peer: friend, message: hi", "none where it is not"),
        ("kind: chat, client: tom, filter: two, peer: friend, message: hi", "with lists: tools"),
        (f"{TOM}, message: about falun", "'filtered', which the services answer"),
        (f"kind: chat, peer: friend, message: {'x' * 501}", "1 to 500 bytes of text"),
    ],
)
def test_what_is_refused(broken: Broken, target: str, said: str) -> None:
    problems = broken(
        ("targets:\n", f"{SERVICES}targets:\n"),
        ("pools:", f"  new: {{{target}}}\npools:"),
        ("truth:\n", "truth:\n  - {target: new, verdict: ok}\n"),
    )
    assert any(said in problem for problem in problems), problems


def test_a_listed_word_that_a_configuration_would_misread(broken: Broken) -> None:
    services = SERVICES.replace("[Falun]", '["it\'s"]')
    problems = broken(("targets:\n", f"{services}targets:\n"))
    assert any("without quotes" in problem for problem in problems), problems
