"""Say what is wrong with a scenario: every problem of the file at once, each with its place."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from dataclasses import dataclass

#: A place inside the document: keys and list indices from the top.
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong, in the words its author needs.

    `line` and `column` count from 1. `found` is the offending value as written, `hint` what was
    probably meant; either is empty where there is nothing to say.
    """

    file: str
    line: int
    column: int
    path: Path
    expected: str
    found: str = ""
    hint: str = ""

    def __str__(self) -> str:
        found = f"found {self.found}; " if self.found else ""
        hint = f"; did you mean {self.hint}?" if self.hint else ""
        where = f"{self.file}:{self.line}:{self.column}"
        return f"{where}  {spell(self.path)}: {found}expected {self.expected}{hint}"


class ScenarioError(Exception):
    """A scenario that cannot be loaded; the fault is its author's. Holds every problem found."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(
            sorted(dict.fromkeys(problems), key=lambda p: (p.file, p.line, p.column))
        )
        super().__init__("\n".join(str(p) for p in self.problems))


def spell(path: Path) -> str:
    """Write a path the way a reader looks for it: `censors.gfw.rules[0].then`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step and all(c.isalnum() or c in "-_" for c in step):
            text += f".{step}" if text else step
        else:
            text += f"[{json.dumps(step, ensure_ascii=False)}]"
    return text or "(the whole file)"


def show(value: object, limit: int = 60) -> str:
    """Write a value as it might stand in the file, cut at `limit` characters."""
    text = value if isinstance(value, str) else _json(value)
    text = repr(text) if isinstance(value, str) else text
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _json(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return f"a {type(value).__name__}"


def nearest(word: object, choices: Iterable[str]) -> str:
    """Return the choice that was probably meant, quoted; empty when none is close."""
    close = difflib.get_close_matches(str(word), list(choices), n=1, cutoff=0.6)
    return repr(close[0]) if close else ""


def either(choices: Iterable[object], limit: int = 24) -> str:
    """List the choices as prose: `a, b or c`."""
    words = [str(c) for c in choices]
    if len(words) > limit:
        words = [*words[:limit], f"... ({len(words) - limit} more)"]
    return (
        " or ".join(filter(None, [", ".join(words[:-1]), *words[-1:]])) or "nothing (there is none)"
    )
