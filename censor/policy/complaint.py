"""Say one thing that is wrong with a policy document, with its place and a guess."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a document: where, what was found, what was expected, and a guess.

    `path` is keys and indices from the document's root.
    """

    path: Path
    found: object
    expected: str
    hint: str | None = None

    @property
    def place(self) -> str:
        """Return the path as people write it: rules[0].then.ttl."""
        text = ""
        for part in self.path:
            if isinstance(part, int):
                text += f"[{part}]"
            elif "." in part:
                text += f"[{part}]" if text else part
            else:
                text += f".{part}" if text else part
        return text or "(the document)"

    def __str__(self) -> str:
        cure = f"; {self.hint}" if self.hint else ""
        return f"{self.place}: found {self.found!r}, expected {self.expected}{cure}"


def guess(value: object, words: Iterable[str]) -> str | None:
    """Say which word was probably meant."""
    close = get_close_matches(str(value), [word.strip() for word in words], n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else None
