"""What the packets of one engine share is not shared by two."""

from __future__ import annotations

from censor.announced import Announced
from censor.burden import Buckets, Shelf
from censor.court import Court
from censor.luck import Luck
from censor.policy import load
from censor.residual import Memories


def test_two_boxes_share_no_probes() -> None:
    policy = load({"position": "in-path", "rules": []})
    one, other = (
        Court(policy, Luck(0), Memories(1), Announced(life=1), Buckets(1), Shelf(1), False)
        for _ in range(2)
    )
    assert one.attempts is not other.attempts
