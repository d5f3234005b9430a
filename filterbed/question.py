"""Say what the judge was asked: vantages, targets, truths, and whose each address and name is.

Both the proof and the settling of a truth by the log attribute packets with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlsplit

from filterbed.header import TCP, UDP, raw
from filterbed.naming import plain
from scenarios.model import Label, Scenario, Target, Truth
from topologies.plan import Plan

#: One target seen from one vantage.
Pair = tuple[str, str]


@dataclass(frozen=True)
class Question:
    """What is asked, in declared order, and what attributes a packet to it.

    `clients`: raw address -> the vantage it belongs to, a gateway's to the vantage behind it.
    `resolvers`: raw address -> the vantages that ask this recursor, or share this gateway. `dns`:
    name -> its addresses in the sandbox. `truths` are the whole scenario's, also of targets that
    are not asked. `spread`: flows take several paths, so not each of them meets every box.
    `validating`: the raw addresses of recursors that believe only what is signed.
    """

    vantages: tuple[str, ...]
    targets: tuple[Target, ...]
    truths: Mapping[Pair, Truth]
    clients: Mapping[bytes, str]
    resolvers: Mapping[bytes, tuple[str, ...]]
    dns: Mapping[str, tuple[str, ...]]
    spread: bool = False
    validating: frozenset[bytes] = frozenset()

    @property
    def partial(self) -> bool:
        """Return whether not all of the scenario's targets are asked.

        Then a target may miss the one whose memory would hit it.
        """
        asked = {target.name for target in self.targets}
        return any(name not in asked for _, name in self.truths)

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """Return every (vantage, target) that has a truth, vantages first, in declared order."""
        return tuple(
            (vantage, target.name)
            for vantage in self.vantages
            for target in self.targets
            if (vantage, target.name) in self.truths
        )

    @cached_property
    def names(self) -> Mapping[str, tuple[str, ...]]:
        """Return, per DNS name, the targets that use it."""
        found: dict[str, tuple[str, ...]] = {}
        for target in self.targets:
            name = target_name(target)
            if name is not None:
                found[name] = (*found.get(name, ()), target.name)
        return found

    def named(self, name: str) -> tuple[str, ...]:
        """Return the targets that a DNS question is about.

        A recursor that minimises its questions asks for `example.com` on the way to
        `www.example.com`; a top-level name or the root is on the way to everything, thus about
        nothing.
        """
        name = plain(name)
        if name in self.names or "." not in name:
            return self.names.get(name, ())
        return tuple(
            dict.fromkeys(
                target
                for whole, targets in self.names.items()
                if whole.endswith(f".{name}")
                for target in targets
            )
        )

    @cached_property
    def servers(self) -> Mapping[bytes, tuple[str, ...]]:
        """Return, per raw server address, the targets that may be reached there."""
        found: dict[bytes, tuple[str, ...]] = {}
        for target in self.targets:
            name = target_name(target)
            addresses = (*self.dns.get(name or "", ()), *overlay(target)) or (
                (name,) if name else ()
            )
            for address in addresses:
                try:
                    key = raw(address)
                except ValueError:
                    continue
                found[key] = tuple(dict.fromkeys((*found.get(key, ()), target.name)))
        return found


def of_scenario(
    scenario: Scenario,
    *,
    vantages: Iterable[str] | None = None,
    targets: Iterable[str] | None = None,
) -> Question:
    """Read everything off a scenario; `vantages` and `targets` restrict it, in declared order."""
    here = frozenset(scenario.vantages if vantages is None else vantages)
    kept = tuple(name for name in scenario.vantages if name in here)
    wanted = None if targets is None else frozenset(targets)
    asked = tuple(t for t in scenario.targets if wanted is None or t.name in wanted)
    clients, shared = _clients(scenario.plan, kept)
    return Question(
        kept,
        asked,
        scenario.truths,
        clients,
        {**resolvers(scenario.plan, kept), **shared},
        {plain(name): found for name, found in scenario.dns.items()},
        spread=any(route.also for route in scenario.plan.routes),
        validating=frozenset(
            raw(address)
            for node in scenario.plan.nodes
            if node.validates
            for address in addresses(scenario.plan, node.name)
        ),
    )


def addresses(plan: Plan, node: str) -> tuple[str, ...]:
    """Return all addresses of a node, service addresses first, without prefix lengths."""
    return plan.addresses(node)


def _clients(
    plan: Plan, vantages: Iterable[str]
) -> tuple[dict[bytes, str], dict[bytes, tuple[str, ...]]]:
    """Return whose each address is: the vantage's own, and its gateway's where one translates.

    Then those that several vantages have in common, a gateway's.
    """
    found: dict[bytes, tuple[str, ...]] = {}
    for name in vantages:
        for address in map(raw, dict.fromkeys((*plan.addresses(name), *plan.seen(name)))):
            found[address] = (*found.get(address, ()), name)
    own = {address: names[0] for address, names in found.items() if len(names) == 1}
    return own, {address: names for address, names in found.items() if len(names) > 1}


def resolvers(plan: Plan, vantages: Sequence[str]) -> dict[bytes, tuple[str, ...]]:
    """Return, per raw address of a recursor's node, the vantages whose resolv.conf names it."""
    owner = {raw(a): node.name for node in plan.nodes for a in addresses(plan, node.name)}
    asked: dict[str, list[str]] = {}
    for vantage in vantages:
        resolver = plan.node(vantage).resolver
        node = owner.get(raw(resolver)) if resolver else None
        if node is not None:
            asked.setdefault(node, []).append(vantage)
    return {
        raw(address): tuple(names)
        for node, names in asked.items()
        for address in addresses(plan, node)
    }


def target_name(target: Target) -> str | None:
    """Return the host a target names (a DNS name or an address), as it is compared."""
    url = target.fields.get("url")
    if isinstance(url, str):
        host = urlsplit(url).hostname
        return plain(host) if host else None
    for key in ("name", "host", "registrar", "filter"):
        value = target.fields.get(key)
        if isinstance(value, str) and value:
            return plain(value)
    return None


def overlay(target: Target) -> tuple[str, ...]:
    """Return the addresses at which a target's network is known to its clients, without DNS."""
    hosts = target.fields.get("hosts", ())
    more = (target.fields.get(key) for key in ("login", "gateway", "peer"))
    return (*hosts, *(address for address in more if address))


def ports(target: Target) -> frozenset[int] | None:
    """Return the server ports a target is reached at; None where that is not known."""
    url = target.fields.get("url")
    if isinstance(url, str):
        parts = urlsplit(url)
        return frozenset({parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)} - {0})
    if target.kind == "dns":
        return frozenset({{"dot": 853, "doh": 443}.get(str(target.fields.get("via")), 53)})
    port = target.fields.get("port")
    if isinstance(port, int):
        return frozenset({port})
    return None


def transport(target: Target) -> int | None:
    """Return the protocol of IP that a page is fetched over; None for what is no page."""
    if target.kind != "web":
        return None
    return UDP if target.fields.get("via") == "h3" else TCP


def network_block(label: Label) -> bool:
    """Return whether a label says: blocked by the network."""
    return label.verdict == "blocked" and (label.locus or "network") == "network"


def expected(truth: Truth, *, idle: bool) -> Label:
    """Return the label expected where the log need not be asked; `idle` is the placebo."""
    if idle and (truth.by_log or network_block(truth.label)):
        return truth.baseline
    return truth.label
