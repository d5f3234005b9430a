"""Follow a registration that a client makes by itself, message by message.

Wire:    RFC 3261 section 10; a challenge is met once (section 22.2).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from filterbed.probe.address import shown
from filterbed.probe.datagram import Datagram
from filterbed.probe.sip import Account, Message, parse, server
from filterbed.probe.stream import Row

#: More answers are no registration but a flood.
ANSWERS: Final = 32
_CREDENTIALS: Final = frozenset(("authorization", "proxy-authorization"))


@dataclass(slots=True)
class Registration:
    """What the messages seen so far amount to. Times are epoch seconds."""

    began: float | None = None  # the first REGISTER left
    asked: str = ""  # the CSeq that is being answered
    at: float = 0.0  # when it left first
    proved: bool = False  # it had credentials
    answers: list[Row] = field(default_factory=list)
    last: tuple[Message, Datagram] | None = None
    over: bool = False  # the last answer is final and no challenge that can be met
    refused: str | None = None  # an ICMP error instead of an answer

    def sent(self, data: bytes, at: float) -> None:
        """Note a message of ours."""
        message = parse(data)
        if message is None or message.method != "REGISTER" or message.code is not None:
            return
        number = message.headers.get("cseq", "")
        if number != self.asked and not self.over:
            self.began = self.began if self.began is not None else at
            self.asked, self.at = number, at
            self.proved = not _CREDENTIALS.isdisjoint(message.headers)

    def received(self, got: Datagram) -> None:
        """Note a message that came."""
        message = parse(got.data)
        if message is None or message.method != "REGISTER" or message.code is None:
            return
        number = message.headers.get("cseq", "")
        if len(self.answers) < ANSWERS:
            self.answers.append(
                {
                    "code": message.code,
                    "cseq": number.partition(" ")[0],
                    "server": server(message),
                    "from": f"{shown(got.address)}:{got.port}",
                    "ttl": got.ttl,
                    "seconds": round(got.at - self.at, 6),
                }
            )
        if number != self.asked or self.over or message.code < 200:
            return
        self.last = message, got
        self.over = message.code not in (401, 407) or self.proved

    def failed(self, word: str) -> None:
        """Note an ICMP error about a message of ours."""
        if self.last is None:
            self.refused = word

    @property
    def ok(self) -> bool:
        """Whether we are registered."""
        return self.over and self.last is not None and (self.last[0].code or 0) < 300

    def row(self, account: Account, seconds: float) -> Row:
        """Return the `sip.register` part of a measurement."""
        row: Row = {"address": account.address, "port": account.port, "outcome": "timeout"}
        row |= {"code": None, "server": None, "answered_by": None, "ttl": None}
        if self.refused:
            row["outcome"] = self.refused
        if self.last is not None and (message := self.last[0]):
            row |= {"code": message.code, "server": server(message), "ttl": self.last[1].ttl}
            row["answered_by"] = f"{shown(self.last[1].address)}:{self.last[1].port}"
            row["outcome"] = "ok" if self.ok else "rejected"
        return row | {"answers": self.answers, "seconds": round(seconds, 6)}
