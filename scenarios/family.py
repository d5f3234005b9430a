"""Say over which versions of IP a target is asked, and what that asks of its services."""

from __future__ import annotations

from collections.abc import Iterator

from scenarios import baseline, schema
from scenarios.error import Path, Problem, show
from scenarios.ground import Ground
from scenarios.places import Places
from topologies.service import Sip


def families(target: baseline.AnyTarget, ground: Ground) -> tuple[int, ...]:
    """Return 4, where a target's name has such an address or none at all, else 6.

    What the file says goes before.
    """
    stated: list[int] | None = getattr(target, "families", None)
    if stated:
        return tuple(stated)
    known = [a for s in baseline.serves(_named(target), ground) for a in s.addresses]
    return (4,) if any(":" not in address for address in known) or not known else (6,)


def _named(target: baseline.AnyTarget) -> str:
    """Return the name that a target has resolved; empty where it asks none, or DNS itself."""
    if isinstance(target, schema.SkypeTarget | schema.ChatTarget | schema.DnsTarget):
        return ""
    return baseline.host_of(target)[0]


def reached(
    target: schema.CallTarget, sip: Sip, at: Path, ground: Ground, places: Places
) -> Iterator[Problem]:
    """Expect callees where calls go: they stand at their provider's first address alone."""
    stands = 6 if ":" in sip.addresses[0] else 4
    (asked, *_) = families(target, ground)
    if asked != stands:
        expected = (
            f"a service whose first address is IPv{asked}, over which it is called: the callees of"
            f" {sip.id} stand at {sip.addresses[0]}"
        )
        yield places.problem((*at, "registrar"), expected, found=show(target.registrar))
