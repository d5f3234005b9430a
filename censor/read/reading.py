"""Read what rules can see out of datagrams and streams, as well or badly as the policy says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from censor.dissect import certificate, dns, http, sdp, sip, stun, tls
from censor.dissect.head import split_host
from censor.dissect.outcome import Foreign, Incomplete
from censor.read.found import Found, Outcome
from censor.read.tunnel import read_openvpn, read_socks, read_ssh
from censor.rule.rules import REQUEST, App, HttpHabit, Message, Reading
from censor.rule.sight import CERTIFIED, METHODS

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


_FOREIGN: Final = Foreign("another protocol")
#: Flags of DNS that are not 0 in a response, or in what is no standard query.
_NOT_ASKED: Final = 0xF800
#: What SIP's responses and its requests have nothing to say about.
_ANSWERS_LACK: Final = frozenset((REQUEST, "sip.host", "sip.uri"))
_REQUESTS_LACK: Final = frozenset(("sip.status",))
#: A record of ChangeCipherSpec as TLS 1.2 and 1.3 clients send it. Source: RFC 8446 section 5.
_CCS: Final = b"\x14\x03\x03\x00\x01\x01"
_METHODS: Final = {number: name for name, number in METHODS.items()}


def read(
    app: App, data: bytes, reading: Reading, *, stream: bool, whole: bool, later: bool = False
) -> Outcome:
    """Read the first message of a datagram, or of a stream as far as it is there.

    `whole`: the box waits for the rest of a message; without it what is here must do. `later`: the
    stream had messages of this protocol before.
    """
    return _READERS[app](data, reading, stream, whole, later)


def _plain(name: str | None) -> str | None:
    return None if name is None else name.lower().strip(".")


def _dns(data: bytes, reading: Reading, stream: bool, whole: bool, later: bool) -> Outcome:
    if not stream and len(data) >= dns.HEADER and data[2] & 0x80:
        return Found((), len(data))  # a response: nothing in it is asked
    seen = dns.dissect(data, tcp=stream)
    if seen is None:
        return _FOREIGN
    if isinstance(seen, Incomplete):
        return seen
    length = 2 + int.from_bytes(data[:2], "big") if stream else len(data)
    if seen.flags & _NOT_ASKED or (len(seen.questions) != 1 and not reading.questions):
        return Found((), length)
    raw = bytes(data[2:length]) if stream else data
    return Found(tuple([_question(one, raw, seen.question_end) for one in seen.questions]), length)


def _question(one: dns.Question, raw: bytes, end: int) -> Message:
    name = _plain(one.name)
    trigger = {"dns.name": name or ".", "dns.qtype": _QTYPES.get(one.qtype, one.qtype)}
    return Message(App.DNS, name, None, one.qtype, trigger, raw, end)


def _tls(data: bytes, reading: Reading, whole: bool) -> Outcome:
    skipped = 0
    while reading.habit and data.startswith(_CCS, skipped):
        skipped += len(_CCS)
    if reading.habit and data[skipped:] and _CCS.startswith(data[skipped : skipped + len(_CCS)]):
        return Incomplete(len(_CCS) - len(data) + skipped)
    seen = tls.dissect(data[skipped:], partial=not whole)
    if not isinstance(seen, tls.ClientHello):
        return seen
    length = skipped + seen.length
    last = not reading.certificates
    if seen.records > 1 and not reading.records:
        return Found((), length, last=True)
    message = hello_trigger(App.TLS, seen)
    return Found((message if last else message._replace(lacks=CERTIFIED),), length, last=last)


def _certificate(data: bytes) -> Outcome:
    seen = certificate.dissect(data)
    if not isinstance(seen, certificate.Certificate):
        return seen
    trigger = {"tls.certificate": seen.names[0] if seen.names else None}
    message = Message(App.TLS, None, trigger=trigger, seen=seen, only=CERTIFIED)
    return Found((message,), seen.length, last=True)


def joined(hello: Message, shown: Message) -> Message:
    """Return what rules can see of a server's certificate and of the hello that it answers."""
    seen = certificate.Shown(hello.seen, shown.seen)
    trigger = {**hello.trigger, **shown.trigger}
    return shown._replace(name=hello.name, trigger=trigger, seen=seen)


def hello_trigger(app: App, hello: tls.ClientHello) -> Message:
    """Return what rules can see of a ClientHello, whichever protocol carried it."""
    name = _plain(hello.server_name)
    return Message(app, name, trigger={f"{app}.sni": name}, seen=hello)


def _http(data: bytes, reading: Reading, whole: bool) -> Outcome:
    seen = http.dissect(data, partial=not whole)
    if not isinstance(seen, http.Request):
        return seen
    habit: HttpHabit | None = reading.habit
    body = seen.header("content-length") or "0"
    unread = seen.header("transfer-encoding") is not None or not body.isdecimal()
    length = seen.header_end + (int(body[:10]) if not unread else 0)
    last = unread or not reading.later
    name = seen.host
    if habit is not None:
        head = data[: seen.header_end]
        if not habit.lf_only and head.count(b"\n") != head.count(b"\r\n"):
            return Found((), length, last=last)
        name = _host(seen, head, habit)
    name = _plain(name)
    message = Message(App.HTTP, name, seen.method, trigger={"http.host": name}, seen=seen)
    return Found((message,), length, last=last)


def _host(seen: http.Request, head: bytes, habit: HttpHabit) -> str | None:
    """Return whom a request is for, to a box that may be pickier than servers are."""
    hosts = seen.hosts
    if not habit.any_spelling:
        spelled = b"\nHost: " in head
        hosts = tuple(value for name, value in seen.headers if name == "Host" and spelled)
    absolute = "://" in seen.target or seen.method == "CONNECT"
    if absolute and not (habit.header_first and hosts):
        return seen.host
    return split_host(hosts[-1 if habit.last_host else 0])[0] if hosts else None


def _stun(data: bytes, reading: Reading, stream: bool, later: bool) -> Outcome:
    habit: stun.Habit | None = reading.habit
    wide = habit is not None and habit.wide
    seen = stun.dissect(data, tcp=stream, later=later, wide=wide)
    if isinstance(seen, Incomplete | Foreign):
        return seen
    method = -1 if isinstance(seen, stun.ChannelData) else seen.method
    trigger = {"stun.method": _METHODS.get(method, method)}
    return Found((Message(App.STUN, None, trigger=trigger, seen=seen),), seen.length)


def _sip(data: bytes, reading: Reading, stream: bool, whole: bool, later: bool) -> Outcome:
    seen = sip.dissect(data, partial=not whole or not stream)
    if isinstance(seen, Incomplete | Foreign):
        return seen
    length = seen.body + (seen.content_length or 0) if stream else len(data)
    announced = sdp.dissect(data[seen.body : length])
    if isinstance(seen, sip.Response):
        method = (seen.cseq or (None, None))[1]
        told = {"sip.status": seen.status, "sip.method": method}
        answer = Message(App.SIP, None, method, trigger=told, seen=seen, lacks=_ANSWERS_LACK)
        return Found((answer,), length, announced=announced)
    host = _plain(seen.uri.host)
    trigger = {"sip.method": seen.method, "sip.host": host}
    lacks = _REQUESTS_LACK
    message = Message(App.SIP, host, seen.method, trigger=trigger, seen=seen, lacks=lacks)
    return Found((message,), length, announced=announced)


#: How each protocol is read; each is told whether it is a stream, and `whole` and `later`.
_READERS: Final[Mapping[App, Callable[[bytes, Reading, bool, bool, bool], Outcome]]] = {
    App.DNS: _dns,
    App.TLS: lambda data, reading, stream, whole, later: (
        _certificate(data) if later else _tls(data, reading, whole)
    ),
    App.HTTP: lambda data, reading, stream, whole, later: _http(data, reading, whole),
    App.STUN: lambda data, reading, stream, whole, later: _stun(data, reading, stream, later),
    App.SSH: lambda data, reading, stream, whole, later: read_ssh(data, whole=whole),
    App.SOCKS: lambda data, reading, stream, whole, later: read_socks(data, later=later),
    App.OPENVPN: lambda data, reading, stream, whole, later: read_openvpn(data, later=later),
    App.SIP: _sip,
}


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
    yield _sip(data, anything, False, False, False)
