"""Announcements of media: how long, how many, and of which ports."""

from __future__ import annotations

from censor.follow.announced import Announced

A, B = b"\x0a\0\0\1", b"\x0a\0\0\2"


def test_an_end_and_its_reports_are_remembered_for_a_while() -> None:
    known = Announced(life=60)
    assert known.add([(A, 6000)], 10.0) == []
    assert [known.holds((A, port), 69.9) for port in (5999, 6000, 6001, 6002)] == [
        False, True, True, False,
    ]  # fmt: skip
    assert not known.holds((B, 6000), 20.0)
    assert not known.holds((A, 6000), 70.0)


def test_an_announcement_made_again_lasts_longer() -> None:
    known = Announced(life=60)
    known.add([(A, 6000)], 0.0)
    known.add([(A, 6000)], 50.0)
    assert known.holds((A, 6000), 100.0)
    assert len(known) == 2


def test_the_oldest_goes_and_is_named() -> None:
    known = Announced(limit=4)
    known.add([(A, 6000), (A, 7000)], 0.0)
    assert known.add([(B, 6000)], 1.0) == [(A, 6000), (A, 6001)]
    assert len(known) == 4
    assert known.holds((A, 7000), 1.0)
    assert not known.holds((A, 6000), 1.0)


def test_what_is_over_makes_room_without_being_named() -> None:
    known = Announced(limit=2, life=5)
    known.add([(A, 6000)], 0.0)
    assert known.add([(B, 6000)], 9.0) == []
    assert len(known) == 2


def test_the_last_port_has_none_above_it() -> None:
    known = Announced()
    known.add([(A, 65535)], 0.0)
    assert len(known) == 1
