"""Read RTP and RTCP headers, and tell a flow of them from bytes that look alike."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from struct import Struct
from typing import Final

from censor.dissect import stun
from censor.dissect.datagram import Family, classify
from censor.dissect.outcome import Foreign, Incomplete

RTP_HEADER: Final = 12
RTCP_HEADER: Final = 8

#: What stands before each packet in a stream, in bytes.
FRAME: Final = 2

#: Payload types with a fixed meaning, and those a call negotiates.
#: Source: fact dpi-rtp (nDPI, rtp.c at 3b1286ab0, 2024); RFC 3551 section 6
PAYLOAD_TYPES: Final = frozenset((*range(35), *range(96, 128)))

#: RTCP packet types. Source: fact dpi-rtp; RFC 5761 section 4 keeps RTP clear of 192 to 223.
REPORTS: Final = range(192, 214)

_rtp = Struct("!BBHII").unpack_from


@dataclass(frozen=True, slots=True)
class Packet:
    """One RTP packet. payload: the offset behind header, CSRCs and extension.

    Encrypted media (SRTP) has the very same header.
    """

    padding: bool
    extension: int | None
    csrcs: tuple[int, ...]
    marker: bool
    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: int


@dataclass(frozen=True, slots=True)
class Report:
    """One RTCP datagram: its first packet, and the types of all that can be walked.

    whole: the packets end where the datagram does; those of SRTCP do not.
    """

    type: int
    count: int
    ssrc: int
    types: tuple[int, ...]
    whole: bool


def dissect(datagram: bytes) -> Packet | Report | None:
    """Read a UDP payload; None if it is neither RTP nor RTCP.

    Limits: one random datagram in eight passes for RTP: see `Tracker`. Padding is not measured.
        Of several RTCP packets (RFC 3550 section 6.1) the first must fit.
    Source: RFC 3550 sections 5.1, 5.3.1 and 6.4.1; fact dpi-rtp.
    """
    if len(datagram) < RTCP_HEADER or datagram[0] >> 6 != 2:
        return None
    if datagram[1] in REPORTS:
        return _read_report(datagram)
    if len(datagram) < RTP_HEADER or datagram[1] & 0x7F not in PAYLOAD_TYPES:
        return None
    first, second, sequence, timestamp, ssrc = _rtp(datagram)
    place = RTP_HEADER + (first & 15) * 4
    if place > len(datagram):
        return None
    csrcs = tuple(
        int.from_bytes(datagram[at : at + 4], "big") for at in range(RTP_HEADER, place, 4)
    )
    extension = None
    if first & 0x10:
        if place + 4 > len(datagram):
            return None
        extension = int.from_bytes(datagram[place : place + 2], "big")
        place += 4 + int.from_bytes(datagram[place + 2 : place + 4], "big") * 4
        if place > len(datagram):
            return None
    return Packet(
        padding=first & 0x20 != 0,
        extension=extension,
        csrcs=csrcs,
        marker=second & 0x80 != 0,
        payload_type=second & 0x7F,
        sequence=sequence,
        timestamp=timestamp,
        ssrc=ssrc,
        payload=place,
    )


def _read_report(datagram: bytes) -> Report | None:
    types: list[int] = []
    place = 0
    size = len(datagram)
    while place + 4 <= size and datagram[place] >> 6 == 2 and datagram[place + 1] in REPORTS:
        behind = place + 4 + int.from_bytes(datagram[place + 2 : place + 4], "big") * 4
        if behind > size:
            break
        types.append(datagram[place + 1])
        place = behind
    if not types:
        return None
    ssrc = int.from_bytes(datagram[4:8], "big")
    return Report(types[0], datagram[0] & 31, ssrc, tuple(types), place == size)


def unframe(stream: bytes) -> bytes | Incomplete | Foreign:
    """Return the first packet of a stream that carries RTP, or what may share its flow.

    Limits: a frame must hold RTP, RTCP, STUN, ZRTP or DTLS; an empty one is foreign.
    Source: RFC 4571 section 2 (a length of 16 bits before each packet), RFC 6544 section 3.
    """
    size = len(stream)
    if size < FRAME:
        return Incomplete(FRAME + 1 - size)
    length = int.from_bytes(stream[:FRAME], "big")
    frame = stream[FRAME : FRAME + length]
    if length == 0 or not _framed(frame[:4], length):
        return Foreign("no frame that media's flows have")
    if len(frame) < length:
        return Incomplete(length - len(frame))
    if classify(frame) is Family.RTP and dissect(frame) is None:
        return Foreign("a frame that holds neither RTP nor RTCP")
    return frame


def _framed(start: bytes, length: int) -> bool:
    """Say whether the first bytes of a frame, up to four, may be those of one in media's flows."""
    if not start:
        return True
    match classify(start):
        case Family.RTP:
            kind = start[1] if len(start) > 1 else 0
            return kind & 0x7F in PAYLOAD_TYPES or kind in REPORTS
        case Family.STUN:
            body = int.from_bytes(start[2:4], "big")
            return len(start) < 4 or stun.HEADER + body == length
        case Family.DTLS:
            return len(start) < 2 or start[1] == 0xFE
        case family:
            return family is Family.ZRTP


class Verdict(Enum):
    """What a flow is, as far as was seen: RTP for sure, never RTP, or not yet known."""

    RTP = "rtp"
    OTHER = "other"
    PENDING = "pending"


@dataclass(frozen=True, slots=True)
class Habit:
    """When a censor calls a flow RTP; the defaults are those of fact dpi-rtp.

    need: how many packets of one source must agree. window: datagrams looked at before giving up;
    those of other families on the same port (RFC 7983) and RTCP count, but contradict nothing.
    consecutive: a datagram that is none of these ends a count; else it is merely passed over.
    jump: how far a sequence number may lead the last one, or trail it. drift: the same of a
    timestamp, in the payload's clock. steady: every packet must follow the last by 1, and by the
    same step of the timestamp (160 is 20 ms at 8 kHz): a stronger rule, for audio without pauses.
    """

    need: int = 3
    window: int = 32
    consecutive: bool = True
    jump: int = 100
    drift: int = 1 << 24
    steady: bool = False


#: Sources (SSRC) of a flow remembered at a time; audio and video may share a port.
SOURCES: Final = 4


class Tracker:
    """Watches one direction of a flow. Costs a few hundred bytes, whatever it is fed.

    ssrc, payload_type: of the packets that settled it.

    Limits: two directions have different sources: one tracker each. With more than `SOURCES` at a
        time the oldest is forgotten.
    Source: fact dpi-rtp; RFC 3550 appendix A.1 counts up to a source's probation in the same way.
    """

    __slots__ = ("_seen", "_sources", "habit", "payload_type", "ssrc", "verdict")

    def __init__(self, habit: Habit | None = None) -> None:
        self.habit = habit or Habit()
        self.verdict = Verdict.PENDING
        self.ssrc: int | None = None
        self.payload_type: int | None = None
        self._seen = 0
        #: By SSRC: sequence, timestamp, step of the timestamp, how many agreed.
        self._sources: dict[int, tuple[int, int, int | None, int]] = {}

    def feed(self, datagram: bytes) -> Verdict:
        """Take the next UDP payload; RTP and OTHER are final."""
        if self.verdict is not Verdict.PENDING:
            return self.verdict
        self._seen += 1
        packet = dissect(datagram)
        if isinstance(packet, Packet):
            self._count(packet)
        elif packet is None and self.habit.consecutive and not _neighbour(datagram):
            self._sources.clear()
        if self.verdict is Verdict.PENDING and self._seen >= self.habit.window:
            self.verdict = Verdict.OTHER
        if self.verdict is not Verdict.PENDING:
            self._sources.clear()
        return self.verdict

    def _count(self, packet: Packet) -> None:
        last = self._sources.pop(packet.ssrc, None)
        agreed = 1
        step = None
        if last is not None:
            sequence, timestamp, before, count = last
            ahead = (packet.sequence - sequence + 0x8000 & 0xFFFF) - 0x8000
            step = (packet.timestamp - timestamp + 0x8000_0000 & 0xFFFF_FFFF) - 0x8000_0000
            if ahead == 0 and step == 0:  # the same packet again says nothing new
                agreed = count
                step = before
            elif self._plausible(ahead, step, before):
                agreed = count + 1
        elif len(self._sources) >= SOURCES:
            del self._sources[next(iter(self._sources))]
        self._sources[packet.ssrc] = (packet.sequence, packet.timestamp, step, agreed)
        if agreed >= self.habit.need:
            self.verdict = Verdict.RTP
            self.ssrc = packet.ssrc
            self.payload_type = packet.payload_type

    def _plausible(self, ahead: int, step: int, before: int | None) -> bool:
        """Say whether a packet follows the last one of its source as media does."""
        habit = self.habit
        if habit.steady:
            return ahead == 1 and step > 0 and before in (None, step)
        return ahead != 0 and abs(ahead) <= habit.jump and abs(step) <= habit.drift


def _neighbour(datagram: bytes) -> bool:
    """Say whether a datagram may share a port with RTP without being any."""
    return classify(datagram) in (Family.STUN, Family.ZRTP, Family.DTLS, Family.TURN)
