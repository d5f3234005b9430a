"""Carry out acts on one packet: verdict, forged packets, memories, and the events that say so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final, assert_never

from censor.act import Act, BlockPage, DnsAnswer, Drop, Reset, Residual, Toward
from censor.announced import Announced
from censor.case import Case
from censor.decision import PASS, SETTLED, Decision, Injection, Verdict
from censor.events import EngineWord, Event
from censor.luck import Luck
from censor.packet import Packet
from censor.residual import Memories, Memory, key, spell
from censor.response import (
    Forged,
    Trigger,
    following,
    forge_answer,
    forge_page,
    forge_reset,
)
from censor.rules import Message, Policy
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


class Sentence:
    """What is decided about one packet, while it is being decided."""

    __slots__ = (
        "_court",
        "_injections",
        "_n",
        "_now",
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

    def decide(self, *, settled: bool) -> Decision:
        """Return the decision, or the shared one where nothing was done."""
        if not (self.events or self.remembered or self.acted):
            return SETTLED if settled else PASS
        return Decision(
            self.verdict,
            settled=settled and self.verdict is Verdict.ACCEPT,
            unsettle=self.remembered,
            injections=tuple(self._injections),
            events=tuple(self.events),
        )

    def heads(self, toward: Toward) -> bool:
        """Say whether the packet is on its way to such an end."""
        return toward is Toward.BOTH or (toward is Toward.SERVER) == self.from_client

    def say(self, word: EngineWord, rule: str, detail: Mapping[str, Any]) -> None:
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

    def drop(self, rule: str) -> None:
        """Drop the packet, once."""
        self.acted = True
        if self.verdict is Verdict.ACCEPT:
            self.verdict = Verdict.DROP
            self.say("dropped", rule, {"toward": "server" if self.from_client else "client"})

    def carry_out(self, act: Act, rule: str, message: Message | None) -> None:
        """Do one act for the packet; `message` is what triggered it, None for a rule or a memory
        that asks for none."""
        luck = self._court.luck
        match act:
            case Drop():
                if act.flow:
                    self.case.doomed = (act, rule)
                if self.heads(act.toward):
                    self._refuse(rule)
            case Reset():
                self._inject(forge_reset(act, self._trigger(act.drop, message), luck), rule)
                if act.drop:
                    self._refuse(rule)
            case DnsAnswer():
                self._inject(forge_answer(act, self._trigger(act.drop, message), luck), rule)
                if act.drop:
                    self._refuse(rule)
            case BlockPage():
                self._inject(forge_page(act, self._trigger(act.drop, message), luck), rule)
                if act.drop:
                    self.case.doomed = (_AFTER_PAGE, rule)
                    self.drop(rule)
            case _:
                assert_never(act)
        if act.residual is not None:
            self._remember(act.residual, rule)

    def _trigger(self, dropped: bool, message: Message | None) -> Trigger:
        return Trigger(self.packet, self.from_client, self._following(), dropped, message)

    def _following(self) -> int:
        """Return the sequence number after what the sender has sent, holes left aside."""
        after = following(self.packet)
        flow = self.case.flow
        stream = flow.client_stream if self.from_client else flow.server_stream
        if stream is None or stream.base is None or not stream.reassemble or stream.overflowed:
            return after
        joined = stream.base + len(stream.data)
        return joined if (joined - after) % _SPACE < _SPACE >> 1 else after

    def _refuse(self, rule: str) -> None:
        """Drop the packet, and what repeats its bytes later."""
        if self.packet.protocol == _TCP and self.packet.payload_length:
            self.case.refused[self.from_client] = (self._following() % _SPACE, rule)
        self.drop(rule)

    def _inject(self, forged: Sequence[Forged], rule: str) -> None:
        after = self._court.policy.latency
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
        until = self._now + residual.seconds
        memory = Memory(key(residual.key, self.case.ends), rule, until, residual)
        gone = memories.set(memory)
        if gone is not None:
            detail = {"what": "residual", "key": spell(gone.key), "limit": memories.limit}
            self.say("evicted", gone.rule, detail)
        self.remembered = True
        detail = {"key": spell(memory.key), "seconds": residual.seconds, "until": until}
        self.say("residual", rule, detail)
