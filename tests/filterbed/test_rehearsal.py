"""Engines that fail, lie or hang prove nothing, and are ended; what one does is read whole."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from filterbed.engine import Engines
from filterbed.pcapng import write
from filterbed.rehearsal import Act, Door, Laid, rehearse
from tests.filterbed.recording import POLICY, control, proof, question


def recorded(folder: Path) -> Door:
    write(folder / "door.pcapng", ("inside", "outside"), control().frames)
    (folder / "policy.json").write_text(json.dumps(POLICY))
    return Door("gfw", folder / "door.pcapng", folder / "policy.json")


def test_acts_are_read_with_whose_packet_drew_them(tmp_path: Path) -> None:
    said = [
        {"event": "matched", "n": 1},
        {"event": "dropped", "n": 2, "rule": "r", "trigger": {"tls.sni": "x"}, "residual": True},
    ]
    lines = "\n".join(map(json.dumps, said))
    frames = tuple(control().frames[:2])
    laid = Laid(frames, (("bj", "one"), ("bj", "two")))
    says = (sys.executable, "-c", f"print({lines!r})")
    policies = {"gfw": recorded(tmp_path).policy}
    with Engines(policies, ("alone",), work=tmp_path / "work", command=says) as engines:
        acts, wrong = rehearse({("gfw", "alone"): laid}, engines)
    assert wrong == {}
    assert acts == {("gfw", "alone"): [Act("gfw", ("bj", "two"), said[1])]}
    assert (
        str(acts["gfw", "alone"][0])
        == 'gfw dropped, rule r, trigger {"tls.sni": "x"}, from a memory'
    )


@pytest.mark.parametrize(
    ("program", "report"),
    [
        ("import sys; sys.exit('it broke')", "ended with status 1: it broke"),
        ("print('no json')", "gave an event that cannot be read, line 1"),
        ('print(\'{"event": "injected", "n": 999}\')', "there is no packet 999"),
        ('print(\'{"event": "dropped"}\')', "gave an event that cannot be read"),
    ],
)
def test_an_engine_that_fails_proves_nothing(tmp_path: Path, program: str, report: str) -> None:
    made = control()
    door = recorded(tmp_path)
    engine = (sys.executable, "-c", program)
    problems = proof(question(), made.measurements, door, tmp_path, engine)
    assert len(problems) == 2
    assert all("proof: box gfw: the engine" in p and report in p for p in problems)


def test_an_engine_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("filterbed.engine.DEADLINE", 0.2)
    door = recorded(tmp_path)
    engine = (sys.executable, "-c", "import time; time.sleep(60)")
    problems = proof(question(), {}, door, tmp_path, engine)
    assert all("did not finish" in problem for problem in problems)
    assert len(problems) == 2
