"""Say who stands where, before there is a network: what a scenario hands to a topology."""

from __future__ import annotations

from dataclasses import dataclass

from topologies.plan import Nat, Portal


@dataclass(frozen=True, slots=True)
class Vantage:
    """Where a client stands: in a city with a carrier, or abroad, outside the censored path.

    `line` and its kin have neither cities nor carriers; there both stay None. `access` says how it
    is joined to its carrier (`cellular`, `fixed`); None, by neither: straight to its city's router.
    `nat` puts a gateway before it that translates IPv4 addresses (`topologies.gateway`): its own,
    on which there may be a transparent `proxy` or a captive `portal`, or the one called `gateway`,
    which all who name it share.
    """

    city: str | None = None
    carrier: str | None = None
    abroad: bool = False
    access: str | None = None
    nat: Nat | None = None
    proxy: bool = False
    portal: Portal | None = None
    gateway: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server host stands, and the service addresses it holds (no prefix length).

    Without a carrier a host stands abroad, outside the censored path; with one it hangs on that
    carrier's backbone, inside. `inside` puts it on the censored side of `line`, which has no
    carriers.
    """

    addresses: tuple[str, ...] = ()
    carrier: str | None = None
    inside: bool = False
