"""Keep what the box knows and intends about one flow: which rules could still match it.

The question that decides the speed of everything is asked here: can anything in the policy still
touch this flow? If not, the state is settled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any, Final

from censor.follow.announced import Announced
from censor.follow.flow import Flow
from censor.follow.tcb import Tcb
from censor.interfere import residual
from censor.interfere.burden import Load
from censor.interfere.impostor import Peer
from censor.interfere.inquiry import Pending
from censor.interfere.telephony import Dialogues
from censor.read.agenda import NOTHING, Agenda
from censor.read.follower import Follower
from censor.rule.act import Drop
from censor.rule.rules import App, Policy, Rule
from censor.rule.takeover import Greeting
from censor.wire.number import Protocol

#: Choices kept, one for each protocol and server port that occurs.
PLACES: Final = 4096

#: Whether the flow is exempt, its plain rules, and its rules by topic.
Chosen = tuple[bool, tuple[Rule, ...], Agenda]

_TCP: Final = int(Protocol.TCP)
_NAMES: Final = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmp6"}


#: What nearly every state has of what few need; never changed, replaced when it is needed.
_NONE: Final[dict[Any, Any]] = {}
_NOBODY: Final[list[Any]] = []
_UNREAD: Final = [0, 0]


class FlowState:
    """What the box knows of one flow, and intends.

    plain: rules that need no message. topics: rules, exceptions first, by the protocol whose
        messages they read. keys: under which memories would reach the flow.
    doomed: what is done to everything from now on, with the rule's id. refused: by direction
        (from the client?), the sequence number up to which bytes are not let through, and the rule.
    read: by direction, bytes of its stream whose messages are judged. misses: payloads no topic
        knew. spoken: the protocol it turned out to be. said: rules whose match was an event.
    burdens: what it bears, by the act's name. bound: plain rules that bring burdens, and whether
        their chance came true. fates: of acts with a chance of their own, whether that did.
    line: by direction, until when its last held packet waits. pending: DNS queries whose real
        answer is awaited. dialogues: its calls, if the policy has forged ends for them.
    greetings: by direction, what the SYN said, if the policy takes connections over.
    exempt: an exception holds for all of it. trigger: the last message seen, as events name it.
    followers: what reads several payloads together, each behind its protocol.
    announced: SDP spoke of it. peer: whom the box plays toward the client, if it plays somebody.
    kept: bytes that are counted as waiting for the rest of a message, by `Budget`.
    tcb: what the box believes of a TCP connection, where its streams alone do not say it.
    """

    __slots__ = (
        "_named",
        "announced",
        "bound",
        "burdens",
        "dialogues",
        "doomed",
        "ends",
        "exempt",
        "fates",
        "flow",
        "followers",
        "greetings",
        "kept",
        "keys",
        "line",
        "misses",
        "peer",
        "pending",
        "plain",
        "read",
        "refused",
        "said",
        "settled",
        "spoken",
        "tcb",
        "topics",
        "trigger",
    )

    def __init__(self, flow: Flow) -> None:
        self.flow = self.ends = flow
        self.tcb: Tcb | None = None
        self.peer: Peer | None = None
        self.plain: tuple[Rule, ...] = ()
        self.topics = NOTHING
        self.keys: tuple[residual.Key, ...] = ()
        self.exempt = self.settled = self.announced = False
        self.followers: tuple[App | Follower, ...] = ()
        self.doomed: tuple[Drop, str] | None = None
        self.refused: dict[bool, tuple[int, str]] = _NONE
        self.spoken: App | None = None
        self.read = _UNREAD
        self.misses = self.kept = 0
        self.said: frozenset[str] = frozenset()
        self.trigger: Mapping[str, Any] | None = None
        self._named: dict[str, Any] | None = None
        self.burdens: dict[str, Load] = _NONE
        self.bound: dict[str, bool] = _NONE
        self.fates: dict[str, bool] = _NONE
        self.line: dict[bool, float] = _NONE
        self.pending: list[Pending] = _NOBODY
        self.dialogues: Dialogues = _NONE
        self.greetings: dict[bool, Greeting] = _NONE

    @property
    def idle(self) -> bool:
        """Whether no rule can do anything more with this flow, memories left aside."""
        return self.exempt or not (
            self.plain
            or self.topics.items
            or self.doomed
            or self.refused
            or self.burdens
            or self.pending
        )

    def greeted(self, require: str) -> bool:
        """Say whether as much of the handshake was seen as `tcp.require` asks for."""
        if require == "none":
            return True
        client, server = self.flow.client_isn is not None, self.flow.server_isn is not None
        if require == "either":
            return client or server
        return client and (server or require == "syn")

    def judged(self, from_client: bool, end: int) -> None:
        """Take note up to where a direction's stream was judged."""
        if self.read is _UNREAD:
            self.read = [0, 0]
        self.read[from_client] = end

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


class Tracker:
    """Open states for flows, by a policy.

    Rules that ask nothing of the flow itself are chosen once for each protocol and server port.
    """

    __slots__ = (
        "_agendas",
        "_announced",
        "_any",
        "_bound",
        "_chosen",
        "_kinds",
        "_listens",
        "_places",
        "_policy",
        "_tracks",
    )

    def __init__(self, policy: Policy, announced: Announced) -> None:
        self._policy = policy
        self._tracks = policy.tcp.tracks
        self._announced = announced
        media = any(rule.when.topic is App.RTP for rule in policy.rules)
        self._listens = media and policy.readings[App.RTP].announced
        ordered = policy.exceptions + policy.rules
        self._places = {rule.id: place for place, rule in enumerate(ordered)}
        self._any = tuple(rule for rule in ordered if rule.when.anywhere)
        self._bound = tuple(rule for rule in ordered if not rule.when.anywhere)
        acts = [act for rule in policy.rules for act in rule.then]
        kinds = [act.residual.key for act in acts if act.residual is not None]
        self._kinds = tuple(dict.fromkeys(kinds))
        self._chosen: dict[tuple[int, int], Chosen] = {}
        self._agendas: dict[tuple[tuple[str, ...], ...], Agenda] = {}

    @property
    def wide(self) -> bool:
        """Whether a memory may reach flows of clients that did nothing."""
        return "server" in self._kinds

    @property
    def remembers(self) -> bool:
        """Whether any rule leaves memories."""
        return bool(self._kinds)

    def open(self, flow: Flow) -> FlowState:
        """Make a flow's state: choose the rules that could match it."""
        state = FlowState(flow)
        if self._tracks and flow.protocol == _TCP:
            state.read = [0, 0]
            state.tcb = Tcb(self._policy.tcp, flow, state.read)
        if self._kinds:
            state.keys = tuple([residual.key(kind, flow) for kind in self._kinds])
        bound = [rule for rule in self._bound if rule.when.reaches(flow)] if self._bound else ()
        if bound:
            rules = sorted((*self._any, *bound), key=lambda rule: self._places[rule.id])
            state.exempt, state.plain, state.topics = self._choose(rules, flow)
        else:
            place = (flow.protocol, flow.server_port)
            chosen = self._chosen.get(place)
            if chosen is None:
                chosen = self._choose(self._any, flow)
                if len(self._chosen) < PLACES:
                    self._chosen[place] = chosen
            state.exempt, state.plain, state.topics = chosen
        if App.RTP in state.topics:
            self._listen(state, flow)
        return state

    def _listen(self, state: FlowState, flow: Flow) -> None:
        """Ask whether SDP spoke of a flow; what only SDP could tell is not asked again."""
        known, now = self._announced, flow.created
        state.announced = self._listens and (
            known.holds((flow.client, flow.client_port), now)
            or known.holds((flow.server, flow.server_port), now)
        )
        if not state.announced and not self._policy.readings[App.RTP].habit.window:
            state.topics = state.topics.without(App.RTP)

    def _choose(self, rules: Sequence[Rule], ends: Flow) -> Chosen:
        """Sort rules by what they read; exceptions come first."""
        plain = tuple(rule for rule in rules if rule.when.topic is None)
        topics: dict[App, tuple[Rule, ...]] = {}
        if plain and plain[0].allows:
            return True, (), NOTHING
        for app, reading in self._policy.readings.items():
            if ends.protocol in reading.protocols and (
                reading.ports is None or ends.server_port in reading.ports
            ):
                own = tuple(rule for rule in rules if rule.when.topic is app)
                if any(not rule.allows for rule in own) or (app is App.SIP and self._listens):
                    topics[app] = own
        return False, plain, self._shared(topics)

    def _shared(self, topics: Mapping[App, tuple[Rule, ...]]) -> Agenda:
        """Return the same agenda for the same rules, while there are not too many."""
        alike = tuple((app, *(rule.id for rule in rules)) for app, rules in topics.items())
        agenda = self._agendas.get(alike)
        if agenda is None:
            agenda = Agenda(topics)
            if len(self._agendas) < PLACES:
                self._agendas[alike] = agenda
        return agenda
