"""Recognise a WhatsApp chat by the bytes its client begins a TCP stream with.

Its calls are STUN: see `stun.Message.application`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from censor.dissect.outcome import Foreign, Incomplete

#: Source: fact dpi-whatsapp (nDPI, whatsapp.c at 3b1286ab0, 2024); the first is the oldest.
PREFIXES: Final = (
    bytes.fromhex("57410105"),
    bytes.fromhex("4544000100000208"),
    bytes.fromhex("4544000100000408"),
)


@dataclass(frozen=True, slots=True)
class NotWhatsapp(Foreign):
    """Not a stream that begins as a WhatsApp client's."""


@dataclass(frozen=True, slots=True)
class Chat:
    """A chat's beginning: which of `PREFIXES`."""

    prefix: bytes


def dissect(stream: bytes) -> Chat | Incomplete | NotWhatsapp:
    """Read what the client sent first."""
    for prefix in PREFIXES:
        if stream.startswith(prefix):
            return Chat(prefix)
    need = [len(each) - len(stream) for each in PREFIXES if each.startswith(stream)]
    return Incomplete(min(need)) if need else NotWhatsapp(f"begins with {stream[:8].hex()}")
