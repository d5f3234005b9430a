"""One direction of a call, put together from both ends."""

from __future__ import annotations

import pytest

from filterbed.probe.quality import Direction, complete, json, score


def test_loss_is_against_what_was_sent() -> None:
    found = complete(Direction(sent=100, received=70, longest_gap=0.1), below=10)
    assert (found.lost, found.tail) == (30, 20)
    assert found.longest_gap == pytest.approx(0.4)


def test_nothing_came() -> None:
    found = complete(Direction(sent=100, received=0), below=0)
    assert (found.lost, found.tail, found.longest_gap) == (100, 100, 2.0)
    assert score(found, "PCMU") == {"mos": None, "mos_inputs": None}


def test_the_sender_did_not_tell() -> None:
    found = complete(Direction(received=70), below=10)
    assert (found.lost, found.tail) == (10, None)
    assert score(found, "PCMU")["mos_inputs"]["loss"] == 0.125


def test_nothing_was_sent() -> None:
    assert complete(Direction(sent=0, received=0), below=0).longest_gap is None


def test_doubled_packets_are_no_negative_loss() -> None:
    assert complete(Direction(sent=9, received=10), below=0).lost == 0


def test_late_counts_as_lost_and_delay_is_mouth_to_ear() -> None:
    direction = Direction(sent=100, received=100, lost=0, late=10, delay=0.2, burst=2.0)
    found = score(direction, "PCMA")
    assert found["mos_inputs"] == {
        "codec": "PCMA", "ie": 0, "bpl": 4.3, "loss": 0.1, "delay": 0.32, "burst": 2.0
    }  # fmt: skip
    assert found["mos"] < 2


def test_json_names_everything() -> None:
    found = json(Direction(sent=1, received=1, lost=0, jitter=0.00012345678), "PCMU")
    assert found["jitter"] == 0.000123
    assert found["mos"] == 4.41
    assert found["delay"] is None
