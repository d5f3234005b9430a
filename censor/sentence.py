"""Carry out acts on one packet."""

from __future__ import annotations

from typing import Final, assert_never

from censor.act import (
    Act,
    BlockPage,
    Burden,
    DnsAnswer,
    Drop,
    Impostor,
    Intercept,
    Probe,
    Reset,
    RewriteHeader,
    RewriteReset,
    SipEnd,
    SipResponse,
    SynAck,
    Toward,
    Unreachable,
)
from censor.burden import DROP as LOST
from censor.burden import Load, heads
from censor.decision import Verdict
from censor.handover import FAREWELL, hand_over
from censor.impostor import Peer
from censor.inquiry import LATE, PENDING, Pending
from censor.probing import LIMIT, Attempt
from censor.response import (
    forge_answer,
    forge_at_once,
    forge_end,
    forge_impostor,
    forge_probe,
    forge_reset,
    forge_response,
)
from censor.rewriting import into_reset, set_fields, with_payload
from censor.rules import Message
from censor.ruling import Ruling
from censor.wire import Protocol

_TCP: Final = int(Protocol.TCP)
_SPACE: Final = 1 << 32

#: What an in-path block page does to the rest of the connection: both ends were told it is over.
_AFTER_PAGE: Final = Drop(flow=True, toward=Toward.BOTH)


class Sentence(Ruling):
    """A ruling that comes of acts. `carry_out` each."""

    __slots__ = ()

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
            case Probe():
                self._probe(act, rule)
                return  # what it leaves behind depends on what it finds
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

    # --- probing back --------------------------------------------------------------------

    def _probe(self, act: Probe, rule: str) -> None:
        """Have the server asked later, from elsewhere, what its client asks it now."""
        attempt = Attempt.of(act, rule, self.packet, self._court.luck)
        if attempt is None or not self.from_client or self.packet.protocol != _TCP:
            return
        gone = self._court.attempts.add(attempt)
        if gone is not None:
            self.say("evicted", gone.rule, {"what": "probe", "limit": LIMIT})
        greeting = (attempt.hello(), b"")
        self._inject(forge_probe(attempt, greeting, self._court.luck), rule, act, more=act.after)
        if act.drop:
            self._refuse(rule)

    def meet_probe(self, attempt: Attempt) -> None:
        """Go on with a probe whose server says something, which is for nobody else."""
        act, rule, over = attempt.act, attempt.rule, attempt.outcome is not None
        said = attempt.meet(self.packet)
        if said is not None:
            self._inject(forge_probe(attempt, said, self._court.luck), rule, act)
        if attempt.outcome is not None and not over:
            self.say("probed", rule, {"outcome": attempt.outcome})
            if act.residual is not None and attempt.outcome in act.confirm:
                self._remember(act.residual, rule)
        if self._court.policy.in_path:
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
