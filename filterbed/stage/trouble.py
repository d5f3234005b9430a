"""Say that a run cannot go on being valid, and look for what makes it so."""

from __future__ import annotations

from filterbed.stage.ground import Ground


class Trouble(Exception):
    """The run cannot go on being valid; holds the sentences that say why."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def watch(ground: Ground) -> None:
    """Raise Trouble if something that the run stands on has died."""
    if casualties := ground.casualties():
        raise Trouble(casualties)
