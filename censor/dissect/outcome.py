"""What a dissector can say when it has no message to show."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Incomplete:
    """So far it could be this protocol; no message is whole before `need` more bytes have come."""

    need: int = 1


@dataclass(frozen=True, slots=True)
class Foreign:
    """It is not this protocol, whatever may follow, and this is why."""

    reason: str
