"""The command line: what it prints, and its exit statuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from censor.__main__ import main
from censor.drivers.capture import Door
from censor.wire import forge

ROOT = Path(__file__).parents[2]
POLICY = {
    "position": "on-path",
    "rules": [
        {"id": "port", "when": {"server.port": [80]}, "then": {"inject": "reset"}, "chance": 0.5}
    ],
}


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.json"
    path.write_text(json.dumps(POLICY))
    return path


@pytest.fixture
def door(tmp_path: Path) -> Path:
    one = Door(tmp_path / "door.pcapng", 1000)
    for n in range(1, 9):
        syn = forge.tcp(forge.Ip(bytes(4), bytes([8, 8, 8, 8])), forge.Tcp(n, 80, 1, 0, 2))
        one.write(1000 + n * 10**9, syn, inside=True, length=40)
    one.close()
    return tmp_path / "door.pcapng"


def test_check(policy: Path, tmp_path: Path, capsys: Any) -> None:
    assert main(["check", str(policy)]) == 0
    bad = tmp_path / "bad.yaml"
    bad.write_text("position: on-path\nrules: [{id: a, whne: {}}]\nlatency: soon\n")
    assert main(["check", str(policy), str(bad)]) == 2
    told = capsys.readouterr()
    assert f"{policy}: good" in told.out
    assert f"{bad}: rules[0].whne: found {{}}" in told.err
    assert "did you mean 'when'?" in told.err
    assert f"{bad}: latency: found 'soon'" in told.err
    assert main(["check", str(tmp_path / "nowhere")]) == 3


def test_replay_prints_events_as_lines(policy: Path, door: Path, capsys: Any) -> None:
    flags = ["replay", str(door), "--policy", str(policy), "--active", "--box", "gfw"]
    assert main([*flags, "--certain"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"] for line in lines[:3]] == ["policy", "matched", "injected"]
    assert {line["box"] for line in lines} == {"gfw"}
    assert len([line for line in lines if line["event"] == "matched"]) == 8
    assert main(flags) == 0
    fewer = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert 0 < len([line for line in fewer if line["event"] == "injected"]) < 16


def test_replay_compares(policy: Path, door: Path, tmp_path: Path, capsys: Any) -> None:
    assert main(["replay", str(door), "--policy", str(policy), "--active"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    started = {"t": 0.0, "event": "started", "epoch_ns": 1000, "seed": 0, "box": "replay"}
    log = tmp_path / "events.jsonl"
    log.write_text("".join(json.dumps(line) + "\n" for line in (started, *lines)))
    flags = ["replay", str(door), "--policy", str(policy), "--events", str(log)]
    assert main(flags) == 0
    assert "equal: 8 packets" in capsys.readouterr().out
    log.write_text("".join(json.dumps(line) + "\n" for line in (started, *lines[:-1])))
    assert main([*flags, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["equal"] is False
    assert told["logged"] is None
    assert told["replayed"] == lines[-1]


def test_bad_policies_and_usage_are_2(tmp_path: Path, door: Path, capsys: Any) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text('{"position": "under-path"}')
    assert main(["replay", str(door), "--policy", str(bad)]) == 2
    assert "position: found 'under-path'" in capsys.readouterr().err
    with pytest.raises(SystemExit) as caught:
        main(["replay"])
    assert caught.value.code == 2
    (tmp_path / "text").write_text("no capture")
    good = tmp_path / "good.json"
    good.write_text(json.dumps(POLICY))
    assert main(["replay", str(tmp_path / "text"), "--policy", str(good)]) == 2


@pytest.mark.parametrize("words", [[], ["run"], ["replay"], ["check"]])
def test_help(words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "censor", *words, "--help"],
        capture_output=True, text=True, check=False, cwd=ROOT, env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "exit status" in done.stdout
