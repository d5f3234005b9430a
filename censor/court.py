"""Hold what all packets of one engine share."""

from __future__ import annotations

from dataclasses import dataclass, field

from censor.announced import Announced
from censor.burden import Buckets, Shelf
from censor.luck import Luck
from censor.probing import Attempts
from censor.residual import Memories
from censor.rules import Policy


@dataclass(frozen=True, slots=True)
class Court:
    """One box's policy, luck and memories."""

    policy: Policy
    luck: Luck
    memories: Memories
    announced: Announced
    buckets: Buckets
    shelf: Shelf
    follows_calls: bool
    attempts: Attempts = field(default_factory=Attempts)
