"""Luck: repeatable everywhere, and fair enough."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from censor.rule.luck import Luck


def test_draws_what_the_published_generator_draws() -> None:
    # The first outputs of splitmix64 for the seed 1234567 (Rosetta Code, "Splitmix64").
    luck = Luck(1234567)
    assert [luck.draw() for _ in range(5)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


@given(st.integers(0, 1000), st.integers(0, 1000), st.integers())
def test_between_stays_between(low: int, high: int, seed: int) -> None:
    value = Luck(seed).between(low, high)
    assert value == low if low >= high else low <= value <= high


@given(st.lists(st.integers(), unique=True, max_size=9), st.integers(0, 12), st.integers())
def test_picks_different_items(items: list[int], count: int, seed: int) -> None:
    picked = Luck(seed).pick(items, count)
    assert len(picked) == min(count, len(items))
    assert len(set(picked)) == len(picked)
    assert set(picked) <= set(items)


def test_chances_come_true_about_as_often_as_they_say() -> None:
    luck = Luck(1)
    fired = Counter(luck.fires(0.25) for _ in range(10_000))
    assert 2300 < fired[True] < 2700
    assert not any(luck.fires(0.0) for _ in range(1000))
    assert all(luck.fires(1.0) for _ in range(1000))


def test_certain_luck_always_fires_and_draws_nothing_for_it() -> None:
    sure, plain = Luck(5, certain=True), Luck(5)
    assert all(sure.fires(0.001) for _ in range(100))
    assert sure.draw() == plain.draw()
