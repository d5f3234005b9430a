"""Carry out acts on one packet: verdict, forged packets, memories, and the events that say so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final, assert_never

from censor.act import (
    Act,
    BlockPage,
    Burden,
    DnsAnswer,
    Drop,
    Forger,
    Impostor,
    Intercept,
    Reset,
    Residual,
    RewriteHeader,
    RewriteReset,
    SipEnd,
    SipResponse,
    SynAck,
    Toward,
    Unreachable,
)
from censor.announced import Announced
from censor.burden import DROP as LOST
from censor.burden import Buckets, Load, Shelf, heads
from censor.case import Case
from censor.decision import PASS, SETTLED, Decision, Injection, Verdict
from censor.events import EngineWord, Event
from censor.handover import FAREWELL, hand_over
from censor.impostor import Peer
from censor.inquiry import LATE, PENDING, Pending
from censor.luck import Luck
from censor.packet import Packet
from censor.residual import Memories, Memory, key, spell
from censor.response import (
    Forged,
    Trigger,
    following,
    forge_answer,
    forge_at_once,
    forge_end,
    forge_impostor,
    forge_reset,
    forge_response,
)
from censor.rewriting import into_reset, set_fields, with_payload
from censor.rules import Message, Policy
from censor.takeover import Takeover
from censor.telephony import DIALOGUES
from censor.wire import Protocol

_TCP: Final = int(Protocol.TCP)
_SPACE: Final = 1 << 32

#: What an in-path block page does to the rest of the connection: both ends were told it is over.
_AFTER_PAGE: Final = Drop(flow=True, toward=Toward.BOTH)


@dataclass(frozen=True, slots=True)
class Court:
    """What all packets of one engine share."""

    policy: Policy
    luck: Luck
    memories: Memories
    announced: Announced
    buckets: Buckets
    shelf: Shelf
    follows_calls: bool


class Sentence:
    """What is decided about one packet, while it is being decided."""

    __slots__ = (
        "_court",
        "_data",
        "_injections",
        "_n",
        "_now",
        "_takeover",
        "_until",
        "acted",
        "case",
        "events",
        "from_client",
        "packet",
        "recalled",
        "remembered",
        "verdict",
    )

    def __init__(
        self, court: Court, case: Case, packet: Packet, now: float, n: int, events: list[Event]
    ) -> None:
        self.case = case
        self.packet = packet
        self.events = events
        self.from_client = case.flow.from_client(packet)
        self.verdict = Verdict.ACCEPT
        self.acted = self.remembered = self.recalled = False
        self._court = court
        self._now = now
        self._n = n
        self._injections: list[Injection] = []
        self._data: bytes | None = None
        self._until: float | None = None
        self._takeover: Takeover | None = None

    def decide(self, *, settled: bool) -> Decision:
        """Return the decision, or the shared one where nothing was done."""
        if not (self.events or self.remembered or self.acted):
            return SETTLED if settled else PASS
        return Decision(
            self.verdict,
            self._data,
            self._until,
            settled=settled and self.verdict is Verdict.ACCEPT,
            unsettle=self.remembered,
            injections=tuple(self._injections),
            events=tuple(self.events),
            takeover=self._takeover,
        )

    def heads(self, toward: Toward) -> bool:
        """Say whether the packet is on its way to such an end."""
        return heads(toward, self.from_client)

    def say(self, word: EngineWord, rule: str | None, detail: Mapping[str, Any]) -> None:
        """Add an event about this packet."""
        case = self.case
        more = {**detail, "residual": True} if self.recalled and word != "residual" else detail
        self.events.append(
            Event(self._now, word, self._n, case.named(), rule, case.trigger, dict(more))
        )

    def forget_media(self, end: tuple[bytes, int], limit: int) -> None:
        """Say that an announcement of media had to go for a newer one."""
        address, port = end
        named = {"address": str(ip_address(address)), "port": port}
        detail = {"what": "media", "end": named, "limit": limit}
        self.events.append(Event(self._now, "evicted", self._n, detail=detail))

    def forget_calls(self, former: Mapping[str, Any]) -> None:
        """Say that calls had to go for newer ones."""
        for call in former.keys() - self.case.dialogues.keys():
            self.say("evicted", None, {"what": "call", "call": call, "limit": DIALOGUES})

    def drop(self, rule: str) -> None:
        """Drop the packet, once."""
        self.acted = True
        if self.verdict is not Verdict.DROP:
            self.verdict = Verdict.DROP
            self._data = None
            self.say("dropped", rule, {"toward": "server" if self.from_client else "client"})

    def carry_out(self, act: Act, rule: str, message: Message | None) -> None:
        """Do one act for the packet; `message` is what triggered it, None for a rule or a memory
        that asks for none."""
        if act.chance < 1 and not self._fated(act):
            return
        luck = self._court.luck
        match act:
            case Drop():
                if act.flow:
                    self.case.doomed = (act, rule)
                if self.heads(act.toward):
                    self._refuse(rule)
            case Reset() | SynAck() | Unreachable() | BlockPage():
                self._inject(forge_at_once(act, self._trigger(act.drop, message), luck), rule, act)
                if act.drop and isinstance(act, BlockPage):
                    self.case.doomed = (_AFTER_PAGE, rule)
                    self.drop(rule)
                elif act.drop:
                    self._refuse(rule)
            case Impostor():
                self._pose(act, rule)
            case DnsAnswer():
                self._answer(act, rule, message)
            case SipResponse():
                forged = forge_response(act, self._trigger(act.drop, message), luck)
                self._inject(forged, rule, act)
                if act.drop and self.packet.protocol == _TCP and forged:
                    self.case.doomed = (_AFTER_PAGE, rule)
                if act.drop and not (message is not None and message.answers):
                    self._refuse(rule)
            case SipEnd():
                trigger = self._trigger(act.drop, message)
                forged = forge_end(act, trigger, luck, self.case.dialogues)
                self._inject(forged, rule, act, more=act.after)
                if act.drop:
                    self._refuse(rule)
            case Intercept():
                self._intercept(act, rule, message)
            case Burden():
                load = Load(act, rule, self._now, luck, fresh=message is not None)
                load.share(self.case.ends.pair, self._court.buckets, luck)
                self.case.burdens = {**self.case.burdens, act.name: load}
            case _:
                assert_never(act)
        if act.residual is not None:
            self._remember(act.residual, rule)

    def _fated(self, act: Act) -> bool:
        """Say whether an act's own chance came true for this flow; drawn once."""
        fates = self.case.fates
        if act.name not in fates:
            self.case.fates = fates = {**fates, act.name: self._court.luck.fires(act.chance)}
        return fates[act.name]

    # --- in a server's place -------------------------------------------------------------

    def _intercept(self, act: Intercept, rule: str, message: Message | None) -> None:
        """Let somebody else go on with the connection from here, and tell its server goodbye."""
        if message is None or self.verdict is not Verdict.ACCEPT:
            return
        case = self.case
        found = hand_over(act, case.flow, self.packet, case.greetings, message)
        if isinstance(found, str):
            self.say("unable", rule, {"reason": found})
            return
        self._takeover, self.verdict, self.acted = found, Verdict.DROP, True
        case.doomed = (_AFTER_PAGE, rule)
        self.say("intercepted", rule, {"signed": "self" if act.forgery.own else "ca"})
        trigger = self._trigger(True, message)
        self._inject(forge_reset(FAREWELL, trigger, self._court.luck), rule, FAREWELL)

    def _pose(self, act: Impostor, rule: str) -> None:
        """Answer the client as the server would that is not there; that one hears nothing."""
        luck, peer = self._court.luck, self.case.peer
        if peer is None or not peer.knows(self.packet):
            peer = self.case.peer = Peer(self.packet, luck.between(0, _SPACE - 1))
        trigger = self._trigger(act.drop, None)
        self._inject(forge_impostor(act, trigger, peer, luck), rule, act)
        if act.drop:
            self.drop(rule)

    # --- DNS -----------------------------------------------------------------------------

    def _answer(self, act: DnsAnswer, rule: str, message: Message | None) -> None:
        """Answer a query, or remember that its real answer is to be met."""
        if act.moment == "before":
            forged = forge_answer(act, self._trigger(act.drop, message), self._court.luck)
            self._inject(forged, rule, act)
            if act.drop:
                self._refuse(rule)
        elif message is not None and (self.packet.protocol != _TCP or act.over_tcp != "nothing"):
            if len(self.case.pending) >= PENDING:
                gone = self.case.pending[0]
                self.say("evicted", gone.rule, {"what": "query", "limit": PENDING})
            one = Pending.of(act, rule, self.packet, message)
            self.case.pending = [*self.case.pending[1 - PENDING :], one]

    def meet_answer(self, answer: bytes) -> None:
        """Do what waits for a real answer, if that is what this packet completes."""
        met = [one for one in self.case.pending if one.answered_by(answer)]
        self.case.pending = [one for one in self.case.pending if one not in met]
        for one in met:
            self.case.trigger = one.message.trigger
            forged = one.forge(self.packet, not self.from_client, self._court.luck)
            if one.act.moment != "instead":
                least = LATE if one.act.moment == "after" else None
                self._inject(forged, one.rule, one.act, least=least)
            elif self.packet.protocol != _TCP:
                for packet in (packet for made in forged for packet in made.packets):
                    start = 28 if packet[0] >> 4 == 4 else 48
                    self._rewrite(with_payload(self.packet, packet[start:]), one.rule)
            elif forged and len(answer) + 2 == self.packet.payload_length:
                self._inject(forged, one.rule, one.act)
                self.case.doomed = (_AFTER_PAGE, one.rule)
                self.drop(one.rule)

    # --- burdens -------------------------------------------------------------------------

    def bear(self) -> None:
        """Let the packet meet what its flow bears, unless it is dropped already."""
        case, court = self.case, self._court
        wait, holder = 0.0, ""
        standing = list(case.burdens.items())
        for name, load in standing:
            if load.over(self._now):
                case.burdens = {key: one for key, one in case.burdens.items() if key != name}
                continue
            pair, luck = case.ends.pair, court.luck
            held = load.weigh(self.packet, self.from_client, self._now, luck, pair, court.buckets)
            if held == LOST:
                self.drop(load.rule)
                return
            if held:
                wait, holder = wait + held, load.rule
        for name, load in standing:
            if name in case.burdens and heads(load.act.toward, self.from_client):
                self._alter(load)
        line = case.line.get(self.from_client, 0.0)
        if wait or line > self._now:
            self._hold(max(self._now + wait, line), holder or standing[0][1].rule)

    def _alter(self, load: Load) -> None:
        match load.act:
            case RewriteReset():
                self._rewrite(into_reset(self.packet, load.act.flags), load.rule)
            case RewriteHeader():
                data = set_fields(load.act, self.packet, self._court.luck)
                self._rewrite(data, load.rule)

    def _rewrite(self, data: bytes | None, rule: str) -> None:
        """Let the packet go on as `data`; only the first change of a packet counts."""
        if data is None or self.verdict is not Verdict.ACCEPT:
            return
        self.acted = True
        self.verdict = Verdict.REWRITE
        self._data = data
        toward = "server" if self.from_client else "client"
        self.say("rewritten", rule, {"toward": toward, "packets": [data.hex()]})

    def _hold(self, until: float, rule: str) -> None:
        """Hold the packet until then, if there is room for it."""
        toward = "server" if self.from_client else "client"
        if not self._court.shelf.take(until, self._now):
            self.say("evicted", rule, {"what": "held", "limit": self._court.shelf.limit})
            self.drop(rule)
            return
        self.acted = True
        self.verdict = Verdict.HOLD
        self._until = until
        self.case.line = {**self.case.line, self.from_client: until}
        seconds = until - self._now
        self.say("held", rule, {"toward": toward, "seconds": seconds, "until": until})

    # --- what acts are made of -----------------------------------------------------------

    def _trigger(self, dropped: bool, message: Message | None) -> Trigger:
        return Trigger(self.packet, self.from_client, self._following(), dropped, message)

    def _following(self) -> int:
        """Return the sequence number after what the sender has sent, holes left aside."""
        return following(self.packet, self.case.flow.heard(self.from_client))

    def _refuse(self, rule: str) -> None:
        """Drop the packet, and what repeats its bytes later."""
        if self.packet.protocol == _TCP and self.packet.payload_length:
            refused = (self._following() % _SPACE, rule)
            self.case.refused = {**self.case.refused, self.from_client: refused}
        self.drop(rule)

    def _inject(
        self,
        forged: Sequence[Forged],
        rule: str,
        act: Forger,
        *,
        more: float = 0.0,
        least: float | None = 0.0,
    ) -> None:
        """Send packets after the act's latency or else the box's, and `more` seconds; not before
        `least`, None: at once."""
        own = act.header.latency
        late = more + (self._court.policy.latency if own is None else own)
        after = 0.0 if least is None else max(least, late)
        inside = self.case.ends.inside
        for one in forged:
            if not one.packets:
                continue
            self.acted = True
            inward = one.to_client == inside
            self._injections += [Injection(data, inward, after) for data in one.packets]
            self.say(
                "injected",
                rule,
                {
                    "toward": "client" if one.to_client else "server",
                    "after": after,
                    "packets": [data.hex() for data in one.packets],
                },
            )

    def _remember(self, residual: Residual, rule: str) -> None:
        memories = self._court.memories
        since = self._now + residual.after
        own = key(residual.key, self.case.ends)
        old = memories.find((own,))
        if old is not None and old.since <= self._now < old.until:
            since = old.since  # what has begun goes on
        until = self._now + residual.after + residual.seconds
        memory = Memory(own, rule, until, residual, since)
        gone = memories.set(memory)
        if gone is not None:
            detail = {"what": "residual", "key": spell(gone.key), "limit": memories.limit}
            self.say("evicted", gone.rule, detail)
        self.remembered = True
        detail = {"key": spell(memory.key), "seconds": residual.seconds, "until": until}
        if residual.after:
            detail["since"] = since
        self.say("residual", rule, detail)
