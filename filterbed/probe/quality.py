"""Put the two ends of a call together: each direction of its media, as both ends counted it.

What one end sent is its own word; what came is counted from sequence numbers by the end it came
to. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from filterbed.probe import emodel
from filterbed.probe.rtp import BUFFER

#: Seconds of audio in a packet: it is gathered before it leaves.
PACKET: Final = 0.02


@dataclass(frozen=True, slots=True)
class Direction:
    """One direction of a call's media. Seconds; None is what nobody told.

    `lost` counts against what was sent, where the sender told, so packets before the first that
    came and after the last count too; `tail` are those after the last. `counted_by` says how the
    receiving end's numbers are known: "numbers" (seen here), "header" (X-RTP-Stat), "rtcp", "echo".
    """

    sent: int | None = None
    received: int | None = None
    lost: int | None = None
    tail: int | None = None
    late: int | None = None
    duplicates: int | None = None
    out_of_order: int | None = None
    jitter: float | None = None
    longest_gap: float | None = None
    delay: float | None = None
    head: int | None = None
    burst: float | None = None
    spacing: float | None = None
    counted_by: str | None = None


def complete(direction: Direction, below: int | None) -> Direction:
    """Count the loss against what was sent; `below` is what is missing below the last that came."""
    sent, received = direction.sent, direction.received
    if sent is None or received is None:
        return replace(direction, lost=below)
    lost = max(0, sent - received)
    tail = lost if below is None or not received else max(0, lost - below)
    gap = max(direction.longest_gap or 0.0, tail * PACKET)
    return replace(direction, lost=lost, tail=tail, longest_gap=gap if sent else None)


def score(direction: Direction, codec: str) -> dict[str, Any]:
    """Return `mos` and the inputs it came from; both None when no packet arrived.

    What came too late to be played counts as lost. The delay from mouth to ear is the network's, a
    packet's worth of gathering, and the buffer; where the network's is unknown it is left out.
    """
    received = direction.received or 0
    if not received:
        return {"mos": None, "mos_inputs": None}
    lost = (direction.lost or 0) + (direction.late or 0)
    given = emodel.inputs(
        codec,
        loss=min(1.0, lost / (received + (direction.lost or 0))),
        delay=(direction.delay or 0.0) + PACKET + BUFFER,
        burst=direction.burst or 1.0,
    )
    return {"mos": emodel.mos(given), "mos_inputs": given.json()}


def json(direction: Direction, codec: str) -> dict[str, Any]:
    """Return the direction as a measurement has it."""
    found = {name: getattr(direction, name) for name in direction.__dataclass_fields__}
    found = {k: round(v, 6) if isinstance(v, float) else v for k, v in found.items()}
    return found | score(direction, codec)
