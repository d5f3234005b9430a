"""Follow what a flow's payloads say only together: QUIC, DTLS, calls' media, first impressions.

A follower is one flow's, and is fed its payloads in their order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol

from censor.dissect import dtls, quic, quic_hello, rtp, signature
from censor.dissect.outcome import Foreign, Incomplete
from censor.dissect.tls import ClientHello
from censor.read.entropy import Exemption, Rule, exemption
from censor.read.found import Found, Outcome
from censor.read.impression import Impression, alike
from censor.read.reading import glance as reading_glance
from censor.read.reading import hello_trigger
from censor.read.tunnel import TunnelFollower
from censor.rule.rules import App, Message, Reading

_NOT_THE_CLIENT: Final = Foreign("not from the client")
_NO_MEDIA: Final = Foreign("no media")
_SPENT: Final = Foreign("enough was seen")
_UNSIGNED: Final = Foreign("no signature of an application")
_UNKNOWN: Final = Foreign("no version of QUIC that is known")

#: A datagram that begins a connection has at least so many bytes (RFC 9000 section 14.1). Of
#: versions that are not known only such are QUIC: much else has the first bit set.
SMALLEST: Final = 1200

#: What a QUIC client's packets show before its ClientHello is read.
_UNREAD: Final = frozenset(("quic.sni", "quic.alpn", "quic.ech"))
_VERSIONS: Final = {0x0000_0001: "v1", 0x6B33_43CF: "v2"}


#: How followers read a single datagram of a flow whose beginning nobody looked at.
_GLANCES: Final = {
    App.QUIC: Reading(None, frozenset(), habit=quic_hello.CAREFUL),
    App.DTLS: Reading(None, frozenset()),
}


class Follower(Protocol):
    """`app`: what it reads. `finished`: it will find nothing that it has not found already. `size`:
    how many bytes it keeps of what is not whole yet."""

    @property
    def app(self) -> App: ...

    @property
    def finished(self) -> bool: ...

    @property
    def size(self) -> int: ...

    def feed(self, datagram: bytes, from_client: bool, tcp: bool = False) -> Outcome:
        """Take the next payload of either end."""
        ...


@dataclass(frozen=True, slots=True)
class Quic:
    """What is known of a QUIC connection: its version, and its ClientHello once that is read."""

    version: int
    hello: ClientHello | None


class QuicFollower:
    """Reads a client's Initials: their version, and once it is whole what they carry.

    Every long header of the client is a message: a later one may carry the same bytes again.
    """

    __slots__ = ("_gatherer",)
    app: Final = App.QUIC

    def __init__(self, reading: Reading) -> None:
        self._gatherer = quic_hello.Gatherer(reading.habit)

    @property
    def finished(self) -> bool:
        return self._gatherer.finished

    @property
    def size(self) -> int:
        """Return how many bytes are kept of what is not whole yet."""
        return self._gatherer.size

    def feed(self, datagram: bytes, from_client: bool, tcp: bool = False) -> Outcome:
        """Take a UDP payload of either end."""
        if not from_client:
            return _NOT_THE_CLIENT
        header = quic.read_header(datagram)
        found = self._gatherer.feed(datagram)
        if isinstance(header, quic.NotQuic):
            return header
        unknown = header.version not in _VERSIONS
        if header.kind is quic.Kind.NEGOTIATION or (unknown and len(datagram) < SMALLEST):
            return _UNKNOWN
        hello = found if isinstance(found, ClientHello) else None
        seen = Quic(header.version, hello)
        lacks = frozenset() if hello else _UNREAD
        return Found((self._message(seen, lacks),), len(datagram))

    def _message(self, seen: Quic, lacks: frozenset[str]) -> Message:
        name = None if seen.hello is None else seen.hello.server_name
        version = _VERSIONS.get(seen.version, seen.version)
        trigger = {"quic.sni": name, "quic.version": version}
        if seen.hello is None:
            del trigger["quic.sni"]
        return Message(App.QUIC, name, trigger=trigger, seen=seen, lacks=lacks)


class DtlsFollower:
    """Reads a client's ClientHello, over fragments and datagrams; a repeated one again."""

    __slots__ = ("_gatherer",)
    app: Final = App.DTLS

    def __init__(self, reading: Reading) -> None:
        self._gatherer = dtls.Gatherer()

    @property
    def finished(self) -> bool:
        return self._gatherer.finished

    @property
    def size(self) -> int:
        """Return how many bytes are kept of what is not whole yet."""
        return self._gatherer.size

    def feed(self, datagram: bytes, from_client: bool, tcp: bool = False) -> Outcome:
        """Take a UDP payload of either end."""
        if not from_client:
            return _NOT_THE_CLIENT
        found = self._gatherer.feed(datagram)
        if not isinstance(found, ClientHello):
            return found
        records = dtls.dissect(datagram)
        if isinstance(records, dtls.NotDtls) or records[0].type != dtls.HANDSHAKE:
            return _SPENT
        return Found((hello_trigger(App.DTLS, found),), len(datagram))


class MediaFollower:
    """Tells a call's media by how it behaves, or because SDP announced it.

    From then on every RTP packet is a message, and every RTCP packet.
    """

    __slots__ = ("_announced", "_said", "_trackers")
    app: Final = App.RTP
    size: Final = 0

    def __init__(self, reading: Reading, announced: bool) -> None:
        self._announced = announced
        self._trackers = (
            (rtp.Tracker(reading.habit), rtp.Tracker(reading.habit)) if reading.habit.window else ()
        )
        self._said = False

    @property
    def finished(self) -> bool:
        return not self._announced and all(
            tracker.verdict is rtp.Verdict.OTHER for tracker in self._trackers
        )

    @property
    def known(self) -> bool:
        """Whether it is sure that these are media."""
        return self._announced or any(
            tracker.verdict is rtp.Verdict.RTP for tracker in self._trackers
        )

    def feed(self, datagram: bytes, from_client: bool, tcp: bool = False) -> Outcome:
        """Take a UDP payload of either end, or a frame of a stream."""
        for tracker in self._trackers[not from_client : 2 - from_client]:
            tracker.feed(datagram)
        packet = rtp.dissect(datagram) if self.known else None
        if packet is None:
            return _NO_MEDIA
        return Found((self._message(packet),), len(datagram))

    def carried(self, segment: bytes) -> Found:
        """Take a TCP segment of what is known to be media: a report, or else media."""
        frame = rtp.unframe(segment)
        packet = rtp.dissect(frame) if isinstance(frame, bytes) else None
        return Found((self._message(packet),), len(segment))

    def _message(self, packet: rtp.Packet | rtp.Report | None) -> Message:
        control = isinstance(packet, rtp.Report)
        trigger: dict[str, int | None] = {"rtp": None}
        if packet is not None:
            trigger = (
                {"rtcp": packet.type}
                if isinstance(packet, rtp.Report)
                else {"rtp": packet.payload_type}
            )
        message = Message(App.RTP, None, trigger=trigger, seen=control, repeated=self._said)
        self._said = True
        return message


class FirstFollower:
    """Looks at a client's first payloads; a repeated one is looked at once."""

    __slots__ = ("_alike", "_exemption", "_habit", "_last", "_left")
    app: Final = App.FIRST
    size: Final = 0

    def __init__(self, reading: Reading) -> None:
        self._habit: Rule = reading.habit
        self._left = reading.payloads
        self._last = b""
        self._alike: dict[str, None] = {}
        self._exemption: Exemption | None = None

    @property
    def finished(self) -> bool:
        return self._left == 0

    def feed(self, datagram: bytes, from_client: bool, tcp: bool = False) -> Outcome:
        """Take a payload of either end."""
        if not from_client or datagram == self._last or not self._left:
            return _NOT_THE_CLIENT
        if not self._last:
            self._exemption = exemption(datagram, self._habit)
        self._last = datagram
        self._alike.update(dict.fromkeys(alike(datagram, tcp)))
        self._left -= 1
        if self._left:
            return Incomplete()
        seen = _impression(tuple(self._alike), self._exemption)
        return Found((seen,), len(datagram))


@lru_cache(4096)
def _impression(alike: tuple[str, ...], exemption: Exemption | None) -> Message:
    """Return what rules see; nearly all flows look alike, and each keeps the last it showed."""
    trigger = {"first.like": list(alike), "first.fully_encrypted": exemption is None}
    return Message(App.FIRST, None, trigger=trigger, seen=Impression(alike, exemption))


#: How many of a flow's payloads may be taken for what is sent again: a download of zeros repeats
#: itself for ever, and would never be let go.
REPEATS: Final = 2


class SignatureFollower:
    """Looks at a flow's first payloads, of either end, for bytes of applications."""

    __slots__ = (
        "_before_client", "_last_client", "_last_server", "_left", "_payloads", "_repeats",
    )  # fmt: skip
    app: Final = App.SIGNATURE
    size: Final = 0

    def __init__(self, reading: Reading) -> None:
        self._payloads = self._left = reading.payloads
        self._repeats = REPEATS
        self._before_client = 0
        self._last_client = self._last_server = b""

    @property
    def finished(self) -> bool:
        return not self._left

    def feed(self, datagram: bytes, from_client: bool, tcp: bool = False) -> Outcome:
        """Take a payload of either end; in TCP, one that comes again is not the next one."""
        before = self._before_client
        if not from_client:
            before = self._payloads - self._left - before
        if tcp and self._repeats and datagram == self._last(from_client):
            self._repeats -= 1
            before -= 1
        else:
            self._left -= 1
            if from_client:
                self._before_client += 1
            if tcp:
                self._keep(datagram, from_client)
        seen = signature.shown(datagram, from_client, before, tcp=tcp)
        if not seen:
            return _UNSIGNED
        message = Message(App.SIGNATURE, None, trigger={"signature": list(seen)}, seen=seen)
        return Found((message,), len(datagram))

    def _last(self, from_client: bool) -> bytes:
        return self._last_client if from_client else self._last_server

    def _keep(self, datagram: bytes, from_client: bool) -> None:
        if from_client:
            self._last_client = datagram
        else:
            self._last_server = datagram


#: What looks at payloads one by one, in streams too, and leaves them to other protocols as well.
PEEKING: Final = (App.FIRST, App.SIGNATURE)

#: How followers are made; each is told whether SDP announced the flow.
FOLLOWERS: Final[Mapping[App, Callable[[Reading, bool], Follower]]] = {
    App.QUIC: lambda reading, _: QuicFollower(reading),
    App.DTLS: lambda reading, _: DtlsFollower(reading),
    App.RTP: MediaFollower,
    App.FIRST: lambda reading, _: FirstFollower(reading),
    App.SIGNATURE: lambda reading, _: SignatureFollower(reading),
    App.OPENVPN: lambda reading, _: TunnelFollower(App.OPENVPN),
    App.WIREGUARD: lambda reading, _: TunnelFollower(App.WIREGUARD),
}


def glance(payload: bytes, udp: bool) -> Mapping[str, object] | None:
    """Name what a payload asks for, when all there is of it is one packet; None if nobody knows."""
    if udp:
        for app, reading in _GLANCES.items():
            found = FOLLOWERS[app](reading, False).feed(payload, True)
            if isinstance(found, Found) and found.messages:
                return found.messages[0].trigger
    return reading_glance(payload)
