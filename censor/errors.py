"""Say whose fault an error is. Traffic is nobody's fault: packets never raise."""

from __future__ import annotations

from collections.abc import Iterable


class CensorError(Exception):
    """Anything the censor gives up on; children say whose fault it is."""


class PolicyError(CensorError):
    """The author's fault: a policy that cannot be used, with every problem found in it.

    Each problem names its place, the value found, what was expected, and the cure.
    """

    def __init__(self, problems: Iterable[str] | str) -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


class MachineError(CensorError):
    """The machine's fault: a missing permission, kernel feature, file or program."""
