"""Estimate how a call sounds, by the E-model: from loss, burst and delay to a mean opinion score.

Simplified: all parameters of the room, the telephone and the line at G.107's defaults, so that the
rating without delay and loss is 93.2; loss by the effective equipment impairment, delay by Idd
alone (no echo). A score is an estimate of what people would say of such a line, not a measurement.

Source: ITU-T G.107 (2015), equations 7-27 to 7-29 and B-4; G.113 (2007) Appendix I, tables I.1 and
I.4, for the codecs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

#: R with every parameter at its default: Ro - Is.
BEST: Final = 93.2


@dataclass(frozen=True, slots=True)
class Codec:
    """A codec's equipment impairment (Ie) and its robustness to packet loss (Bpl)."""

    ie: float
    bpl: float


#: "+PLC": the receiver conceals lost packets (G.711 Appendix I); without, it plays silence.
CODECS: Final[Mapping[str, Codec]] = {
    "PCMU": Codec(0, 4.3),
    "PCMA": Codec(0, 4.3),
    "PCMU+PLC": Codec(0, 25.1),
    "PCMA+PLC": Codec(0, 25.1),
    "G729A": Codec(11, 19.0),
    "G723.1": Codec(15, 16.1),
    "GSM-EFR": Codec(5, 10.0),
}


@dataclass(frozen=True, slots=True)
class Inputs:
    """All that a score was computed from.

    `loss` is the share of packets that could not be played, 0 to 1; `delay` seconds from mouth to
    ear, one way; `burst` the burst ratio, 1 when losses fall independently.
    """

    codec: str
    ie: float
    bpl: float
    loss: float
    delay: float
    burst: float

    def json(self) -> dict[str, Any]:
        """Return the inputs for a measurement, rounded to what they mean."""
        return {
            key: round(value, 6) if isinstance(value, float) else value
            for key, value in asdict(self).items()
        }


def inputs(codec: str, *, loss: float, delay: float, burst: float = 1.0) -> Inputs:
    """Gather the inputs for a codec in the table; ValueError for values that cannot be."""
    if codec not in CODECS:
        raise ValueError(f"codec {codec!r}: expected one of {', '.join(CODECS)}")
    if not 0 <= loss <= 1:
        raise ValueError(f"loss {loss}: expected a share, 0 to 1")
    if not (delay >= 0 and burst > 0):
        raise ValueError(f"delay {delay}, burst {burst}: expected seconds from 0, a ratio above 0")
    return Inputs(codec, CODECS[codec].ie, CODECS[codec].bpl, loss, delay, burst)


def rating(given: Inputs) -> float:
    """Return the transmission rating R; above 0 it is at most 93.2, and it may be below 0."""
    return BEST - delay_impairment(given.delay) - equipment_impairment(given)


def delay_impairment(delay: float) -> float:
    """Return Idd for a one-way delay in seconds; nothing up to 100 ms (equations 7-27, 7-28)."""
    if delay <= 0.1:
        return 0.0
    x = math.log2(delay / 0.1)
    return float(25 * ((1 + x**6) ** (1 / 6) - 3 * (1 + (x / 3) ** 6) ** (1 / 6) + 2))


def equipment_impairment(given: Inputs) -> float:
    """Return Ie,eff: the codec's own impairment and what loss adds to it (equation 7-29)."""
    loss = 100 * given.loss
    if not loss:
        return given.ie
    return given.ie + (95 - given.ie) * loss / (loss / given.burst + given.bpl)


def score(r: float) -> float:
    """Turn a rating into a mean opinion score, 1 to 4.5 (equation B-4)."""
    if r <= 0:
        return 1.0
    if r >= 100:
        return 4.5
    return max(1.0, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)


def mos(given: Inputs) -> float:
    """Return the mean opinion score to two decimals: what the model is good for."""
    return round(score(rating(given)), 2)
