"""Inspect one packet: which rule, or which memory, has something to say to it."""

from __future__ import annotations

from collections.abc import Collection, Set
from typing import Final

from censor.dissect import rtp, stun
from censor.dissect.outcome import Foreign, Incomplete
from censor.engine.context import Context
from censor.engine.decision import Verdict
from censor.engine.enforcement import Enforcement
from censor.engine.state import BLANK, FlowState
from censor.events import Event
from censor.interfere.impostor import opens
from censor.interfere.telephony import learn
from censor.read.agenda import NOTHING as NO_TOPICS
from censor.read.follower import FOLLOWERS, PEEKING, Follower, MediaFollower, glance
from censor.read.found import Found, Outcome
from censor.read.reading import joined, read
from censor.rule.act import Act, Burden, Drop, Impostor, SynAck, Unreachable
from censor.rule.rules import App, Message, Rule
from censor.wire.number import Protocol, TcpFlag
from censor.wire.packet import Packet

_TCP: Final = int(Protocol.TCP)
_UDP: Final = int(Protocol.UDP)
_RST: Final = int(TcpFlag.RST)
_SYN: Final = int(TcpFlag.SYN)
_SPACE: Final = 1 << 32
_HALF: Final = 1 << 31

#: Protocols of TCP whose answers are read too.
_ANSWERING: Final = frozenset((App.SIP, App.STUN, App.RTP))

#: What is asked about a relay's datagram itself; the rest is asked about what it carries.
_OUTER: Final = frozenset((*PEEKING, App.STUN))
_INNER: Final = frozenset(App) - _OUTER

#: What may not overtake a packet that is held.
_GOES: Final = (Verdict.ACCEPT, Verdict.REWRITE)

Rules = tuple[Rule, ...]


class Inspection:
    """One packet of one flow. `inspect` it once."""

    __slots__ = ("_context", "_enforcement", "_need", "_now", "_packet", "_spared", "_state")

    def __init__(
        self,
        context: Context,
        state: FlowState,
        packet: Packet,
        now: float,
        n: int,
        events: list[Event],
    ) -> None:
        self._context = context
        self._state = state
        self._packet = packet
        self._now = now
        self._enforcement = Enforcement(context, state, packet, now, n, events)
        self._spared = False

    def inspect(self) -> Enforcement:
        """Ask what was decided before, rules about flows, rules about messages, then memories."""
        state, packet, enforcement = self._state, self._packet, self._enforcement
        dossier = state.dossier
        if dossier is not BLANK and self._serving():
            return enforcement
        if state.plain:
            self._hear_plain()
        if dossier.pending and not enforcement.from_client and packet.protocol == _UDP:
            enforcement.meet_answer(packet.payload)
        if state.topics.items and not enforcement.acted and packet.data_offset < packet.end:
            if packet.protocol == _TCP:
                self._read_stream()
            else:
                self._read_datagram()
        done = enforcement.acted or enforcement.remembered or state.exempt or self._spared
        if not done and self._context.memories.entries:
            self._recall()
        if state.dossier.burdens and not state.exempt and enforcement.verdict is Verdict.ACCEPT:
            enforcement.bear()
        if state.dossier.line and enforcement.verdict in _GOES:
            enforcement.line_up()
        return enforcement

    def _serving(self) -> bool:
        """Drop what was condemned before; say whether nothing else need be asked."""
        state, enforcement = self._state, self._enforcement
        dossier = state.dossier
        if dossier.doomed is not None:
            act, rule = dossier.doomed
            if enforcement.heads(act.toward):
                enforcement.drop(rule)
            return True
        refused = dossier.refused.get(enforcement.from_client)
        if refused is None or not self._packet.payload_length:
            return False
        end, rule = refused
        if not 0 < (end - self._packet.seq) % _SPACE < _HALF:
            return False
        enforcement.drop(rule)
        return True

    # --- rules ---------------------------------------------------------------------------

    def _hear_plain(self) -> None:
        for rule in self._state.plain:
            if not rule.when.fits(self._packet):
                continue
            bound = self._state.dossier.bound.get(rule.id)
            if bound is False:
                continue  # its chance was drawn once, for the whole flow
            fired = any(self._applies(act, rule) for act in rule.then) and self._fire(rule, None)
            if (fired or bound) and not rule.goes_on:
                return

    def _applies(self, act: Act, rule: Rule | None = None) -> bool:
        """Say whether an act could do anything with this packet by itself."""
        if isinstance(act, Drop):
            return self._enforcement.heads(act.toward)
        if isinstance(act, Burden):
            return rule is not None and rule.id not in self._state.dossier.bound
        packet = self._packet
        if isinstance(act, SynAck):
            return opens(packet)
        if isinstance(act, Impostor):  # the packet is the client's, who believes in a server
            return packet.protocol == _TCP and self._enforcement.from_client
        if isinstance(act, Unreachable):  # no errors about errors: RFC 1122 section 3.2.2
            return not packet.fragment and packet.icmp_type in (-1, 8, 128)
        return packet.protocol == _TCP and not packet.flags & _RST

    def _hear_message(self, message: Message, rules: Rules) -> None:
        state = self._state
        state.trigger = message.trigger
        for rule in rules:
            if message.only and not message.only & rule.when.asks:
                continue
            if not (rule.when.hears(state, message) and rule.when.fits(self._packet)):
                continue
            if rule.allows:
                state.exempt = state.protocol == _TCP or message.app in FOLLOWERS
                self._spared = True
                return
            if self._fire(rule, message) and not rule.goes_on:
                return

    def _fire(self, rule: Rule, message: Message | None) -> bool:
        """Do what a rule that matches says, with its chance; say whether it came to that."""
        fires = self._comes_true(rule)
        if (message and not message.repeated) or rule.id not in self._state.said:
            self._state.said |= {rule.id}
            self._enforcement.say("matched", rule.id, {} if fires else {"fired": False})
        acts = [act for act in rule.then if message is not None or self._applies(act, rule)]
        if message is None and any(isinstance(act, Burden) for act in acts):
            bound = self._state.dossier.bound
            self._state.own().bound = {**bound, rule.id: fires}
        if message is not None and message.repeated:
            acts = [act for act in acts if act.name not in self._state.dossier.burdens]
        if fires:
            for act in acts:
                self._enforcement.carry_out(act, rule.id, message)
        return fires

    def _comes_true(self, rule: Rule) -> bool:
        luck, odds = self._context.luck, rule.odds
        if odds is None:
            return luck.fires(rule.chance)
        if odds.per == "match":
            return luck.fires(odds.chance(self._now))
        state = self._state
        return luck.certain or odds.comes_true(luck.seed, state, state.dossier.begun, self._now)

    # --- messages ------------------------------------------------------------------------

    def _read_datagram(self) -> None:
        payload = self._packet.payload
        inner = self._relayed(payload)
        if inner is None:
            if not self._ask(payload):
                self._miss()
            return
        self._ask(payload, _OUTER)
        if not self._enforcement.acted:
            self._ask(inner, _INNER)

    def _relayed(self, payload: bytes) -> bytes | None:
        """Return what a relay carries in a datagram, if the box looks into that."""
        reading = self._context.policy.readings[App.STUN]
        habit: stun.Habit | None = reading.habit
        if habit is None or not habit.relayed or _UDP not in reading.protocols:
            return None
        if reading.ports is not None and self._state.server_port not in reading.ports:
            return None
        return stun.relayed(payload, wide=habit.wide)

    def _ask(self, payload: bytes, apps: Set[App] | None = None) -> bool:
        """Ask some protocols about a datagram, until one says that it is its own; say whether."""
        state, readings = self._state, self._context.policy.readings
        for app, rules in state.topics.items:
            if apps is not None and app not in apps:
                continue
            if app in FOLLOWERS:
                found = self._follow(app, rules, payload)
            else:
                found = read(app, payload, readings[app], stream=False, whole=False)
                if isinstance(found, Found):
                    if found.messages:
                        state.spoken = app
                    if app is App.SIP:
                        self._learn(payload)
                    self._take(found, rules)
            if isinstance(found, Found) and (app not in PEEKING or self._enforcement.acted):
                return True
        return False

    def _follow(self, app: App, rules: Rules, payload: bytes) -> Outcome:
        """Show a payload to what reads several together; let that go once it has read enough."""
        state, follower = self._state, self._follower(app)
        tcp = self._packet.protocol == _TCP
        found = follower.feed(payload, self._enforcement.from_client, tcp)
        if isinstance(found, Found):
            self._take(found, rules)
        if follower.finished and (app in PEEKING or not self._enforcement.acted):
            state.topics = state.topics.without(app)
            self._dismiss(app)
        return found

    def _follower(self, app: App) -> Follower:
        """Return the flow's follower of a protocol, made if there is none."""
        state = self._state
        for known in state.followers:
            if known.app is app:
                return known
        follower = FOLLOWERS[app](self._context.policy.readings[app], state.announced)
        state.followers = (*state.followers, follower)
        return follower

    def _dismiss(self, app: App) -> None:
        state = self._state
        state.followers = tuple([one for one in state.followers if one.app is not app])

    def _frame(self, data: bytes) -> Outcome:
        """Show a frame of a stream to what follows media; Source: RFC 4571."""
        frame = rtp.unframe(data)
        if not isinstance(frame, bytes):
            return frame
        follower = self._follower(App.RTP)
        found = follower.feed(frame, self._enforcement.from_client, True)
        if follower.finished:
            return Foreign("no media after all")
        messages = found.messages if isinstance(found, Found) else ()
        return Found(messages, rtp.FRAME + len(frame))

    def _learn(self, data: bytes) -> None:
        """Follow calls, if the policy has a use for it."""
        if self._context.follows_calls:
            dialogues = self._state.dossier.dialogues
            self._state.own().dialogues = learn(dialogues, data, self._enforcement.from_client)
            self._enforcement.forget_calls(dialogues)

    def _take(self, found: Found, rules: Rules) -> None:
        """Hear what was found, and remember where it says that media will go."""
        if found.announced:
            for end in self._context.announced.add(found.announced, self._now):
                self._enforcement.forget_media(end, self._context.announced.limit)
        for message in found.messages:
            self._hear_message(self._answering(message) if message.only else message, rules)

    def _answering(self, message: Message) -> Message:
        """Return a server's certificate together with the hello that it answers."""
        stream = self._state.client_stream
        said = b"" if stream is None else bytes(stream.data)
        reading = self._context.policy.readings[App.TLS]
        hello = read(App.TLS, said, reading, stream=True, whole=stream is None or stream.reassemble)
        if isinstance(hello, Found) and hello.messages:
            return joined(hello.messages[0], message)
        return message._replace(lacks=message.only)  # what it answers is forgotten

    def _miss(self) -> None:
        """Count a payload that no topic knows; after enough of them the box gives up.

        What reads several payloads together has bounds of its own. A flow whose protocol is known
        is read to its end: telephones send empty datagrams for hours between two calls.
        """
        if self._state.spoken is not None:
            return
        self._state.misses += 1
        if self._state.misses >= self._context.policy.limits.give_up:
            self._keep_only(PEEKING if self._packet.protocol == _TCP else FOLLOWERS.keys())

    def _keep_only(self, apps: Collection[App]) -> None:
        self._state.topics = self._state.topics.only(apps)

    def _read_stream(self) -> None:
        """Add a segment to its stream, and hear the messages that are complete now."""
        state, packet, tcp = self._state, self._packet, self._context.policy.tcp
        from_client, payload = self._enforcement.from_client, packet.payload
        if state.tcb is not None and not state.tcb.reads:
            return
        if not state.greeted(self._context.policy.tcp.require):
            state.topics = NO_TOPICS
            return
        for app in PEEKING:
            if app in state.topics:
                self._follow(app, state.topics[app], payload)
            if self._enforcement.acted:
                return
        if state.spoken is App.RTP and App.RTP in state.topics:
            follower = self._follower(App.RTP)
            if isinstance(follower, MediaFollower) and follower.known:
                self._take(follower.carried(payload), state.topics[App.RTP])
                return
        answering = state.spoken in _ANSWERING or (
            (state.spoken is App.DNS and self._context.policy.awaits_answers)
            or (state.spoken is App.TLS and self._context.policy.readings[App.TLS].certificates)
        )
        if not (from_client or tcp.both or answering):
            if state.client_stream is None:
                self._miss()  # the server speaks first: none of our protocols begins so
            return
        stream = state.stream(
            from_client, limit=tcp.limit, overlap=tcp.overlap, reassemble=tcp.reassemble
        )
        if not stream.feed(packet.seq, payload, syn=packet.flags & _SYN != 0):
            if stream.overflowed and from_client:
                self._keep_only(PEEKING)
            return
        if not tcp.reassemble:
            if not self._read_message(bytes(stream.data), whole=False):
                self._miss()
            return
        done = self._enforcement
        while state.topics.items and not done.acted and len(stream.data) >= stream.wanted:
            start = state.read[from_client]
            length = self._read_message(bytes(stream.data[start:]), whole=True)
            if length == 0:
                stream.wanted = len(stream.data) + self._need
                break
            state.judged(from_client, start + length)
        if stream.overflowed and from_client:
            self._keep_only(PEEKING)

    def _read_message(self, data: bytes, *, whole: bool) -> int:
        """Read one message of whichever protocol it is; return its length, 0 if there is none.

        Then `_need` is how many bytes must come before there can be one: reading the same again
        with every segment would cost the square of what a client sends in small ones.
        """
        state, needs = self._state, []
        for app, rules in state.topics.items:
            if app in PEEKING:
                continue
            reading, later = self._context.policy.readings[app], state.spoken is app
            if app is App.RTP:
                found = self._frame(data)
            else:
                found = read(app, data, reading, stream=True, whole=whole, later=later)
            if isinstance(found, Found):
                state.spoken = app
                if app is App.SIP:
                    self._learn(data[: found.length])
                if app is App.DNS and state.dossier.pending and not self._enforcement.from_client:
                    self._enforcement.meet_answer(data[2 : found.length])
                self._keep_only(PEEKING if found.last else (*PEEKING, app))
                self._take(found, rules)
                return found.length
            if isinstance(found, Incomplete):
                needs.append(found.need)
            elif whole:
                state.topics = state.topics.without(app)
        self._need = min(needs, default=1)
        return 0

    # --- memories ------------------------------------------------------------------------

    def _recall(self) -> None:
        """Do what a memory says, if one reaches this packet."""
        memory = self._context.memories.find(self._state.keys)
        packet, enforcement = self._packet, self._enforcement
        if memory is None or self._now < memory.since:
            return
        acts = memory.residual.then
        greets = opens(packet) and any(isinstance(act, SynAck) for act in acts)
        if greets:  # such a box answers a SYN, and nothing else it does is about that
            acts = tuple(act for act in acts if isinstance(act, SynAck))
        elif memory.residual.data_only and not packet.payload_length:
            return
        if self._state.trigger is None and packet.payload_length:
            self._state.trigger = glance(packet.payload, packet.protocol == _UDP)
        enforcement.recalled = True
        for act in acts:
            if self._applies(act):
                enforcement.carry_out(act, memory.rule, None)
        if enforcement.acted and memory.residual.renew:
            self._context.memories.renew(memory, self._now)
