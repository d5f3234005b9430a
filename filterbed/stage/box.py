"""Drive one censor's process: lines of JSON in, lines of JSON out (docs/design.md)."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from topologies.network import Network
from topologies.plan import Box

#: How long the censor may take to answer a request before it counts as dead.
ANSWER_SECONDS = 10.0


class BoxError(Exception):
    """The censor did not start, died, or stopped answering; holds its last words."""


class BoxProcess:
    """A running `python -m censor run` in its box's network."""

    def __init__(
        self,
        network: Network,
        box: Box,
        name: str,
        directory: Path,
        *,
        number: int,
        seed: int,
        clock_rate: float,
    ) -> None:
        self.name = name
        self.node = box.node
        self.events = directory / f".{name}.events.jsonl"
        self.log = directory / "logs" / f"censor-{name}.log"
        sides = ["--inside", *box.inside, "--outside", *box.outside]
        argv = [
            sys.executable, "-P", "-m", "censor", "run",
            "--policy", str(directory / f".{name}.policy.json"),
            "--queue", str(number), *sides,
            "--events", str(self.events),
            "--door", str(directory / "capture" / f"{name}.door.pcapng"),
            "--seed", str(seed), "--clock-rate", repr(clock_rate), "--box", name,
        ]  # fmt: skip
        with open(self.log, "wb") as log:
            self.process = network.popen(
                box.node, argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
            )
        self._buffer = b""
        self._silent = False
        self._turn = threading.Lock()  # one question at a time

    def ready(self) -> None:
        """Wait until it records and would act."""
        answer = self._answer()
        if not answer.get("ready"):
            raise BoxError(f"the censor at {self.name} said {answer}; {self.last_words()}")

    def request(self, word: str) -> Mapping[str, Any]:
        """Ask for `active`, `idle`, `stats` or `stop` and return the answer."""
        with self._turn:
            return self._request(word)

    def _request(self, word: str) -> Mapping[str, Any]:
        if self._silent:
            raise BoxError(f"the censor at {self.name} does not answer; {self.last_words()}")
        if self.process.stdin is None:
            raise BoxError(f"the censor at {self.name} has no way in")
        try:
            self.process.stdin.write(json.dumps({"do": word}).encode() + b"\n")
            self.process.stdin.flush()
        except OSError as error:
            raise BoxError(f"the censor at {self.name} is dead; {self.last_words()}") from error
        answer = self._answer()
        if "error" in answer:
            raise BoxError(f"the censor at {self.name}: {answer['error']}")
        return answer

    def alive(self) -> bool:
        """Say whether its process still runs."""
        return self.process.poll() is None

    def last_words(self) -> str:
        """Return how it ended and the last lines of its log."""
        status = self.process.poll()
        state = "it still runs" if status is None else f"exit {status}"
        text = self.log.read_text("utf-8", "replace").strip()
        return f"{state}; its log ends: {' / '.join(text.splitlines()[-6:]) or '(empty)'}"

    def _answer(self) -> dict[str, Any]:
        if self.process.stdout is None:
            raise BoxError(f"the censor at {self.name} has no way out")
        fd = self.process.stdout.fileno()
        deadline = time.monotonic() + ANSWER_SECONDS
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([fd], [], [], left)[0]:
                self._silent = True
                raise BoxError(
                    f"the censor at {self.name} gave no answer in {ANSWER_SECONDS:g} s; "
                    + self.last_words()
                )
            data = os.read(fd, 65536)
            if not data:
                self.process.wait()
                raise BoxError(f"the censor at {self.name} ended; {self.last_words()}")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        return found
