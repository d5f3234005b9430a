"""Run the censor's engine over recordings: a process each, which can be ready before they are.

An interpreter and its imports take longer than a replay. An engine started early has read its
policy and waits at its standard input; what it is fed then is answered at once.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

#: A replay of one control pass takes well under a second.
DEADLINE: Final = 120.0
COMMAND: Final = (sys.executable, "-P", "-m", "censor")
_WAY: Final = ("--active", "--certain", "--json")
#: It gets ready in time that nobody else wants: what is measured meanwhile comes first.
_NICE: Final = ("nice", "-n", "5")


class EngineError(Exception):
    """An engine that failed; the message says what it did instead."""


class Engine:
    """One engine, active from the first packet on, every chance made certain.

    Its answers go to files beside the recording: `STEM.jsonl`, and `STEM.log` what it complained.
    """

    def __init__(self, policy: Path, stem: Path, command: Sequence[str] = COMMAND) -> None:
        self.recording = stem.with_name(f"{stem.name}.pcapng")
        self._answer = stem.with_name(f"{stem.name}.jsonl")
        self._log = stem.with_name(f"{stem.name}.log")
        stem.parent.mkdir(parents=True, exist_ok=True)
        argv = [*_NICE, *command, "replay", "-", "--policy", str(policy), *_WAY]
        with self._answer.open("wb") as out, self._log.open("wb") as err:
            self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=out, stderr=err)
        # One that hangs may take nothing: whoever waits for its answers must not wait for that.
        self._feeder = threading.Thread(target=self._pour, daemon=True)

    def feed(self) -> None:
        """Give it its recording, which lies at `recording`; it is given no second one."""
        self._feeder.start()

    def _pour(self) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it has ended: its status says why
            self._process.stdin.write(self.recording.read_bytes())
        with suppress(BrokenPipeError):
            self._process.stdin.close()

    def events(self) -> list[Any]:
        """Wait for its answers and return them as they stand, line by line.

        Raises: EngineError where it failed, hung, or said what is no JSON.
        """
        try:
            status = self._process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            raise EngineError(f"did not finish within {DEADLINE:.0f} s") from None
        if status != 0:
            said = self._log.read_text("utf-8", "replace").strip()[-500:]
            raise EngineError(f"ended with status {status}: {said or '(it said nothing)'}")
        found = []
        for number, line in enumerate(self._answer.read_text("utf-8", "replace").splitlines(), 1):
            try:
                found.append(json.loads(line))
            except ValueError as error:
                raise EngineError(
                    f"gave an event that cannot be read, line {number}: {error!r}"
                ) from error
        return found

    def end(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait()
        if self._feeder.ident is not None:
            self._feeder.join()
        elif self._process.stdin is not None:
            self._process.stdin.close()


class Engines:
    """Engines that get ready, one by box and way; none outlives the `with` they are made for."""

    def __init__(
        self,
        policies: Mapping[str, Path],
        ways: Sequence[str],
        *,
        work: Path,
        command: Sequence[str] = COMMAND,
    ) -> None:
        """Start them: `policies` by box; recordings and answers come to lie in `work`."""
        self._engines: dict[tuple[str, str], Engine] = {}
        try:
            for box, policy in policies.items():
                for way in ways:
                    self._engines[box, way] = Engine(policy, work / f"{box}.{way}", command)
        except BaseException:
            self._end()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def __getitem__(self, which: tuple[str, str]) -> Engine:
        return self._engines[which]

    def __contains__(self, which: object) -> bool:
        return which in self._engines

    def _end(self) -> None:
        for one in self._engines.values():
            one.end()
