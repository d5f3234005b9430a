"""Check that who is to ring rings, and that who is called does not."""

from __future__ import annotations

from collections.abc import Iterator

from scenarios import schema
from scenarios.error import Path, Problem, either, nearest, show
from scenarios.places import Places
from topologies.service import Sip


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
