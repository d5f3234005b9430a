"""Be lucky in a repeatable way: a small generator whose whole state is one integer.

Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (OOPSLA 2014),
    https://doi.org/10.1145/2714064.2660195; the constants are those of `splitmix64`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15

T = TypeVar("T")


class Luck:
    """Draw numbers; the same seed draws the same ones on every machine and Python.

    Limits: not for cryptography. `certain` makes every chance come true and draws nothing for it.
    """

    __slots__ = ("_state", "_turns", "certain", "seed")

    def __init__(self, seed: int, *, certain: bool = False) -> None:
        self.seed = seed
        self._state = seed & _MASK
        self.certain = certain
        self._turns: dict[str, int] = {}

    def draw(self) -> int:
        """Return the next 64 bits."""
        self._state = (self._state + _GOLDEN) & _MASK
        z = self._state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)

    def fraction(self) -> float:
        """Return a number from 0 up to 1."""
        return (self.draw() >> 11) / (1 << 53)

    def fires(self, chance: float, *, certain: bool = True) -> bool:
        """Say whether something of this probability (0 to 1) happens now.

        `certain` False: it is drawn even where every chance shall come true.
        """
        return (certain and self.certain) or chance >= 1.0 or self.fraction() < chance

    def between(self, low: int, high: int) -> int:
        """Return an integer from `low` to `high`, both included."""
        return low if low >= high else low + self.draw() % (high - low + 1)

    def turn(self, name: str, low: int, high: int, step: int = 1) -> int:
        """Return the next integer of a cycle from `low` to `high`, which begins at `low`."""
        place = self._turns.get(name, 0)
        self._turns[name] = (place + step) % (high - low + 1)
        return low + place

    def pick(self, items: Sequence[T], count: int) -> tuple[T, ...]:
        """Return `count` different items in drawn order; all of them when there are no more."""
        rest = list(items)
        taken = [rest.pop(self.draw() % len(rest)) for _ in range(min(count, len(rest)))]
        return tuple(taken)
