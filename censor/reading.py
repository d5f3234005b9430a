"""Read what rules can see out of datagrams and streams, as well or badly as the policy says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from censor.dissect import dns, http, sip, tls
from censor.dissect.outcome import Foreign, Incomplete
from censor.rules import App, Message, Reading

_QTYPES: Final = {
    1: "A",
    2: "NS",
    5: "CNAME",
    6: "SOA",
    12: "PTR",
    15: "MX",
    16: "TXT",
    28: "AAAA",
    33: "SRV",
    35: "NAPTR",
    65: "HTTPS",
    255: "ANY",
}


@dataclass(frozen=True, slots=True)
class Found:
    """A message of a protocol: what rules can see of it (None: nothing, as in a response), and
    how many bytes it took; `last` says that nothing after it in its stream is read."""

    messages: tuple[Message, ...]
    length: int
    last: bool = False


Outcome = Found | Incomplete | Foreign
_FOREIGN: Final = Foreign("another protocol")


def read(app: App, data: bytes, reading: Reading, *, stream: bool, whole: bool) -> Outcome:
    """Read the first message of a datagram, or of a stream as far as it is there.

    `whole`: the box waits for the rest of a message; without it what is here must do.
    """
    if app is App.DNS:
        return _dns(data, reading, stream)
    if app is App.TLS:
        return _tls(data, reading, whole)
    if app is App.HTTP:
        return _http(data, reading, whole)
    return _sip(data, stream, whole)


def _plain(name: str | None) -> str | None:
    return None if name is None else name.lower().strip(".")


def _dns(data: bytes, reading: Reading, stream: bool) -> Outcome:
    if not stream and len(data) >= dns.HEADER and data[2] & 0x80:
        return Found((), len(data))  # a response: nothing in it is asked
    seen = dns.dissect(data, tcp=stream)
    if seen is None:
        return _FOREIGN
    if isinstance(seen, Incomplete):
        return seen
    length = 2 + int.from_bytes(data[:2], "big") if stream else len(data)
    if seen.qr or seen.opcode or (len(seen.questions) != 1 and not reading.questions):
        return Found((), length)
    raw = bytes(data[2:length]) if stream else data
    return Found(
        tuple(
            Message(
                App.DNS,
                _plain(one.name),
                qtype=one.qtype,
                trigger={
                    "dns.name": _plain(one.name) or ".",
                    "dns.qtype": _QTYPES.get(one.qtype, one.qtype),
                },
                raw=raw,
                question_end=seen.question_end,
            )
            for one in seen.questions
        ),
        length,
    )


def _tls(data: bytes, reading: Reading, whole: bool) -> Outcome:
    seen = tls.dissect(data, partial=not whole)
    if not isinstance(seen, tls.ClientHello):
        return seen
    if seen.records > 1 and not reading.records:
        return Found((), seen.length, last=True)
    name = _plain(seen.server_name)
    trigger: Mapping[str, str | None] = {"tls.sni": name}
    return Found((Message(App.TLS, name, trigger=trigger),), seen.length, last=True)


def _http(data: bytes, reading: Reading, whole: bool) -> Outcome:
    seen = http.dissect(data, partial=not whole)
    if not isinstance(seen, http.Request):
        return seen
    name = _plain(seen.host)
    body = seen.header("content-length") or "0"
    unread = seen.header("transfer-encoding") is not None or not body.isdecimal()
    length = seen.header_end + (int(body[:10]) if not unread else 0)
    return Found(
        (Message(App.HTTP, name, seen.method, trigger={"http.host": name}),),
        length,
        last=unread or not reading.later,
    )


def _sip(data: bytes, stream: bool, whole: bool) -> Outcome:
    seen = sip.dissect(data, partial=not whole or not stream)
    if isinstance(seen, Incomplete | Foreign):
        return seen
    length = seen.body + (seen.content_length or 0) if stream else len(data)
    if isinstance(seen, sip.Response):
        return Found((), length)
    host = _plain(seen.uri.host)
    trigger = {"sip.method": seen.method, "sip.host": host}
    return Found((Message(App.SIP, host, seen.method, trigger=trigger),), length)


def glance(data: bytes) -> Mapping[str, object] | None:
    """Name what a payload asks for, when all there is of it is one packet; None if nobody knows."""
    for found in _glances(data):
        if isinstance(found, Found) and found.messages:
            return found.messages[0].trigger
    return None


def _glances(data: bytes) -> Iterator[Outcome]:
    anything = Reading(None, frozenset())
    yield _tls(data, anything, False)
    yield _http(data, anything, False)
    yield _sip(data, False, False)
