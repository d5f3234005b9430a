"""Say what went wrong on the ground, by whose fault it is: the author's or the machine's."""

from __future__ import annotations

from dataclasses import dataclass


class TopologyError(Exception):
    """Anything this room raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a description: where, what was found, what was expected, the cure.

    `path` begins with `topology`, `vantages` or `places`, and continues with the keys below it.
    """

    path: tuple[str | int, ...]
    value: object
    expected: str
    hint: str = ""

    def __str__(self) -> str:
        where = ".".join(str(part) for part in self.path)
        cure = f"; {self.hint}" if self.hint else ""
        return f"{where}: found {self.value!r}, expected {self.expected}{cure}"


class PlanError(TopologyError):
    """The author of a topology asked for what cannot be; `problems` lists all of it."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class MachineError(TopologyError):
    """This machine lacks a program or a kernel feature; the message names the cure."""


class ServiceError(TopologyError):
    """A program did not come up, or died: which, its command, and the end of its log."""

    def __init__(self, program: str, command: str, why: str, log: str) -> None:
        tail = log.strip() or "(its log is empty)"
        super().__init__(f"service {program}: {why}\ncommand: {command}\nend of its log:\n{tail}")
        self.program = program
        self.command = command
        self.why = why
        self.log = log
