"""Talk with whoever started the censor: lines of JSON, requests in, answers out."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any, Final, TextIO

#: What can be asked for.
WORDS: Final = ("active", "idle", "stats", "stop")

#: A request longer than this is refused, in bytes.
LIMIT: Final = 65_536


class Dialogue:
    """One end of two pipes. `over`: nobody listens any more, which is a request to stop."""

    def __init__(self, requests: int, answers: TextIO) -> None:
        self.descriptor = requests
        self.over = False
        self._answers = answers
        self._begun = b""

    def read(self) -> Iterator[str]:
        """Read once, and yield the requests that are complete; what is none is answered."""
        chunk = os.read(self.descriptor, LIMIT)
        if not chunk:
            self.over = True
            return
        *lines, self._begun = (self._begun + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                yield from self._word(line)
        if len(self._begun) > LIMIT:
            self._begun = b""
            self.answer({"error": f"a line of more than {LIMIT} bytes, expected {{'do': ...}}"})

    def answer(self, answer: Mapping[str, Any]) -> None:
        """Write an answer."""
        try:
            print(json.dumps(answer), file=self._answers, flush=True)
        except OSError:
            self.over = True

    def _word(self, line: bytes) -> Iterator[str]:
        try:
            word = json.loads(line)["do"]
        except (ValueError, TypeError, KeyError):
            word = None
        if word in WORDS:
            yield word
        else:
            found = line[:200].decode(errors="replace")
            expected = ", ".join(json.dumps({"do": one}) for one in WORDS)
            self.answer({"error": f"{found}: expected one of {expected}"})
