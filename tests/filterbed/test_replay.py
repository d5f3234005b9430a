"""Replay says what it is given and what came of it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from filterbed import replay


def fake(monkeypatch: pytest.MonkeyPatch, statuses: dict[str, int]) -> list[dict[str, Any]]:
    """Stand in for the engine: note what it was given, end as `statuses` says for each box."""
    calls: list[dict[str, Any]] = []

    def run(argv: list[str], **more: Any) -> subprocess.CompletedProcess[bytes]:
        found = dict(zip(argv[6::2], argv[7::2], strict=True))
        given = {"capture": argv[5], **found}
        for name in ("--policy", "--events"):
            if name in given:
                given[name] = Path(given[name]).read_text()
        calls.append(given)
        return subprocess.CompletedProcess(argv, statuses.get(given.get("--box", ""), 0))

    monkeypatch.setattr("subprocess.run", run)
    return calls


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    events = [{"box": "one", "event": "started"}, {"box": "two", "event": "started"}]
    (tmp_path / "policy.json").write_text('{"one": {"rules": []}, "two": {"rules": [1]}}')
    (tmp_path / "run.json").write_text('{"seed": 7}')
    (tmp_path / "events.jsonl").write_text("".join(json.dumps(e) + "\n" for e in events))
    return tmp_path


@pytest.mark.parametrize(("status", "text"), [(0, "two: the same"), (1, "two: replay differs")])
def test_every_box_is_given_its_own_policy_and_events(
    finished: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    status: int,
    text: str,
) -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    calls = fake(monkeypatch, {"two": status})
    assert replay.main(finished, None) == status
    assert [json.loads(call["--policy"]) for call in calls] == [{"rules": []}, {"rules": [1]}]
    assert [json.loads(call["--events"])["box"] for call in calls] == ["one", "two"]
    assert {call["--seed"] for call in calls} == {"7"}
    assert calls[1]["capture"] == str(finished / "capture" / "two.door.pcapng")
    assert text in capsys.readouterr().out
    assert sorted(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("missing", ["policy.json", "run.json", "events.jsonl"])
def test_a_run_that_did_not_end_cannot_be_replayed(
    finished: Path, capsys: pytest.CaptureFixture[str], missing: str
) -> None:
    (finished / missing).unlink()
    assert replay.main(finished, None) == 2
    error = capsys.readouterr().err
    assert "no run that came to its end" in error
    assert missing in error


def test_a_run_without_boxes_has_nothing_to_replay(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (finished / "policy.json").write_text("{}")
    assert replay.main(finished, None) == 0
    assert "nothing to replay" in capsys.readouterr().out


def test_a_capture_needs_a_policy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capture = tmp_path / "trace.pcap"
    capture.touch()
    assert replay.main(capture, None) == 2
    assert "--policy" in capsys.readouterr().err
