"""Forge what ends a call: SIP responses, BYE and CANCEL, from what its own messages said.

A response is the one the request's sender waits for: its Via, From, Call-ID and CSeq, and a tag on
To. A BYE needs the dialogue: who called whom, with which tags, over which route.
Source: RFC 3261 sections 8.2.6 (responses), 9.1 (CANCEL), 12 (dialogues), 15.1.1 (BYE), 18.2.2
    (where responses go); RFC 3581 (rport).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from censor.dissect import sip

_PORT: Final = re.compile(r"SIP/2\.0/\w+\s+(\[[^\]]*\]|[^\s:;,]+)(?:\s*:\s*(\d{1,5}))?", re.I)
_RPORT: Final = re.compile(r";\s*rport(?=\s*(?:;|$))", re.I)
_TAG: Final = re.compile(r";\s*tag\s*=", re.I)
_URI: Final = re.compile(r"<([^<>]*)>")

#: Dialogues remembered of one flow, at most; the oldest goes.
DIALOGUES: Final = 16

REASONS: Final[Mapping[int, str]] = {
    400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 408: "Request Timeout", 410: "Gone", 415: "Unsupported Media Type",
    480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist", 486: "Busy Here",
    487: "Request Terminated", 488: "Not Acceptable Here", 500: "Server Internal Error",
    501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable",
    504: "Server Time-out", 600: "Busy Everywhere", 603: "Decline", 604: "Does Not Exist Anywhere",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Dialogue:
    """One call as its messages tell: header values as they came.

    `by_client`: the flow's client called. `to` has a tag once the call was answered. Routes are in
    the order in which the end that uses them writes them.
    """

    call_id: str
    number: int
    by_client: bool
    caller: str
    to: str
    caller_contact: str
    callee_contact: str
    via: str
    caller_route: tuple[str, ...] = ()
    callee_route: tuple[str, ...] = ()
    answered: bool = False


Dialogues = Mapping[str, Dialogue]


def learn(known: Dialogues, data: bytes, from_client: bool) -> Dialogues:
    """Return the dialogues known after one more message of a flow."""
    seen = sip.dissect(data, partial=True)
    if not isinstance(seen, sip.Request | sip.Response):
        return known
    call_id, cseq = seen.call_id, seen.cseq
    if call_id is None or cseq is None or cseq[0] is None or cseq[1].upper() != "INVITE":
        return known
    if isinstance(seen, sip.Request):
        made = Dialogue(
            call_id,
            cseq[0],
            from_client,
            seen.header("from") or "",
            seen.header("to") or "",
            _contact(seen) or seen.uri.text,
            seen.uri.text,
            seen.via or "",
            callee_route=seen.values("record-route"),
        )
        rest = {key: one for key, one in known.items() if key != call_id}
        while len(rest) >= DIALOGUES:
            del rest[next(iter(rest))]
        return {**rest, call_id: made}
    one = known.get(call_id)
    if one is None or not 200 <= seen.status < 300 or from_client == one.by_client:
        return known
    answered = replace(
        one,
        to=seen.header("to") or one.to,
        callee_contact=_contact(seen) or one.callee_contact,
        caller_route=seen.values("record-route")[::-1],
        answered=True,
    )
    return {**known, call_id: answered}


def _contact(message: sip.Message) -> str | None:
    value = message.header("contact")
    if value is None:
        return None
    found = _URI.search(value)
    return found[1] if found else value.partition(";")[0].strip()


def response(
    request: sip.Request, status: int, reason: str | None, tag: str, source: tuple[str, int]
) -> bytes:
    """Answer a request; `source` is where it came from, for Via, `tag` the answerer's."""
    first, *others = request.values("via") or ("",)
    filled = _RPORT.sub(f";received={source[0]};rport={source[1]}", first, count=1)
    to = request.header("to") or ""
    lines = [f"SIP/2.0 {status} {REASONS.get(status, '') if reason is None else reason}"]
    lines += [f"Via: {via}" for via in (filled, *others)]
    lines += [
        f"From: {request.header('from') or ''}",
        f"To: {to}" if _TAG.search(to) else f"To: {to};tag={tag}",
        f"Call-ID: {request.call_id or ''}",
        f"CSeq: {request.header('cseq') or ''}",
    ]
    return _message(lines)


def response_port(request: sip.Request, sport: int) -> int:
    """Return the port a response over UDP goes to."""
    via = request.via or ""
    if _RPORT.search(via):
        return sport
    found = _PORT.match(via)
    return min(int(found[2]), 65535) if found and found[2] else 5060


def bye(one: Dialogue, transport: str, here: str, branch: str, *, to_caller: bool) -> bytes:
    """End a call in the name of the end it is not sent to.

    `here`: address and port of that end, where nothing better is known for Via.
    """
    found = _PORT.match(one.via)
    place = here
    if found and not to_caller:
        place = found[1] + (f":{found[2]}" if found[2] else "")
    target = one.caller_contact if to_caller else one.callee_contact
    route = one.callee_route if to_caller else one.caller_route
    sender, receiver = (one.to, one.caller) if to_caller else (one.caller, one.to)
    return _message(
        [
            f"BYE {target} SIP/2.0",
            f"Via: SIP/2.0/{transport} {place};branch=z9hG4bK{branch};rport",
            "Max-Forwards: 70",
            *(f"Route: {value}" for value in route),
            f"From: {sender}",
            f"To: {receiver}",
            f"Call-ID: {one.call_id}",
            f"CSeq: {one.number + 1} BYE",
        ]
    )


def cancel(invite: sip.Request) -> bytes:
    """Cancel an INVITE in its sender's name."""
    number = next(iter((invite.header("cseq") or "").split()), "1")
    return _message(
        [
            f"CANCEL {invite.uri.text} SIP/2.0",
            f"Via: {invite.via or ''}",
            "Max-Forwards: 70",
            *(f"Route: {value}" for value in invite.values("route")),
            f"From: {invite.header('from') or ''}",
            f"To: {invite.header('to') or ''}",
            f"Call-ID: {invite.call_id or ''}",
            f"CSeq: {number} CANCEL",
        ]
    )


def _message(lines: list[str]) -> bytes:
    text = "\r\n".join([*lines, "Content-Length: 0", "", ""])
    return text.encode("latin-1", "replace")
