"""Hold what all packets of one engine share."""

from __future__ import annotations

from dataclasses import dataclass, field

from censor.follow.announced import Announced
from censor.interfere.burden import Buckets, Shelf
from censor.interfere.probing import Attempts
from censor.interfere.residual import Memories
from censor.rule.luck import Luck
from censor.rule.rules import Policy


@dataclass(frozen=True, slots=True)
class Context:
    """One box's policy, luck and memories."""

    policy: Policy
    luck: Luck
    memories: Memories
    announced: Announced
    buckets: Buckets
    shelf: Shelf
    follows_calls: bool
    attempts: Attempts = field(default_factory=Attempts)
