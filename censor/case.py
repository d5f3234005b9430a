"""Keep what the box knows and intends about one flow: which rules could still match it.

The question that decides the speed of everything is asked here: can anything in the policy still
touch this flow? If not, the case is settled.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, Final

from censor import residual
from censor.flow import Flow
from censor.rules import App, Drop, Ends, Policy, Rule
from censor.wire import Protocol

_TCP: Final = int(Protocol.TCP)
_NAMES: Final = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmp6"}


class Case:
    """One flow before the law.

    plain: rules that need no message. topics: rules, exceptions first, by the protocol whose
        messages they read. keys: under which memories would reach the flow.
    doomed: what is done to everything from now on, with the rule's id. refused: by direction
        (from the client?), the sequence number up to which bytes are not let through, and the rule.
    read: bytes of each direction's stream whose messages are judged. misses: payloads no topic
        knew. spoken: the protocol it turned out to be. said: rules whose match was an event.
    exempt: an exception holds for all of it. trigger: the last message seen, as events name it.
    """

    __slots__ = (
        "_named",
        "doomed",
        "ends",
        "exempt",
        "flow",
        "keys",
        "misses",
        "plain",
        "read",
        "refused",
        "said",
        "settled",
        "spoken",
        "topics",
        "trigger",
    )

    def __init__(self, flow: Flow, ends: Ends) -> None:
        self.flow = flow
        self.ends = ends
        self.plain: tuple[Rule, ...] = ()
        self.topics: dict[App, tuple[Rule, ...]] = {}
        self.keys: tuple[residual.Key, ...] = ()
        self.exempt = self.settled = False
        self.doomed: tuple[Drop, str] | None = None
        self.refused: dict[bool, tuple[int, str]] = {}
        self.spoken: App | None = None
        self.read = {True: 0, False: 0}
        self.misses = 0
        self.said: set[str] = set()
        self.trigger: Mapping[str, Any] | None = None
        self._named: dict[str, Any] | None = None

    @property
    def idle(self) -> bool:
        """Whether no rule can do anything more with this flow, memories left aside."""
        return self.exempt or not (self.plain or self.topics or self.doomed or self.refused)

    def named(self) -> Mapping[str, Any]:
        """Return the flow as events name it."""
        if self._named is None:
            ends = self.ends
            self._named = {
                "protocol": _NAMES.get(ends.protocol, str(ends.protocol)),
                "client": str(ip_address(ends.client)),
                "client_port": ends.client_port,
                "server": str(ip_address(ends.server)),
                "server_port": ends.server_port,
            }
        return self._named


class Docket:
    """Open cases for flows, by a policy."""

    __slots__ = ("_any", "_bound", "_exceptions", "_kinds", "_policy")

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        ordered = policy.exceptions + policy.rules
        self._any = tuple(rule for rule in ordered if rule.when.anywhere)
        self._bound = tuple(rule for rule in ordered if not rule.when.anywhere)
        acts = [act for rule in policy.rules for act in rule.then]
        kinds = [act.residual.key for act in acts if act.residual is not None]
        self._kinds = tuple(dict.fromkeys(kinds))

    @property
    def remembers(self) -> bool:
        """Whether any rule leaves memories."""
        return bool(self._kinds)

    def open(self, flow: Flow) -> Case:
        """Make a flow's case: choose the rules that could match it."""
        ends = Ends(
            flow.protocol,
            flow.client,
            flow.client_port,
            flow.server,
            flow.server_port,
            bool(flow.inside_client),
        )
        case = Case(flow, ends)
        case.keys = tuple(residual.key(kind, ends) for kind in self._kinds)
        bound = [rule for rule in self._bound if rule.when.reaches(ends)]
        chosen = [*self._any, *bound]
        if bound:
            order = {rule.id: at for at, rule in enumerate(self._ordered())}
            chosen.sort(key=lambda rule: order[rule.id])
        plain = [rule for rule in chosen if rule.when.topic is None]
        if plain and plain[0].allows:
            case.exempt = True
            return case
        case.plain = tuple(plain)
        for app, reading in self._policy.readings.items():
            if ends.protocol in reading.protocols and (
                reading.ports is None or ends.server_port in reading.ports
            ):
                rules = tuple(rule for rule in chosen if rule.when.topic is app)
                if any(not rule.allows for rule in rules):
                    case.topics[app] = rules
        return case

    def _ordered(self) -> tuple[Rule, ...]:
        return self._policy.exceptions + self._policy.rules
