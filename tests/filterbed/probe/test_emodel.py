"""The E-model against values that were published."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterbed.probe.emodel import (
    BEST,
    CODECS,
    delay_impairment,
    equipment_impairment,
    inputs,
    mos,
    rating,
    score,
)


@pytest.mark.parametrize(
    ("r", "published"),
    # ITU-T G.107 (2015) Annex B, table B.1, and R 93.2 as its default value's MOS.
    [(93.2, 4.41), (90, 4.34), (80, 4.03), (70, 3.60), (60, 3.10), (50, 2.58), (0, 1), (100, 4.5)],
)
def test_score_of_a_rating(r: float, published: float) -> None:
    assert score(r) == pytest.approx(published, abs=0.011)


@pytest.mark.parametrize(("r", "bound"), [(-20, 1.0), (120, 4.5), (3, 1.0)])
def test_score_stays_on_the_scale(r: float, bound: float) -> None:
    assert score(r) == bound


@pytest.mark.parametrize(
    ("delay", "impairment"),
    # Idd computed by hand from G.107's equations 7-27 and 7-28.
    [(0, 0), (0.1, 0), (0.2, 3.04), (0.4, 24.07)],
)
def test_delay(delay: float, impairment: float) -> None:
    assert delay_impairment(delay) == pytest.approx(impairment, abs=0.01)


def test_delay_matters_little_below_150_ms_and_much_above_400() -> None:
    """G.114: most applications are unaffected below 150 ms; above 400 ms is unacceptable."""
    assert delay_impairment(0.15) < 1
    assert delay_impairment(0.4) > 20


@pytest.mark.parametrize(
    ("codec", "loss", "burst", "impairment"),
    [
        ("PCMU", 0, 1, 0), ("PCMU+PLC", 0.05, 1, 95 * 5 / 30.1), ("PCMU", 0.05, 1, 95 * 5 / 9.3),
        ("G729A", 0, 1, 11), ("G729A", 0.02, 1, 11 + 84 * 2 / 21), ("PCMU", 0.1, 2, 95 * 10 / 9.3),
    ],
)  # fmt: skip
def test_loss(codec: str, loss: float, burst: float, impairment: float) -> None:
    given_ = inputs(codec, loss=loss, delay=0, burst=burst)
    assert equipment_impairment(given_) == pytest.approx(impairment)


def test_a_perfect_line_is_the_default() -> None:
    given_ = inputs("PCMU", loss=0, delay=0.02)
    assert (rating(given_), mos(given_)) == (BEST, 4.41)


@given(st.sampled_from(sorted(CODECS)), st.floats(0, 1), st.floats(0, 1), st.floats(0, 3),
       st.floats(1, 20))  # fmt: skip
def test_more_loss_is_never_better(
    codec: str, one: float, other: float, delay: float, burst: float
) -> None:
    less, more = (
        mos(inputs(codec, loss=x, delay=delay, burst=burst)) for x in sorted((one, other))
    )
    assert 1 <= more <= less <= 4.5


@pytest.mark.parametrize(
    ("codec", "loss", "delay", "burst", "word"),
    [
        ("opus", 0, 0, 1, "expected one of PCMU"), ("PCMU", 1.1, 0, 1, "a share"),
        ("PCMU", -0.1, 0, 1, "a share"), ("PCMU", 0, -1, 1, "seconds from 0"),
        ("PCMU", 0, float("nan"), 1, "seconds from 0"), ("PCMU", 0, 0, 0, "a ratio above 0"),
    ],
)  # fmt: skip
def test_impossible_inputs(codec: str, loss: float, delay: float, burst: float, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        inputs(codec, loss=loss, delay=delay, burst=burst)


def test_inputs_are_stated() -> None:
    said = inputs("PCMU", loss=0.25, delay=0.14, burst=1.5).json()
    assert said == {
        "codec": "PCMU", "ie": 0, "bpl": 4.3, "loss": 0.25, "delay": 0.14, "burst": 1.5
    }  # fmt: skip
