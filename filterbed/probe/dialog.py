"""Follow a call's signalling, message by message: who said what, and when.

Wire:    RFC 3261 sections 13 (INVITE), 15 (BYE), 17.1.1 (a refusal is acknowledged).

Every answer to INVITE is kept, in order of arrival: a forged answer that races the callee's own
shows as two that contradict each other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from filterbed.probe import account
from filterbed.probe.address import shown
from filterbed.probe.datagram import Datagram
from filterbed.probe.sip import Message, parse, server
from filterbed.probe.stream import Row

#: A dialog keeps this many answers; more are no call but a flood.
ANSWERS: Final = 32


@dataclass(slots=True)
class Dialog:
    """What the messages seen so far amount to. Times are epoch seconds."""

    began: float | None = None  # the first INVITE left
    tries: int = 0  # INVITEs with credentials or without
    asked: str = ""  # the CSeq of the INVITE that is being answered
    code: int | None = None  # of the last answer to it
    answered: Message | None = None
    server: str | None = None  # as the last answer names itself
    by: Datagram | None = None  # the final answer, or the last there was
    answers: list[Row] = field(default_factory=list)
    marks: dict[str, float] = field(default_factory=dict)
    hung_up: bool = False  # our BYE left
    cut: bool = False  # a BYE came before ours
    ended: bool = False  # the BYE was answered, or a refusal acknowledged
    told: account.Account | None = None  # what the other end said of its media
    refused: str | None = None  # an ICMP error instead of an answer

    def sent(self, data: bytes, at: float) -> None:
        """Note a message of ours."""
        message = parse(data)
        if message is None or message.code is not None:
            return
        number = message.headers.get("cseq", "")
        match message.method:
            case "INVITE" if number != self.asked:
                self.began = self.began if self.began is not None else at
                self.asked, self.code, self.tries = number, None, self.tries + 1
                self.marks.pop("refused", None)  # it was a challenge
            case "ACK" if (self.code or 0) >= 300:
                self.ended = self.tries > 1 or self.code not in (401, 407)
            case "BYE" if not self.cut:
                self.hung_up = True
                self.marks.setdefault("bye", at)

    def received(self, got: Datagram) -> None:
        """Note a message that came."""
        message = parse(got.data)
        if message is None:
            return
        match message.method, message.code:
            case "INVITE", int(code):
                self._answer(message, code, got)
            case "BYE", None if not self.hung_up:
                self.cut = True
                self.marks.setdefault("bye", got.at)
                self._told(message)
            case "BYE", int(code) if code >= 200:
                self.ended = True
                self.marks.setdefault("ended", got.at)
                self._told(message)

    def _answer(self, message: Message, code: int, got: Datagram) -> None:
        number = message.headers.get("cseq", "")
        if len(self.answers) < ANSWERS:
            self.answers.append(
                {
                    "cseq": number.partition(" ")[0],
                    "code": code,
                    "server": server(message),
                    "from": f"{shown(got.address)}:{got.port}",
                    "ttl": got.ttl,
                    "seconds": round(got.at - (self.began or got.at), 6),
                }
            )
        if number != self.asked or (self.code or 0) >= 200:
            return
        self.code, self.server, self.by = code, server(message), got
        self.answered = message if code == 200 else None
        for word, codes in _MARKS.items():
            if code in codes:
                self.marks.setdefault(word, got.at)

    def _told(self, message: Message) -> None:
        if value := message.headers.get(account.HEADER.lower()):
            self.told = account.understand(value) or self.told

    def since(self, mark: str) -> float | None:
        """Return when something happened, in seconds since the first INVITE."""
        if self.began is None or mark not in self.marks:
            return None
        return round(self.marks[mark] - self.began, 6)

    def outcome(self) -> str:
        """Return the outcome in the measurement's words."""
        if self.answered:
            return "ok"
        if (self.code or 0) >= 300:
            return "rejected"
        return self.refused or "timeout"

    def end(self, media: bool) -> dict[str, Any]:
        """Say why the call ended; `media` is whether any came.

        `why` is completed, silent (completed, and no media came), bye (the other side's came
        first), rejected, refused or unreachable (ICMP), or timeout; then `at` is the message that
        was not answered.
        """
        outcome = self.outcome()
        found: dict[str, Any] = {"why": outcome, "at": None, "code": None, "seconds": None}
        if outcome == "rejected":
            return found | {"code": self.code, "seconds": self.since("refused")}
        if outcome != "ok":
            return found | {"at": "INVITE", "code": self.code}
        if self.cut:
            return found | {"why": "bye", "seconds": self._talked()}
        if not self.ended:
            return found | {"why": "timeout", "at": "BYE", "seconds": self._talked()}
        return found | {"why": "completed" if media else "silent", "seconds": self._talked()}

    def _talked(self) -> float | None:
        if "bye" not in self.marks or "answered" not in self.marks:
            return None
        return round(self.marks["bye"] - self.marks["answered"], 6)


_MARKS: Final = {
    "trying": range(100, 101),
    "ringing": range(180, 184),
    "answered": range(200, 300),
    "refused": range(300, 700),
}
