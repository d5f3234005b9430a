"""Judge a QUIC handshake, and what becomes of a connection in which it was done.

QUIC's first flight, the Initial, holds the server name, readable for who derives its keys
(RFC 9001 section 5.2): a censor that reads it, or knows the version, lets nothing more pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from filterbed.probe.verdict import Part, Verdict, blocked, reach

_STALLED: Final = "quic.timeout"
_WORDS: Final[Mapping[str, str]] = {
    "timeout": _STALLED,
    "refused": "ip.unreachable",
    "unreachable": "ip.unreachable",
    "reset": "quic",
    "alert": "quic",
    "invalid": "quic",
}


def handshake(local: Part, control: Part, proof: Part) -> Verdict | None:
    """Compare the QUIC handshakes; None when one of ours is done, or none was tried."""
    found = reach("quic", _WORDS, local, control, proof)
    if found is None or found.mechanisms != (_STALLED,):
        return found
    return _deeper(found, proof)


def broken(outcome: str, proof: Part, said: str) -> Verdict:
    """Judge a connection that ended, or fell silent, once its handshake was done here."""
    if outcome != "timeout":
        return blocked("quic", said)
    return _deeper(blocked(_STALLED, said), proof)


def stalled(local: Part) -> bool:
    """Whether QUIC fell silent, in the handshake or after it."""
    rows = local.get("quic", ())
    done = any(row["outcome"] == "ok" for row in rows)
    last = local["http"] if done else rows
    return bool(rows) and bool(last) and all(row["outcome"] == "timeout" for row in last)


def named(proof: Part) -> bool:
    """Whether the name was shown to be the trigger: another passed, then it fell silent again."""
    other, same = proof.get("other_name"), proof.get("same_name")
    if other is None or same is None:
        return False
    return other["outcome"] in ("ok", "alert", "invalid") and same["outcome"] == "timeout"


def _deeper(verdict: Verdict, proof: Part) -> Verdict:
    if not named(proof):
        return verdict
    detail = f"{verdict.detail}; with another server name it passes"
    return replace(verdict, mechanisms=(f"{_STALLED}.sni",), detail=detail)
