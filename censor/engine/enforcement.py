"""Carry out acts on one packet."""

from __future__ import annotations

from typing import Final, assert_never

from censor.engine.decision import Verdict
from censor.engine.ruling import Ruling
from censor.interfere.burden import DROP as LOST
from censor.interfere.burden import Load, heads
from censor.interfere.handover import FAREWELL, hand_over
from censor.interfere.impostor import Peer
from censor.interfere.inquiry import LATE, PENDING, Pending
from censor.interfere.probing import LIMIT, Attempt
from censor.interfere.response import (
    forge_answer,
    forge_at_once,
    forge_end,
    forge_impostor,
    forge_probe,
    forge_reset,
    forge_response,
)
from censor.interfere.rewriting import into_reset, set_fields, with_payload
from censor.rule.act import (
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
from censor.rule.rules import Message
from censor.wire.number import Protocol

_TCP: Final = int(Protocol.TCP)
_SPACE: Final = 1 << 32

#: What an in-path block page does to the rest of the connection: both ends were told it is over.
_AFTER_PAGE: Final = Drop(flow=True, toward=Toward.BOTH)


class Enforcement(Ruling):
    """A ruling that comes of acts. `carry_out` each."""

    __slots__ = ()

    def carry_out(self, act: Act, rule: str, message: Message | None) -> None:
        """Do one act for the packet; `message` is what triggered it, None for a rule or a memory
        that asks for none."""
        if act.chance < 1 and not self._fated(act):
            return
        luck = self._context.luck
        match act:
            case Drop():
                if act.flow:
                    self.state.own().doomed = (act, rule)
                if self.heads(act.toward):
                    self._refuse(rule)
            case Reset() | SynAck() | Unreachable() | BlockPage():
                self._inject(forge_at_once(act, self._trigger(act.drop, message), luck), rule, act)
                if act.drop and isinstance(act, BlockPage):
                    self.state.own().doomed = (_AFTER_PAGE, rule)
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
                    self.state.own().doomed = (_AFTER_PAGE, rule)
                if act.drop and not (message is not None and message.answers):
                    self._refuse(rule)
            case SipEnd():
                trigger = self._trigger(act.drop, message)
                forged = forge_end(act, trigger, luck, self.state.dossier.dialogues)
                self._inject(forged, rule, act, more=act.after)
                if act.drop:
                    self._refuse(rule)
            case Intercept():
                self._intercept(act, rule, message)
            case Burden():
                load = Load(act, rule, self._now, luck, fresh=message is not None)
                load.share(self.state.pair, self._context.buckets, luck)
                self.state.own().burdens = {**self.state.dossier.burdens, act.name: load}
            case _:
                assert_never(act)
        if act.residual is not None:
            self._remember(act.residual, rule)

    def _fated(self, act: Act) -> bool:
        """Say whether an act's own chance came true for this flow; drawn once."""
        fates = self.state.dossier.fates
        if act.name not in fates:
            fates = {**fates, act.name: self._context.luck.fires(act.chance)}
            self.state.own().fates = fates
        return fates[act.name]

    # --- in a server's place -------------------------------------------------------------

    def _intercept(self, act: Intercept, rule: str, message: Message | None) -> None:
        """Let somebody else go on with the connection from here, and tell its server goodbye."""
        if message is None or self.verdict is not Verdict.ACCEPT:
            return
        state = self.state
        found = hand_over(act, state, self.packet, state.dossier.greetings, message)
        if isinstance(found, str):
            self.say("unable", rule, {"reason": found})
            return
        self._takeover, self.verdict, self.acted = found, Verdict.DROP, True
        state.own().doomed = (_AFTER_PAGE, rule)
        self.say("intercepted", rule, {"signed": "self" if act.forgery.own else "ca"})
        trigger = self._trigger(True, message)
        self._inject(forge_reset(FAREWELL, trigger, self._context.luck), rule, FAREWELL)

    def _pose(self, act: Impostor, rule: str) -> None:
        """Answer the client as the server would that is not there; that one hears nothing."""
        luck, peer = self._context.luck, self.state.dossier.peer
        if peer is None or not peer.knows(self.packet):
            peer = self.state.own().peer = Peer(self.packet, luck.between(0, _SPACE - 1))
        trigger = self._trigger(act.drop, None)
        self._inject(forge_impostor(act, trigger, peer, luck), rule, act)
        if act.drop:
            self.drop(rule)

    # --- probing back --------------------------------------------------------------------

    def _probe(self, act: Probe, rule: str) -> None:
        """Have the server asked later, from elsewhere, what its client asks it now."""
        attempt = Attempt.of(act, rule, self.packet, self._context.luck)
        if attempt is None or not self.from_client or self.packet.protocol != _TCP:
            return
        gone = self._context.attempts.add(attempt)
        if gone is not None:
            self.say("evicted", gone.rule, {"what": "probe", "limit": LIMIT})
        greeting = (attempt.hello(), b"")
        self._inject(forge_probe(attempt, greeting, self._context.luck), rule, act, more=act.after)
        if act.drop:
            self._refuse(rule)

    def meet_probe(self, attempt: Attempt) -> None:
        """Go on with a probe whose server says something, which is for nobody else."""
        act, rule, over = attempt.act, attempt.rule, attempt.outcome is not None
        said = attempt.meet(self.packet)
        if said is not None:
            self._inject(forge_probe(attempt, said, self._context.luck), rule, act)
        if attempt.outcome is not None and not over:
            self.say("probed", rule, {"outcome": attempt.outcome})
            if act.residual is not None and attempt.outcome in act.confirm:
                self._remember(act.residual, rule)
        if self._context.policy.in_path:
            self.drop(rule)

    # --- DNS -----------------------------------------------------------------------------

    def _answer(self, act: DnsAnswer, rule: str, message: Message | None) -> None:
        """Answer a query, or remember that its real answer is to be met."""
        if act.moment == "before":
            forged = forge_answer(act, self._trigger(act.drop, message), self._context.luck)
            self._inject(forged, rule, act)
            if act.drop:
                self._refuse(rule)
        elif message is not None and (self.packet.protocol != _TCP or act.over_tcp != "nothing"):
            pending = self.state.dossier.pending
            if len(pending) >= PENDING:
                self.say("evicted", pending[0].rule, {"what": "query", "limit": PENDING})
            one = Pending.of(act, rule, self.packet, message)
            self.state.own().pending = [*pending[1 - PENDING :], one]

    def meet_answer(self, answer: bytes) -> None:
        """Do what waits for a real answer, if that is what this packet completes."""
        dossier = self.state.own()
        met = [one for one in dossier.pending if one.answered_by(answer)]
        dossier.pending = [one for one in dossier.pending if one not in met]
        for one in met:
            self.state.trigger = one.message.trigger
            forged = one.forge(self.packet, not self.from_client, self._context.luck)
            if one.act.moment != "instead":
                least = LATE if one.act.moment == "after" else None
                self._inject(forged, one.rule, one.act, least=least)
            elif self.packet.protocol != _TCP:
                for packet in (packet for made in forged for packet in made.packets):
                    start = 28 if packet[0] >> 4 == 4 else 48
                    self._rewrite(with_payload(self.packet, packet[start:]), one.rule)
            elif forged and len(answer) + 2 == self.packet.payload_length:
                self._inject(forged, one.rule, one.act)
                self.state.own().doomed = (_AFTER_PAGE, one.rule)
                self.drop(one.rule)

    # --- burdens -------------------------------------------------------------------------

    def bear(self) -> None:
        """Let the packet meet what its flow bears, unless it is dropped already."""
        context, pair, dossier = self._context, self.state.pair, self.state.own()
        wait, holder = 0.0, ""
        standing, luck = list(dossier.burdens.items()), context.luck
        for name, load in standing:
            if load.over(self._now):
                dossier.burdens = {key: one for key, one in dossier.burdens.items() if key != name}
                continue
            held = load.weigh(self.packet, self.from_client, self._now, luck, pair, context.buckets)
            if held == LOST:
                self.drop(load.rule)
                return
            if held:
                wait, holder = wait + held, load.rule
        for name, load in standing:
            if name in dossier.burdens and heads(load.act.toward, self.from_client):
                self._alter(load)
        if wait:
            before, _ = dossier.line.get(self.from_client, (0.0, ""))
            self._hold(max(self._now + wait, before), holder)

    def line_up(self) -> None:
        """Hold the packet behind one that is held, whatever its flow bears by now."""
        dossier = self.state.own()
        line = {end: last for end, last in dossier.line.items() if last[0] > self._now}
        dossier.line = line
        if self.from_client in line:
            self._hold(*line[self.from_client])

    def _alter(self, load: Load) -> None:
        match load.act:
            case RewriteReset():
                self._rewrite(into_reset(self.packet, load.act.flags), load.rule)
            case RewriteHeader():
                data = set_fields(load.act, self.packet, self._context.luck)
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
        if not self._context.shelf.take(until, self._now):
            self.say("evicted", rule, {"what": "held", "limit": self._context.shelf.limit})
            self.drop(rule)
            return
        self.acted = True
        self.verdict = Verdict.HOLD
        self._until = until
        line = self.state.dossier.line
        self.state.own().line = {**line, self.from_client: (until, rule)}
        seconds = until - self._now
        self.say("held", rule, {"toward": toward, "seconds": seconds, "until": until})
