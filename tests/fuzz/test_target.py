"""What the fuzzer is made of, and what it found, once more on every run."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from censor.engine.decision import Decision
from fuzz import __main__ as command
from fuzz import target as targets
from fuzz.boxes import POLICIES
from fuzz.conversation import arrivals
from fuzz.seed import REAL, conversations, damaged, packets, seeds
from fuzz.target import TARGETS, Broken, talk

#: Inputs that broke something once, by target.
FOUND = Path(__file__).parents[1] / "data" / "fuzz"


def test_what_it_starts_from_is_real_and_small() -> None:
    assert REAL.stat().st_size < 50_000
    assert len(packets()) > 100
    assert all(seeds(target) for target in TARGETS)


@pytest.mark.parametrize("target", TARGETS)
def test_real_packets_cut_and_spliced(target: str) -> None:
    luck, sources = Random(target), seeds(target)
    for one in sources:
        TARGETS[target](one)
    for _ in range(300):
        TARGETS[target](damaged(sources, luck)[: command.LONGEST])


@pytest.mark.parametrize("path", sorted(FOUND.glob("*")), ids=lambda path: path.name)
def test_what_was_found_stays_mended(path: Path) -> None:
    TARGETS[path.stem.partition("__")[0]](path.read_bytes())


@pytest.mark.parametrize("target", TARGETS)
@given(data=st.binary(max_size=400))
@settings(max_examples=60, deadline=None)
def test_arbitrary_bytes(target: str, data: bytes) -> None:
    TARGETS[target](data)


def test_conversations_reach_what_policies_do() -> None:
    """The seeds alone draw every kind of act; else fuzzing would begin far from them."""
    said = {
        event.event
        for one in conversations()
        for decision in talk(one)
        for event in decision.events
    }
    assert said >= {
        "matched", "injected", "dropped", "rewritten", "held", "residual", "malformed", "evicted",
    }  # fmt: skip


def test_all_policies_are_heard() -> None:
    assert {one[0] % len(POLICIES) for one in conversations()} == set(range(len(POLICIES)))


def test_time_only_grows() -> None:
    for one in conversations()[:20]:
        times = [arrival.now for arrival in arrivals(one[1:])]
        assert times == sorted(times)


def test_a_broken_law_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fuzzer that cannot fail finds nothing."""
    changes: dict[str, object] = {
        "MOST": -1,
        "ENGINE_WORDS": frozenset(),
        "_bounded": lambda engine, limits: targets._demand(False, "too many"),
    }
    for name, value in changes.items():
        with monkeypatch.context() as patch:
            patch.setattr(targets, name, value)
            with pytest.raises(Broken):
                TARGETS["engine"](conversations()[0])


def test_two_runs_that_differ_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    told = iter(([Decision()], []))
    monkeypatch.setattr(targets, "talk", lambda data: next(told))
    with pytest.raises(Broken, match="two runs differ"):
        TARGETS["engine-twice"](b"")


def test_the_command_counts_and_says_what_it_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "FOUND", tmp_path)
    assert command.main(["--blind", "--cases", "50", "stun"]) == 0
    assert "50 cases" in capsys.readouterr().out

    def broken(data: bytes) -> None:
        raise ValueError(data[:1].hex())

    monkeypatch.setitem(targets.TARGETS, "stun", broken)
    assert command.main(["--blind", "--cases", "50", "stun"]) == 1
    assert "ValueError" in capsys.readouterr().out
    assert (tmp_path / "stun-blind").exists()


def test_unknown_targets_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        command.main(["--blind", "stunn"])
    assert left.value.code == 2
    assert "stunn" in capsys.readouterr().err
