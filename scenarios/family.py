"""Say over which versions of IP a target is asked, and what that asks of its services."""

from __future__ import annotations

from collections.abc import Iterator

from scenarios import baseline, schema
from scenarios.error import Path, Problem, either, show
from scenarios.ground import Ground
from scenarios.places import Places
from topologies.service import Sip


def families(target: baseline.AnyTarget, ground: Ground) -> tuple[int, ...]:
    """Return 4, where a target's name has such an address or none at all, else 6.

    What the file says goes before.
    """
    if isinstance(target, schema.SipTarget) and target.families:
        return tuple(target.families)
    known = [a for s in baseline.serves(_named(target), ground) for a in s.addresses]
    return (4,) if any(":" not in address for address in known) or not known else (6,)


def _named(target: baseline.AnyTarget) -> str:
    """Return the name that a target has resolved; empty where it asks none, or DNS itself."""
    if isinstance(target, schema.SkypeTarget | schema.ChatTarget | schema.DnsTarget):
        return ""
    return baseline.host_of(target)[0]


def reached(
    target: schema.SipTarget, sip: Sip, at: Path, ground: Ground, places: Places
) -> Iterator[Problem]:
    """Expect a provider, and callees, where they are asked for.

    Callees stand at their provider's first address alone.
    """
    call = isinstance(target, schema.CallTarget)
    stands = sip.addresses[:1] if call else sip.addresses
    (asked, *_) = families(target, ground)
    if asked in (6 if ":" in address else 4 for address in stands):
        return
    expected = f"a service with an IPv{asked} address; {sip.id} has {either(sip.addresses)}"
    if call:
        expected = (
            f"a service whose first address is IPv{asked}, over which it is called: the callees of"
            f" {sip.id} stand at {sip.addresses[0]}"
        )
    yield places.problem((*at, "registrar"), expected, found=show(target.registrar))
