"""Note what is decided about one packet: verdict, forged packets, memories, and events about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any, Final

from censor.engine.context import Context
from censor.engine.decision import PASS, SETTLED, Decision, Injection, Verdict
from censor.engine.state import FlowState
from censor.events import EngineWord, Event
from censor.interfere.burden import heads
from censor.interfere.residual import Memory, key, spell
from censor.interfere.response import Forged, Trigger, following
from censor.interfere.telephony import DIALOGUES
from censor.rule.act import Forger, Residual, Toward
from censor.rule.rules import Message
from censor.rule.takeover import Takeover
from censor.wire.number import Protocol
from censor.wire.packet import Packet

_TCP: Final = int(Protocol.TCP)
_SPACE: Final = 1 << 32


class Ruling:
    """What is decided about one packet, while it is being decided."""

    __slots__ = (
        "_context",
        "_data",
        "_injections",
        "_n",
        "_now",
        "_takeover",
        "_until",
        "acted",
        "events",
        "from_client",
        "packet",
        "recalled",
        "remembered",
        "state",
        "verdict",
    )

    def __init__(
        self,
        context: Context,
        state: FlowState,
        packet: Packet,
        now: float,
        n: int,
        events: list[Event],
    ) -> None:
        self.state = state
        self.packet = packet
        self.events = events
        self.from_client = state.from_client(packet)
        self.verdict = Verdict.ACCEPT
        self.acted = self.remembered = self.recalled = False
        self._context = context
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
        state = self.state
        more = {**detail, "residual": True} if self.recalled and word != "residual" else detail
        self.events.append(
            Event(self._now, word, self._n, state.named(), rule, state.trigger, dict(more))
        )

    def forget_media(self, end: tuple[bytes, int], limit: int) -> None:
        """Say that an announcement of media had to go for a newer one."""
        address, port = end
        named = {"address": str(ip_address(address)), "port": port}
        detail = {"what": "media", "end": named, "limit": limit}
        self.events.append(Event(self._now, "evicted", self._n, detail=detail))

    def forget_calls(self, former: Mapping[str, Any]) -> None:
        """Say that calls had to go for newer ones."""
        for call in former.keys() - self.state.dossier.dialogues.keys():
            self.say("evicted", None, {"what": "call", "call": call, "limit": DIALOGUES})

    def drop(self, rule: str) -> None:
        """Drop the packet, once."""
        self.acted = True
        if self.verdict is not Verdict.DROP:
            self.verdict = Verdict.DROP
            self._data = None
            self.say("dropped", rule, {"toward": "server" if self.from_client else "client"})

    def _trigger(self, dropped: bool, message: Message | None) -> Trigger:
        return Trigger(self.packet, self.from_client, self._following(), dropped, message)

    def _following(self) -> int:
        """Return the sequence number after what the sender has sent, holes left aside."""
        return following(self.packet, self.state.heard(self.from_client))

    def _refuse(self, rule: str) -> None:
        """Drop the packet, and what repeats its bytes later."""
        if self.packet.protocol == _TCP and self.packet.payload_length:
            refused = (self._following() % _SPACE, rule)
            known = self.state.dossier.refused
            self.state.own().refused = {**known, self.from_client: refused}
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
        late = more + (self._context.policy.latency if own is None else own)
        after = 0.0 if least is None else max(least, late)
        inside = self.state.inside
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
        memories = self._context.memories
        since = self._now + residual.after
        own = key(residual.key, self.state)
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
