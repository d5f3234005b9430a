"""Check that who is to ring rings, who is called does not, and who is to call can."""

from __future__ import annotations

from collections.abc import Iterator

from scenarios import schema
from scenarios.error import Path, Problem, either, nearest, show
from scenarios.places import Places
from topologies.service import Sip

#: What a call by baresip cannot have: its media goes from its own socket, and it answers nobody.
_SIPP_ALONE = ("stun", "turn")


def client(target: schema.CallTarget, at: Path, places: Places) -> Iterator[Problem]:
    """Check that who is to place a call can place such a one."""
    if target.client != "baresip":
        return
    where = (*at, "client")
    for key in _SIPP_ALONE:
        if getattr(target, key) is not None:
            expected = f"sipp, for a call by baresip has no {key}"
            yield places.problem(where, expected, found=show(target.client))
    if target.direction == "in":
        expected = "sipp, for baresip is not called here: it calls"
        yield places.problem(where, expected, found=show(target.client))


def direction(target: schema.CallTarget, sip: Sip, at: Path, places: Places) -> Iterator[Problem]:
    """Check a call's direction against how the callee behaves."""
    rings = sip.conduct(target.callee) == "calls-back"
    known = [one for one in sip.numbers if sip.conduct(one) == "calls-back"]
    if target.direction == "in" and not rings:
        expected = f"a number of {sip.id} that calls back ({either(known)})"
        where = (*at, "callee") if places.has((*at, "callee")) else (*at, "direction")
        hint = nearest(target.callee, known)
        yield places.problem(where, expected, found=show(target.callee), hint=hint)
    if target.direction != "in" and rings:
        expected = "direction: in, for this number is not called: it calls back"
        yield places.problem((*at, "callee"), expected, found=show(target.callee))
