"""Match regular expressions in linear time: a dialect that a finite automaton can decide.

Python's `re` goes back and tries again, so that one name can cost it years. Here every character
is looked at once, whatever the patterns are: states are made as they are needed, and kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

#: The most instructions of one pattern, and of all of a list; each costs about 200 bytes.
PATTERN_LIMIT: Final = 2_000
LIST_LIMIT: Final = 100_000

#: The most repetitions a pattern may count, and how deep its groups may lie.
REPEAT_LIMIT: Final = 100
DEPTH_LIMIT: Final = 20

#: Transitions kept before the automaton begins anew; a list of names rarely needs a tenth.
CACHE_LIMIT: Final = 100_000

_CLASSES: Final = {
    "d": frozenset("0123456789"),
    "w": frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"),
    "s": frozenset(" \t\n\r\f\v"),
}
_SPECIAL: Final = frozenset("\\^$.|?*+()[]{}")
_REFUSED: Final = {
    "(?=": "lookahead", "(?!": "lookahead", "(?<": "lookbehind or a named group",
    "(?P": "a named group", "(?i": "a flag (lists ignore case unless `case: true`)",
}  # fmt: skip


class PatternError(ValueError):
    """A pattern that cannot be used: what in it, where, and what may stand there."""


@dataclass(frozen=True, slots=True)
class Chars:
    """One character out of (`negated`: but) a set."""

    chars: frozenset[str]
    negated: bool = False

    def holds(self, char: str) -> bool:
        """Say whether a character is meant."""
        return (char in self.chars) is not self.negated


#: What one step of an automaton does: read a character, go two ways, or assert an edge.
Step = Chars | tuple[int, int] | str
_START: Final = "^"
_END: Final = "$"
_MATCH: Final = "match"


class _Parser:
    """Turns one pattern into steps, appended to a list that all patterns of a list share."""

    def __init__(self, text: str, steps: list[Step], ignore_case: bool) -> None:
        self._text = text
        self._place = 0
        self._steps = steps
        self._limit = len(steps) + PATTERN_LIMIT
        self._lower = ignore_case

    def parse(self) -> int:
        """Append the pattern's steps; return the first. Every other one follows by its place."""
        begin = len(self._steps)
        self._alternatives(0)
        if self._place < len(self._text):
            self._fail("')' that closes nothing")
        self._emit(_MATCH)
        return begin

    def _fail(self, what: str) -> None:
        raise PatternError(f"{what} at character {self._place + 1} of {self._text!r}")

    def _emit(self, step: Step) -> int:
        if len(self._steps) >= self._limit:
            self._fail(f"more than {PATTERN_LIMIT} steps, which is too long a pattern,")
        self._steps.append(step)
        return len(self._steps) - 1

    def _peek(self) -> str:
        return self._text[self._place : self._place + 1]

    def _alternatives(self, depth: int) -> None:
        """Read a|b|c. A branch is a split, then a jump over the others."""
        if depth > DEPTH_LIMIT:
            self._fail(f"groups more than {DEPTH_LIMIT} deep")
        begin = len(self._steps)
        self._sequence(depth)
        ends = []
        while self._peek() == "|":
            self._place += 1
            self._insert(begin, 1)
            ends.append(self._emit((0, 0)))
            self._steps[begin] = (begin + 1, len(self._steps))
            begin = len(self._steps)
            self._sequence(depth)
        for end in ends:
            self._steps[end] = (len(self._steps), len(self._steps))

    def _sequence(self, depth: int) -> None:
        while (char := self._peek()) and char not in "|)":
            begin = len(self._steps)
            self._one(char, depth)
            self._repeat(begin)

    def _one(self, char: str, depth: int) -> None:
        """Read one character, class, edge or group."""
        text = self._text
        if char in (_START, _END):
            self._place += 1
            self._emit(char)
        elif char == "(":
            opening = text[self._place : self._place + 3]
            if opening in _REFUSED:
                self._fail(f"{_REFUSED[opening]}, which no linear matcher has,")
            if opening[1:2] == "?" and opening != "(?:":
                self._fail("a '(?' group other than '(?:'")
            self._place += 3 if opening == "(?:" else 1
            self._alternatives(depth + 1)
            if self._peek() != ")":
                self._fail("a '(' that is never closed,")
            self._place += 1
        elif char == "[":
            self._emit(self._set())
        elif char == ".":
            self._place += 1
            self._emit(Chars(frozenset("\n"), True))
        elif char == "\\":
            self._emit(self._escaped())
        elif char in _SPECIAL:
            self._fail(f"{char!r} with nothing before it")
        else:
            self._place += 1
            self._emit(self._chars({char}))

    def _chars(self, chars: Iterable[str], negated: bool = False) -> Chars:
        if self._lower:
            return Chars(frozenset(char.lower() for char in chars), negated)
        return Chars(frozenset(chars), negated)

    def _escaped(self) -> Chars:
        char = self._text[self._place + 1 : self._place + 2]
        if char.lower() in _CLASSES:
            self._place += 2
            return self._chars(_CLASSES[char.lower()], char.isupper())
        if not char or char.isalnum():
            self._fail(f"'\\{char}', where \\d \\w \\s \\D \\W \\S or an escaped sign may stand,")
        self._place += 2
        return self._chars({char})

    def _set(self) -> Chars:
        """Read [a-z0-9] or [^...]."""
        self._place += 1
        negated = self._peek() == "^"
        self._place += negated
        chars: set[str] = set()
        first = True
        while (char := self._peek()) != "]" or first:
            first = False
            if not char:
                self._fail("a '[' that is never closed,")
            low = self._member(chars)
            following = self._text[self._place + 1 : self._place + 2]
            if low and self._peek() == "-" and following not in ("]", ""):
                self._place += 1
                high = self._member(chars)
                if not high or not 0 <= ord(high) - ord(low) <= 0x100:
                    self._fail("a range that does not run upward, or over more than 256,")
                chars.update(map(chr, range(ord(low), ord(high) + 1)))
        self._place += 1
        return self._chars(chars, negated)

    def _member(self, chars: set[str]) -> str:
        """Read one member of a set; return it if it is a single character."""
        if self._peek() != "\\":
            char = self._peek()
            self._place += 1
            chars.add(char)
            return char
        escaped = self._escaped()
        if escaped.negated:
            self._fail("a negated class within a set")
        chars.update(escaped.chars)
        return next(iter(escaped.chars)) if len(escaped.chars) == 1 else ""

    def _repeat(self, begin: int) -> None:
        """Read *, +, ? or {m,n} behind what begins at a step, and repeat that."""
        char = self._peek()
        if not char or char not in "*+?{":
            return
        self._place += 1
        low, high = {"*": (0, None), "+": (1, None), "?": (0, 1), "{": (-1, 0)}[char]
        if low < 0:
            low, high = self._bounds()
        if self._peek() in ("*", "+", "?", "{") and self._peek():
            self._fail("a repetition of a repetition")
        body = self._steps[begin:]
        del self._steps[begin:]
        for _ in range(low):
            self._copy(body, begin)
        if high is None:
            here = self._emit((0, 0))
            self._copy(body, begin)
            self._emit((here, here))
            self._steps[here] = (here + 1, len(self._steps))
            return
        splits = []
        for _ in range(high - low):
            splits.append(self._emit((0, 0)))
            self._copy(body, begin)
        for split in splits:
            self._steps[split] = (split + 1, len(self._steps))

    def _bounds(self) -> tuple[int, int | None]:
        close = self._text.find("}", self._place)
        low, comma, high = self._text[self._place : max(close, self._place)].partition(",")
        if not low.isdecimal() or (high and not high.isdecimal()):
            self._fail("'{', where {m}, {m,} or {m,n} may stand,")
        most = int(low) if not comma else int(high) if high else None
        if int(low) > REPEAT_LIMIT or (most is not None and not int(low) <= most <= REPEAT_LIMIT):
            self._fail(f"a count that is not from 0 to {REPEAT_LIMIT}, the lower first,")
        self._place = close + 1
        return int(low), most

    def _copy(self, body: list[Step], origin: int) -> None:
        by = len(self._steps) - origin
        for step in body:
            self._emit(_moved(step, by))

    def _insert(self, begin: int, count: int) -> None:
        """Make room for a split before what begins at a step."""
        body = self._steps[begin:]
        del self._steps[begin:]
        self._emit((0, 0))
        for step in body:
            self._emit(_moved(step, count))


def _moved(step: Step, by: int) -> Step:
    return (step[0] + by, step[1] + by) if isinstance(step, tuple) else step


class _State:
    """A set of steps the automaton may be at; `match`: a pattern has matched, `ends`: one does
    if the text ends here."""

    __slots__ = ("ends", "match", "steps", "then")

    def __init__(self, steps: tuple[int, ...], match: bool, ends: bool) -> None:
        self.steps = steps
        self.match = match
        self.ends = ends
        self.then: dict[str, _State] = {}


class Patterns:
    """A list of patterns, searched for all at once.

    Limits: no lookaround, backreferences, flags, lazy or possessive repetition; `PATTERN_LIMIT`.
    Source: Thompson, "Regular expression search algorithm" (CACM 11(6), 1968).
    """

    __slots__ = ("_begin", "_first", "_kept", "_states", "_steps", "ignore_case", "texts")

    def __init__(self, texts: Iterable[str], *, ignore_case: bool = True) -> None:
        """Compile. Raises: PatternError."""
        self.texts = tuple(texts)
        self.ignore_case = ignore_case
        self._steps: list[Step] = []
        self._begin: list[int] = []
        for text in self.texts:
            self._begin.append(_Parser(text, self._steps, ignore_case).parse())
            if len(self._steps) > LIST_LIMIT:
                raise PatternError(f"more than {LIST_LIMIT} steps up to {text!r}, a list too long")
        self._states: dict[tuple[tuple[int, ...], bool, bool], _State] = {}
        self._kept = 0
        self._first = self._make(self._begin, True)

    def find(self, text: str) -> bool:
        """Say whether a pattern matches anywhere; with `ignore_case`, `text` is lower case."""
        state = self._first
        if state.match:
            return True
        for char in text:
            then = state.then.get(char)
            state = self._step(state, char) if then is None else then
            if state.match:
                return True
        return state.ends

    def _step(self, state: _State, char: str) -> _State:
        if self._kept >= CACHE_LIMIT:
            for one in self._states.values():
                one.then.clear()
            self._states.clear()
            self._kept = 0
        steps = self._steps
        reached = [
            place + 1
            for place in state.steps
            if isinstance(step := steps[place], Chars) and step.holds(char)
        ]
        then = self._make([*reached, *self._begin], False)
        state.then[char] = then
        self._kept += 1
        return then

    def _make(self, places: Iterable[int], start: bool) -> _State:
        kept = []
        match = ends = False
        for place in self._closure(places, start, False):
            if self._steps[place] == _MATCH:
                match = True
            else:
                kept.append(place)
        if not match:
            closed = self._closure(kept, start, True)
            ends = any(self._steps[place] == _MATCH for place in closed)
        key = (tuple(sorted(kept)), match, ends)
        return self._states.setdefault(key, _State(*key))

    def _closure(self, places: Iterable[int], start: bool, end: bool) -> Iterator[int]:
        """Follow splits and edges from some steps; yield those that wait for something."""
        todo = list(places)
        seen = set()
        while todo:
            place = todo.pop()
            if place in seen:
                continue
            seen.add(place)
            step = self._steps[place]
            if isinstance(step, tuple):
                todo += step
            elif step == _START:
                if start:
                    todo.append(place + 1)
            elif step == _END:
                if end:
                    todo.append(place + 1)
                else:
                    yield place
            else:
                yield place
