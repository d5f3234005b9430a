"""What the packets of one engine share is not shared by two."""

from __future__ import annotations

from censor.engine.context import Context
from censor.follow.announced import Announced
from censor.interfere.burden import Buckets, Shelf
from censor.interfere.residual import Memories
from censor.policy.loader import load
from censor.rule.luck import Luck


def test_two_boxes_share_no_probes() -> None:
    policy = load({"position": "in-path", "rules": []})
    one, other = (
        Context(policy, Luck(0), Memories(1), Announced(life=1), Buckets(1), Shelf(1), False)
        for _ in range(2)
    )
    assert one.attempts is not other.attempts
