"""A run's directory: taken by one run alone, invalid until it is finished."""

from __future__ import annotations

import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from filterbed.rundir import RunDir, create

SCORE = {"schema": 1, "valid": True, "rows": [], "summary": {}}


#: What is not known before a run has ended.
UNKNOWN: dict[str, object] = {
    "seconds": None,
    "links": [],
    "sysctls": {},
    "timeline": [],
    "latency": {},
    "witnesses": {},
}


def test_a_fresh_run_says_that_it_was_interrupted(tmp_path: Path) -> None:
    made = create(tmp_path / "runs", "china-2010/december", {"schema": 1, "seed": 3})
    assert made.path == tmp_path / "runs" / "china-2010" / "december"
    assert made.read_json("run.json") == {
        "schema": 1,
        "seed": 3,
        "valid": False,
        "invalid_because": ["interrupted"],
        **UNKNOWN,
    }
    assert (made.path / "events.jsonl").read_text() == ""
    assert (made.path / "observations.jsonl").read_text() == ""
    assert made.capture.is_dir()
    assert made.logs.is_dir()


def test_a_taken_name_gets_a_number(tmp_path: Path) -> None:
    names = [create(tmp_path, "a/b", {}).path.name for _ in range(3)]
    assert names == ["b", "b-2", "b-3"]


def test_a_file_in_the_way_is_a_taken_name(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("mine")
    assert create(tmp_path, "b", {}).path.name == "b-2"
    assert (tmp_path / "b").read_text() == "mine"


@pytest.mark.parametrize("name", ["/etc/x", "../x", "a/../../x", "", ".", "a\0b"])
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="leads out of"):
        create(tmp_path / "runs", name, {})
    assert not (tmp_path / "runs").exists()


def _race(arguments: tuple[Path, int]) -> str:
    out, _ = arguments
    return create(out, "china/x", {}).path.name


def test_parallel_runs_never_share_a_directory(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(4, mp_context=spawn) as pool:
        names = list(pool.map(_race, [(tmp_path, n) for n in range(40)]))
    assert len(set(names)) == 40
    assert set(names) == {"x"} | {f"x-{n}" for n in range(2, 41)}


def test_finishing_makes_it_valid_or_says_why_not(tmp_path: Path) -> None:
    good = create(tmp_path, "good", {})
    good.finish({"seed": 1}, SCORE, invalid_because=[])
    found = {"seed": 1, "valid": True, "invalid_because": []}
    assert good.read_json("run.json") == {**UNKNOWN, **found}
    bad = create(tmp_path, "bad", {})
    bad.finish({}, {**SCORE, "valid": False}, invalid_because=["the censor died"])
    found = {"valid": False, "invalid_because": ["the censor died"]}
    assert bad.read_json("run.json") == {**UNKNOWN, **found}
    assert bad.read_json("score.json")["valid"] is False


def test_reasons_and_a_valid_score_do_not_go_together(tmp_path: Path) -> None:
    made = create(tmp_path, "x", {})
    with pytest.raises(ValueError, match="the censor died"):
        made.finish({}, SCORE, invalid_because=["the censor died"])
    assert made.read_json("run.json")["invalid_because"] == ["interrupted"]


def test_run_json_is_replaced_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill at any write leaves `interrupted`."""
    made = create(tmp_path, "x", {})
    written: list[str] = []
    real = RunDir.write_text

    def spy(self: RunDir, name: str, text: str) -> Path:
        written.append(name)
        return real(self, name, text)

    monkeypatch.setattr(RunDir, "write_text", spy)
    made.finish({}, SCORE, invalid_because=[])
    assert written == ["score.json", "run.json"]


def test_a_failed_write_leaves_the_old_file_and_no_draft(tmp_path: Path) -> None:
    made = create(tmp_path, "x", {})
    with pytest.raises(ValueError, match="Out of range float"):
        made.write_json("run.json", {"seconds": float("nan")})
    with pytest.raises(TypeError):
        made.write_lines("events.jsonl", [{"a": 1}, {"a": object()}])
    assert sorted(path.name for path in made.path.iterdir()) == [
        "capture", "events.jsonl", "logs", "observations.jsonl", "run.json",
    ]  # fmt: skip
    assert made.read_json("run.json")["valid"] is False


def test_lines_are_one_object_each_whatever_the_text(tmp_path: Path) -> None:
    made = create(tmp_path, "x", {})
    documents = [{"raw": "a\nb\u2028"}, {"raw": "\ud800 \x00"}]
    path = made.write_lines("observations.jsonl", documents)
    assert [json.loads(line) for line in path.read_text().split("\n")[:-1]] == documents


def test_captures_are_named_as_the_contract_says(tmp_path: Path) -> None:
    made = RunDir(tmp_path)
    assert made.door("gfw") == tmp_path / "capture" / "gfw.door.pcapng"
    assert made.wire("gfw", "gfw-eth0").name == "gfw-eth0.pcapng"
    assert made.wire("bj", "lo").name == "bj-lo.pcapng"
