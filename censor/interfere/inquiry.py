"""Await the real answer to a DNS query, and forge what is said with it, after it or instead of it.

Over TCP a forged answer has the real one's sequence numbers, and the connection ends with it: a
late one is bytes that its client has already, one that stands instead is all the client gets.
Limits:  an answer over TCP is replaced only where it has a segment of its own; else its beginning
         has passed already, and it passes whole.
Source:  RFC 7766 section 8 (two bytes of length); facts dns-dual-reply-baseline, ir-dns.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Final

from censor.interfere.response import Forged, Trigger, forge_answer
from censor.rule.act import DnsAnswer, Header, Number
from censor.rule.luck import Luck
from censor.rule.rules import Message
from censor.wire.number import Protocol
from censor.wire.packet import Packet

_TCP: Final = int(Protocol.TCP)

#: As in the packet that it stands for.
_SAME: Final = Number(0, 0, mirror=True)

#: How long after the real answer a late one leaves, at least, in seconds: what a box sends is on
#: its way before the packet that it was decided upon.
LATE: Final = 0.002

#: Queries of one flow whose answers are awaited, at most.
PENDING: Final = 64


@dataclass(frozen=True, slots=True)
class Pending:
    """A DNS query whose real answer an act waits for; `question` is in lower state."""

    number: bytes
    question: bytes
    act: DnsAnswer
    rule: str
    asked: Packet
    message: Message

    @classmethod
    def of(cls, act: DnsAnswer, rule: str, asked: Packet, message: Message) -> Pending:
        """Await the answer to the query that a packet asked last."""
        raw = message.raw
        question = raw[12 : message.question_end].lower()
        return cls(raw[:2], question, act, rule, asked, message)

    def answered_by(self, answer: bytes) -> bool:
        """Say whether a DNS message from the server answers it."""
        stop = 12 + len(self.question)
        return (
            len(answer) >= stop
            and answer[2] & 0x80 != 0
            and answer[:2] == self.number
            and answer[12:stop].lower() == self.question
        )

    def forge(self, real: Packet, to_client: bool, luck: Luck) -> Sequence[Forged]:
        """Forge what is said now that the real answer has come in a packet."""
        asked = self.asked
        act, following = self.act, 0
        if real.protocol == _TCP:
            asked, following = copy(asked), real.ack
            asked.ack = real.seq
            if act.moment == "instead":
                asked.ttl, asked.ip_id = real.ttl, real.ip_id
                act = replace(act, header=Header(_SAME, _SAME, real.df))
        return forge_answer(act, Trigger(asked, to_client, following, False, self.message), luck)
