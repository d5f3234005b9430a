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
from censor.wire.key import Key
from censor.wire.number import Protocol
from censor.wire.packet import Packet

#: Choices kept, one for each protocol and server port that occurs.
PLACES: Final = 4096

#: Whether the flow is exempt, its plain rules, and its rules by topic.
Chosen = tuple[bool, tuple[Rule, ...], Agenda]

_TCP: Final = int(Protocol.TCP)
_NAMES: Final = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmp6"}


#: What nobody has yet; never changed, replaced when something is to be kept.
_NONE: Final[dict[Any, Any]] = {}
_NOBODY: Final[list[Any]] = []
_UNREAD: Final = [0, 0]
_UNSAID: Final[frozenset[str]] = frozenset()


class Dossier:
    """What is kept of the few flows that rules had something to do with, or calls' or others'.

    doomed: what is done to everything from now on, with the rule's id. refused: by direction
        (from the client?), the sequence number up to which bytes are not let through, and the rule.
    burdens: what it bears, by the act's name. bound: plain rules that bring burdens, and whether
        their chance came true. fates: of acts with a chance of their own, whether that did.
    line: by direction, until when its last held packet waits, and by which rule. pending: DNS
        queries whose real answer is awaited. dialogues: its calls, if the policy forges their ends.
    greetings: by direction, what the SYN said, if the policy takes connections over.
    peer: whom the box plays toward the client, if it plays somebody. begun: when the flow began, in
        seconds, if chances are decided by that. named: the flow as events name it.
    """

    __slots__ = (
        "begun",
        "bound",
        "burdens",
        "dialogues",
        "doomed",
        "fates",
        "greetings",
        "line",
        "named",
        "peer",
        "pending",
        "refused",
    )

    def __init__(self) -> None:
        self.begun = 0.0
        self.doomed: tuple[Drop, str] | None = None
        self.refused: dict[bool, tuple[int, str]] = _NONE
        self.burdens: dict[str, Load] = _NONE
        self.bound: dict[str, bool] = _NONE
        self.fates: dict[str, bool] = _NONE
        self.line: dict[bool, tuple[float, str]] = _NONE
        self.pending: list[Pending] = _NOBODY
        self.dialogues: Dialogues = _NONE
        self.greetings: dict[bool, Greeting] = _NONE
        self.peer: Peer | None = None
        self.named: Mapping[str, Any] | None = None

    @property
    def idle(self) -> bool:
        """Whether nothing is to be done because of it."""
        return not (self.doomed or self.refused or self.burdens or self.pending or self.line)


#: Every flow's until it has one of its own: see `FlowState.own`.
BLANK: Final = Dossier()


class FlowState(Flow):
    """What the box knows of one flow, and intends.

    plain: rules that need no message. topics: rules, exceptions first, by the protocol whose
        messages they read. keys: under which memories would reach the flow.
    read: by direction, bytes of its stream whose messages are judged. misses: payloads no topic
        knew. spoken: the protocol it turned out to be. said: rules whose match was an event.
    exempt: an exception holds for all of it. trigger: the last message seen, as events name it.
    followers: what reads several payloads together. announced: SDP spoke of it.
    dossier: what few flows need; read it freely, and write to what `own` returns.
    kept, before, behind: bytes that wait for the rest of a message, and who stands before and
        behind it among those that keep some: `Budget`'s.
    tcb: what the box believes of a TCP connection, where its streams alone do not say it.
    """

    __slots__ = (
        "announced",
        "before",
        "behind",
        "dossier",
        "exempt",
        "followers",
        "kept",
        "keys",
        "misses",
        "plain",
        "read",
        "said",
        "settled",
        "spoken",
        "tcb",
        "topics",
        "trigger",
    )

    def __init__(
        self, packet: Packet, key: Key, now: float, inside: bool | None, by_client: bool
    ) -> None:
        super().__init__(packet, key, now, inside, by_client)
        self.dossier = BLANK
        self.tcb: Tcb | None = None
        self.plain: tuple[Rule, ...] = ()
        self.topics = NOTHING
        self.keys: tuple[residual.Key, ...] = ()
        self.exempt = self.settled = self.announced = False
        self.followers: tuple[Follower, ...] = ()
        self.spoken: App | None = None
        self.read = _UNREAD
        self.misses = self.kept = 0
        self.before: FlowState | None = None
        self.behind: FlowState | None = None
        self.said = _UNSAID
        self.trigger: Mapping[str, Any] | None = None

    def own(self) -> Dossier:
        """Return the flow's dossier, made now if it has none, to be written to."""
        if self.dossier is BLANK:
            self.dossier = Dossier()
        return self.dossier

    @property
    def idle(self) -> bool:
        """Whether no rule can do anything more with this flow, memories left aside."""
        if self.exempt:
            return not self.dossier.line
        return not (
            self.plain or self.topics.items or not (self.dossier is BLANK or self.dossier.idle)
        )

    def greeted(self, require: str) -> bool:
        """Say whether as much of the handshake was seen as `tcp.require` asks for."""
        if require == "none":
            return True
        client, server = self.client_first is not None, self.server_first is not None
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
        named = self.dossier.named
        if named is None:
            protocol = self.protocol
            named = self.own().named = {
                "protocol": _NAMES.get(protocol, str(protocol)),
                "client": str(ip_address(self.client)),
                "client_port": self.client_port,
                "server": str(ip_address(self.server)),
                "server_port": self.server_port,
            }
        return named


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
        "_dated",
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
        odds = [rule.odds for rule in policy.rules if rule.odds is not None]
        self._dated = any(one.per == "flow" for one in odds)
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

    def open(
        self, packet: Packet, key: Key, now: float, inside: bool | None, by_client: bool
    ) -> FlowState:
        """Make a flow's state at its first packet: choose the rules that could match it."""
        state = FlowState(packet, key, now, inside, by_client)
        if self._tracks and packet.protocol == _TCP:
            state.read = [0, 0]
            state.tcb = Tcb(self._policy.tcp, state, state.read)
        if self._dated:
            state.own().begun = now
        if self._kinds:
            state.keys = tuple([residual.key(kind, state) for kind in self._kinds])
        bound = [rule for rule in self._bound if rule.when.reaches(state)] if self._bound else ()
        if bound:
            rules = sorted((*self._any, *bound), key=lambda rule: self._places[rule.id])
            state.exempt, state.plain, state.topics = self._choose(rules, state)
        else:
            place = (packet.protocol, packet.dport if by_client else packet.sport)
            chosen = self._chosen.get(place)
            if chosen is None:
                chosen = self._choose(self._any, state)
                if len(self._chosen) < PLACES:
                    self._chosen[place] = chosen
            state.exempt, state.plain, state.topics = chosen
        if App.RTP in state.topics:
            self._listen(state, packet, now)
        return state

    def _listen(self, state: FlowState, packet: Packet, now: float) -> None:
        """Ask whether SDP spoke of a flow; what only SDP could tell is not asked again."""
        known = self._announced
        state.announced = self._listens and (
            known.holds((packet.src, packet.sport), now)
            or known.holds((packet.dst, packet.dport), now)
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
