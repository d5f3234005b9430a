"""What is fuzzed: every dissector, the packet parser, the engine, and the files people hand in.

A target takes any bytes. It may raise nothing but `Broken`, which is what it found.
"""

from __future__ import annotations

import json
import ssl
import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

from censor.dissect import (
    datagram,
    dns,
    dtls,
    http,
    icmp,
    openvpn,
    quic,
    quic_habit,
    quic_hello,
    rtp,
    sdp,
    sip,
    socks,
    ssh,
    stun,
    tls,
    varint,
    whatsapp,
    wireguard,
)
from censor.dissect.mosaic import LIMIT, Mosaic
from censor.drivers import document
from censor.drivers.authority import authority
from censor.drivers.capture import Capture
from censor.drivers.interceptor import outward
from censor.engine.decision import Decision, Verdict
from censor.engine.engine import Engine
from censor.errors import CensorError, PolicyError
from censor.events import ENGINE_WORDS
from censor.interfere import telephony
from censor.policy.loader import load, problems
from censor.read.entropy import Rule, exemption
from censor.read.impression import alike
from censor.rule import takeover
from censor.wire.number import Protocol
from censor.wire.packet import Packet, parse
from fuzz.boxes import POLICIES
from fuzz.conversation import arrivals, records

#: Packets of one conversation that are looked at.
LONGEST: Final = 2000

#: Forged packets that one packet may draw: 16 acts, 64 copies, two ends.
MOST: Final = 16 * 64 * 2

_COMPILED: Final = tuple(map(load, POLICIES))


class Broken(AssertionError):
    """A law that an input broke."""


def _demand(holds: bool, what: str) -> None:
    if not holds:
        raise Broken(what)


def show(found: object) -> None:
    """Look at all that can be seen of what a dissector found: properties are code too."""
    for kind in type(found).__mro__:
        for name, member in vars(kind).items():
            if isinstance(member, property):
                getattr(found, name)


def _pieces(data: bytes) -> list[bytes]:
    return [payload for _, payload in records(data)]


def _dns(data: bytes) -> None:
    for stream in (False, True):
        show(dns.dissect(data, tcp=stream))


def _dtls(data: bytes) -> None:
    dtls.dissect(data)
    gatherer = dtls.Gatherer()
    for piece in (*_pieces(data), data):
        gatherer.feed(piece)


def _http(data: bytes) -> None:
    for partial in (False, True):
        show(http.dissect(data, partial=partial))


def _icmp(data: bytes) -> None:
    for version in (4, 6):
        show(icmp.dissect(data, version=version))


def _quic(data: bytes) -> None:
    quic.dissect(data)
    for habit in (quic_habit.Habit(), quic_hello.CAREFUL):
        gatherer = quic_hello.Gatherer(habit)
        for piece in (*_pieces(data), data):
            gatherer.feed(piece)


def _quic_frames(data: bytes) -> None:
    """Read what a packet holds once it is decrypted: no fuzzer gets past the seal."""
    for gather in (quic_hello._gather, quic_hello._gather_leading):
        gather(data, Mosaic(LIMIT))


def _rtp(data: bytes) -> None:
    show(rtp.dissect(data))
    for steady in (False, True):
        tracker = rtp.Tracker(rtp.Habit(3, 32, True, steady=steady))
        for piece in _pieces(data):
            tracker.feed(piece)


def _sip(data: bytes) -> None:
    for partial in (False, True):
        found = sip.dissect(data, partial=partial)
        show(found)
    known: telephony.Dialogues = {}
    for piece in (*_pieces(data), data):
        known = telephony.learn(known, piece, from_client=len(piece) % 2 == 0)
    for one in known.values():
        for to_caller in (False, True):
            telephony.bye(one, "UDP", "24.48.0.2:5060", "z9hG4bK1", to_caller=to_caller)
    if isinstance(found, sip.Request):
        telephony.response(found, 403, None, "t", ("24.48.0.2", 5060))
        telephony.response_port(found, 5060)
        telephony.cancel(found)


def _stun(data: bytes) -> None:
    for stream, later in ((False, False), (True, False), (True, True)):
        found = stun.dissect(data, tcp=stream, later=later)
        show(found)
        if isinstance(found, stun.Message):
            for kind, _ in found.attributes:
                found.addresses(kind)
                found.text(kind)


def _tunnels(data: bytes) -> None:
    for whole in (False, True):
        show(ssh.dissect(data, partial=not whole))
        show(socks.dissect(data, later=whole))
    openvpn.dissect(data)
    openvpn.unframe(data)
    wireguard.dissect(data)


def _tls(data: bytes) -> None:
    for partial in (False, True):
        show(tls.dissect(data, partial=partial))


def _looks(data: bytes) -> None:
    for stream in (False, True):
        alike(data, stream)
    exemption(data, Rule())
    datagram.classify(data)
    whatsapp.dissect(data)
    for place in (0, 1, len(data)):
        varint.read_varint(data, place)


def _packet(data: bytes) -> None:
    found = parse(data)
    show(found)
    if isinstance(found, Packet):
        found.intact()
        _demand(0 <= found.data_offset <= found.end <= len(data), "a payload outside its packet")


def talk(data: bytes) -> Iterable[Decision]:
    """Hold a conversation with an engine, and watch the laws while it goes on."""
    if not data:
        return
    number = data[0] % len(POLICIES)
    engine = Engine(_COMPILED[number], seed=data[0])
    for n, one in enumerate(arrivals(data[1:])):
        if n == LONGEST:
            break
        due = engine.due()
        if due is not None and due <= one.now:
            engine.tick(now=one.now)
        decision = engine.receive(one.data, now=one.now, inside=one.inside)
        _judge(decision, one.now, in_path=POLICIES[number]["position"] == "in-path")
        _bounded(engine, POLICIES[number]["limits"])
        yield decision


def _judge(decision: Decision, now: float, *, in_path: bool) -> None:
    verdict = decision.verdict
    _demand(in_path or verdict is Verdict.ACCEPT, f"on-path, and yet {verdict}")
    _demand((verdict is Verdict.REWRITE) <= (decision.data is not None), "rewritten into nothing")
    _demand(verdict is not Verdict.HOLD or (decision.until or -1.0) >= now, "held into the past")
    _demand(len(decision.injections) <= MOST, f"{len(decision.injections)} forged packets")
    for injection in decision.injections:
        _demand(injection.after >= 0, "injected before its trigger")
        forged = parse(injection.data)
        _demand(isinstance(forged, Packet) and not forged.truncated, "forged no packet")
        _demand(isinstance(forged, Packet) and forged.intact() is not False, "a wrong checksum")
    for event in decision.events:
        _demand(event.event in ENGINE_WORDS, f"an event called {event.event}")
        json.dumps(event.record(box="b"), allow_nan=False)


def _bounded(engine: Any, limits: Mapping[str, int]) -> None:
    _demand(len(engine._table) <= limits["flows"], f"{len(engine._table)} flows")
    _demand(len(engine._memories) <= limits["residual"], f"{len(engine._memories)} memories")
    _demand(len(engine._quick) <= 2 * limits["flows"], f"{len(engine._quick)} short ways")


def _engine(data: bytes) -> None:
    for _ in talk(data):
        pass


def _twice(data: bytes) -> None:
    """Law 2: the same bytes give the same decisions."""
    _demand(list(talk(data)) == list(talk(data)), "two runs differ")


def _intercept(data: bytes) -> None:
    """Read what interception reads of both ends: SYNs, what clients ask for, certificates.

    ValueError and OSError are what it expects: it tells of them, and lets the connection go.
    """
    segment = parse(data)
    if isinstance(segment, Packet) and segment.protocol == Protocol.TCP:
        takeover.greeting(segment)
    hello = tls.dissect(data, partial=True)
    if isinstance(hello, tls.ClientHello):
        asked = {"name": hello.server_name, "protocols": list(hello.alpn)}
        with suppress(ValueError, OSError):
            context, name = outward(json.loads(json.dumps(asked)))
            context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what will be an error in later libraries
        for own in (False, True):
            with suppress(ValueError):
                authority("fuzz").forge(data, own=own)


class _Text:
    """A file in memory, for what opens paths."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def open(self, _: str) -> Any:
        from io import BytesIO

        return BytesIO(self._data)

    def __str__(self) -> str:
        return "memory"


def _capture(data: bytes) -> None:
    try:
        for one in Capture(_Text(data)):  # type: ignore[arg-type]
            _demand(len(one.data) <= len(data), "a packet larger than its file")
    except CensorError:
        pass  # it says so: no capture


def _policy(data: bytes) -> None:
    """Read a policy document; what is wrong with it has places, never a traceback."""
    try:
        said = document.parse(data.decode("utf-8", "replace"), as_json=data[:1] == b"{")
    except PolicyError:
        return
    check(said)


def check(said: Any) -> None:
    """Demand of any document that it is refused with its problems, or can be used."""
    found = problems(said)
    for one in found:
        _demand(bool(one.place and one.expected and str(one)), "a problem that says nothing")
    if not found:
        load(said)


#: Every target by its name.
TARGETS: Final[Mapping[str, Callable[[bytes], None]]] = {
    "packet": _packet,
    "dns": _dns,
    "http": _http,
    "tls": _tls,
    "quic": _quic,
    "quic-frames": _quic_frames,
    "dtls": _dtls,
    "sip": _sip,
    "sdp": lambda data: show(sdp.dissect(data)),
    "stun": _stun,
    "rtp": _rtp,
    "icmp": _icmp,
    "tunnels": _tunnels,
    "looks": _looks,
    "intercept": _intercept,
    "capture": _capture,
    "policy": _policy,
    "engine": _engine,
    "engine-twice": _twice,
}
