"""Engines that get ready before their recordings: they wait, they answer, none is left."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from filterbed.engine import Engine, EngineError, Engines
from filterbed.header import raw
from filterbed.pcapng import Frame, write

POLICY = {
    "position": "in-path",
    "rules": [
        {"id": "all", "when": {"server.port": [7]}, "then": {"drop": "packet"}, "chance": 0.1}
    ],
}


def frames(count: int) -> list[Frame]:
    """Return datagrams to port 7, of 1,000 bytes each, from as many ports."""
    found = []
    for number in range(count):
        udp = (4000 + number).to_bytes(2, "big") + bytes.fromhex("000703e80000") + bytes(992)
        head = bytes.fromhex("450003fc0000000040110000")
        packet = head + raw("1.2.3.4") + raw("5.6.7.8") + udp
        found.append(Frame(number * 1_000_000, 0, packet, len(packet)))
    return found


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.json"
    path.write_text(json.dumps(POLICY))
    return path


def test_an_engine_waits_for_its_recording_and_every_chance_comes_true(
    tmp_path: Path, policy: Path
) -> None:
    with Engines({"box": policy}, ("one", "other"), work=tmp_path / "work") as engines:
        for way, count in (("one", 300), ("other", 2)):
            write(engines["box", way].recording, ("inside", "outside"), frames(count))
            engines["box", way].feed()
        for way, count in (("one", 300), ("other", 2)):
            told = [e["n"] for e in engines["box", way].events() if e["event"] == "dropped"]
            assert told == [*range(1, count + 1)]
    assert sorted(p.name for p in (tmp_path / "work").iterdir()) == sorted(
        f"box.{way}.{kind}" for way in ("one", "other") for kind in ("pcapng", "jsonl", "log")
    )


def test_engines_that_are_never_fed_end(tmp_path: Path, policy: Path) -> None:
    before = set(os.listdir("/proc/self/fd"))
    with Engines({"box": policy}, ("one", "other"), work=tmp_path) as engines:
        held = [engines["box", way]._process for way in ("one", "other")]
        assert [process.poll() for process in held] == [None, None]
    assert all(process.returncode is not None for process in held)
    assert set(os.listdir("/proc/self/fd")) == before


def test_one_that_takes_nothing_is_not_waited_for_longer_than_the_deadline(
    tmp_path: Path, policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("filterbed.engine.DEADLINE", 0.2)
    engine = Engine(policy, tmp_path / "box", (sys.executable, "-c", "import time; time.sleep(99)"))
    write(engine.recording, ("inside", "outside"), frames(300))  # more than a pipe holds
    engine.feed()
    with pytest.raises(EngineError, match="did not finish within"):
        engine.events()
    engine.end()


def test_one_that_cannot_be_started_leaves_none(tmp_path: Path, policy: Path) -> None:
    with pytest.raises(NotADirectoryError):
        Engines({"box": policy}, ("one",), work=policy / "work")
