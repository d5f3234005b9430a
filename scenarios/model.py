"""A loaded scenario: everything resolved, nothing left to look up, as frozen data.

The loader makes it from YAML (`scenarios.loader`); the runner stands it up; the judge scores it.
All durations are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from topologies.plan import Plan
from topologies.service import Service

Verdict = Literal["ok", "down", "blocked", "unknown"]
Locus = Literal["network", "server_side", "client_side", "unknown"]


@dataclass(frozen=True, slots=True)
class Label:
    """What is, or is said to be, the case for one target seen from one vantage.

    `mechanisms` are dotted nodes of the taxonomy, empty unless blocked; `locus` is None unless
    blocked (contract, section 2).
    """

    verdict: Verdict
    mechanisms: frozenset[str] = frozenset()
    locus: Locus | None = None


@dataclass(frozen=True, slots=True)
class Truth:
    """The declared label of one (vantage, target).

    `baseline` is the label when nobody interferes: `ok` or `down`, and `blocked, server_side`
    where the server itself treats this vantage's prefix differently.
    `by_log`: the box's own log decides: `label` where an act hit this target from this vantage,
    `baseline` where none did (residual collateral, chance rules).
    """

    label: Label
    baseline: Label
    by_log: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """What a tool is asked about. `fields` is the contract's object beside `target` and `kind`."""

    name: str
    kind: Literal["web", "dns", "tcp", "udp", "sip", "call", "skype", "skypeout", "chat"]
    fields: Mapping[str, Any]
    baseline: Mapping[str, str]  # vantage -> baseline word ("answers", "status: 403", ...)

    def public(self) -> dict[str, Any]:
        """Return the object a tool sees: no label, no baseline."""
        return {"target": self.name, "kind": self.kind, **self.fields}


@dataclass(frozen=True, slots=True)
class Censor:
    """One box and its policy document (as `python -m censor check` reads it)."""

    name: str
    node: str
    policy: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One question the testbed can ask."""

    name: str
    title: str
    path: str
    period: str
    story: str
    tags: tuple[str, ...]
    fidelity: str
    sources: tuple[Mapping[str, Any], ...]
    plan: Plan
    services: tuple[Service, ...]
    dns: Mapping[str, tuple[str, ...]]  # name -> addresses in the sandbox's zone
    vantages: tuple[str, ...]
    targets: tuple[Target, ...]
    censors: tuple[Censor, ...]
    truths: Mapping[tuple[str, str], Truth]  # (vantage, target)
    timeline: tuple[Mapping[str, Any], ...] = field(default=())
    #: The truths that follow the first, with the second at which each begins (with a timeline).
    changes: Mapping[tuple[str, str], tuple[tuple[float, Truth], ...]] = field(default_factory=dict)
