"""Look names and texts up in lists, however long they are."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from censor.rule.pattern import Patterns

#: Parts up to this many are searched for one by one, which C does faster than anything.
SCANNED: Final = 64

#: Shapes of patterns that need no automaton: what they begin with, literally, what they end with.
#: Source: fact cn-sni-rst, whose rules have these shapes.
_SHAPE: Final = re.compile(
    r"(\^\((?:\?:)?\.\*\\\.\)\?|\((?:\?:)?\^\|\\\.\)|\((?:\?:)?\\\.\|\^\)|\^)?"
    r"((?:[A-Za-z0-9_-]|\\[.-])+)(\$)?\Z"
)


@dataclass(frozen=True, slots=True)
class Pieces:
    """Words by their length, to find those that stand at a place, or anywhere.

    A search costs one hash a place and length, whatever the number of words.
    """

    lengths: tuple[int, ...]
    words: frozenset[str]

    @classmethod
    def of(cls, words: Iterable[str]) -> Pieces:
        """Make it of words; empty ones are in everything."""
        kept = frozenset(words)
        return cls(tuple(sorted({len(word) for word in kept})), kept)

    def at(self, text: str, place: int) -> bool:
        """Say whether a word stands at a place."""
        words = self.words
        return any(text[place : place + length] in words for length in self.lengths)

    def ends(self, text: str) -> bool:
        """Say whether a text ends in a word."""
        size = len(text)
        words = self.words
        return any(text[size - n :] in words for n in self.lengths if n <= size)

    def within(self, text: str) -> bool:
        """Say whether a word is anywhere in a text."""
        if len(self.words) <= SCANNED:
            return any(word in text for word in self.words)
        return any(self.at(text, place) for place in range(len(text) + 1))


@dataclass(frozen=True, slots=True)
class Shaped:
    """What patterns ask for that are no more than words: see `_SHAPE`.

    heads: behind a dot or at the start. tails: at the end. starts: at the very start.
    """

    heads: Pieces | None = None
    tails: Pieces | None = None
    starts: Pieces | None = None
    patterns: Patterns | None = None

    def find(self, text: str) -> bool:
        """Say whether any of it is there."""
        if self.tails is not None and self.tails.ends(text):
            return True
        if self.starts is not None and self.starts.at(text, 0):
            return True
        if self.heads is not None:
            place = 0
            while True:
                if self.heads.at(text, place):
                    return True
                place = text.find(".", place) + 1
                if not place:
                    break
        return self.patterns is not None and self.patterns.find(text)


@dataclass(frozen=True, slots=True)
class Names:
    """A set of names: whole, with everything under them, by a part, or by a pattern.

    Whole and suffix lookups cost one hash a label however many names there are; `substring` is
    scanned, for censors that are documented to do so; `parts` are many of those. `case`: names
    differ by their case.
    """

    exact: frozenset[str] = frozenset()
    suffix: frozenset[str] = frozenset()
    substring: tuple[str, ...] = ()
    parts: Pieces | None = None
    shaped: Shaped | None = None
    case: bool = False

    def find(self, name: str) -> bool:
        """Say whether `name` (lower case unless `case`, no final dot) is in the set."""
        if name in self.exact:
            return True
        suffix = self.suffix
        if suffix:
            if name in suffix:
                return True
            at = name.find(".")
            while at >= 0:
                if name[at + 1 :] in suffix:
                    return True
                at = name.find(".", at + 1)
        for part in self.substring:
            if part in name:
                return True
        return (self.parts is not None and self.parts.within(name)) or (
            self.shaped is not None and self.shaped.find(name)
        )


@dataclass(frozen=True, slots=True)
class Texts:
    """What a text such as a path or a header may hold, in bytes, each as a character.

    case: a and A differ. decode: `%41` is A, once.
    """

    exact: frozenset[str] = frozenset()
    prefix: Pieces | None = None
    suffix: Pieces | None = None
    substring: Pieces | None = None
    patterns: Patterns | None = None
    case: bool = False
    decode: bool = False

    def find(self, text: bytes) -> bool:
        """Say whether a text is meant."""
        if self.decode and b"%" in text:
            text = unquote_to_bytes(text)
        seen = (text if self.case else text.lower()).decode("latin-1")
        return (
            seen in self.exact
            or (self.prefix is not None and self.prefix.at(seen, 0))
            or (self.suffix is not None and self.suffix.ends(seen))
            or (self.substring is not None and self.substring.within(seen))
            or (self.patterns is not None and self.patterns.find(seen))
        )


def shape(text: str) -> tuple[str, str, bool] | None:
    """Return a pattern's beginning ("", "^" or "."), its word, and whether it must end there;
    None if it takes more than looking for a word."""
    found = _SHAPE.match(text)
    if found is None:
        return None
    begin = found[1] or ""
    return "." if len(begin) > 1 else begin, found[2].replace("\\", ""), found[3] is not None
