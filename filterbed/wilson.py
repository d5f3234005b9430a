"""Give a proportion with the interval that a small sample honestly allows."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TypedDict

#: Two-sided 95 %: the 0.975 quantile of the standard normal distribution.
Z = 1.959963984540054


class RateDocument(TypedDict):
    """A rate as score.json writes it."""

    value: float | None
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Rate:
    """`hits` out of `n`; with n 0 nothing is known: no value, and the interval is [0, 1].

    Source:  Wilson, E. B., Probable inference, the law of succession, and statistical inference,
             Journal of the American Statistical Association 22 (1927).
    """

    hits: int
    n: int

    def __post_init__(self) -> None:
        if not 0 <= self.hits <= self.n:
            raise ValueError(f"{self.hits} out of {self.n} is no proportion: need 0 <= hits <= n")

    @property
    def value(self) -> float | None:
        """Return hits / n, None at n 0."""
        return self.hits / self.n if self.n else None

    @property
    def interval(self) -> tuple[float, float]:
        """Return Wilson's 95 % interval, always inside [0, 1] and around the value."""
        if not self.n:
            return 0.0, 1.0
        p, n = self.hits / self.n, self.n
        middle = (p + Z * Z / (2 * n)) / (1 + Z * Z / n)
        half = Z / (1 + Z * Z / n) * sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
        # The ends at 0 and n hits are exactly 0 and 1; floats miss them by an ulp.
        low = 0.0 if self.hits == 0 else max(0.0, middle - half)
        high = 1.0 if self.hits == n else min(1.0, middle + half)
        return low, high

    def to_json(self) -> RateDocument:
        """Return `{value, low, high, n}`, rounded to six places."""
        low, high = self.interval
        value = None if self.value is None else round(self.value, 6)
        return {"value": value, "low": round(low, 6), "high": round(high, 6), "n": self.n}
