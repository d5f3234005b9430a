"""Gather the ClientHello of a QUIC connection from its client's Initial packets."""

from __future__ import annotations

import re
from typing import Final

from censor.dissect.hello import read_message
from censor.dissect.mosaic import LIMIT, Mosaic
from censor.dissect.outcome import Incomplete
from censor.dissect.quic import Header, Kind, NotQuic, follow, read_header
from censor.dissect.quic_habit import CAREFUL, GFW, Habit
from censor.dissect.quic_key import SAMPLE, SCHEDULES, Keys, derive
from censor.dissect.tls import ClientHello, NotTls
from censor.dissect.varint import read_varint

__all__ = ["CAREFUL", "GFW", "Gatherer", "Habit", "unseal"]

# RFC 9000 section 12.4; only these may stand in an Initial packet.
_PADDING: Final = 0
_PING: Final = 1
_ACKS: Final = (2, 3)
_CRYPTO: Final = 6

_padding = re.compile(rb"\0+").match


class Gatherer:
    """The Initials one client sent on one pair of ports, as far as they were understood.

    datagrams: how many were fed. header: of the first Initial that could be opened.

    Limits: one connection at a time: an Initial that only its own connection id opens begins
        anew, as after a Retry. At most `habit.datagrams` datagrams and `LIMIT` bytes of CRYPTO.
    """

    __slots__ = (
        "_crypto",
        "_keyed",
        "_keys",
        "_largest",
        "_origin",
        "_outcome",
        "datagrams",
        "habit",
        "header",
    )

    def __init__(self, habit: Habit = CAREFUL) -> None:
        self.habit = habit
        self.datagrams = 0
        self.header: Header | None = None
        self._outcome: ClientHello | NotQuic | None = None
        self._origin: bytes | None = None
        self._keyed: tuple[int, bytes] | None = None
        self._keys: Keys | None = None
        self._largest = -1
        self._crypto = Mosaic(LIMIT, habit.overlap)

    @property
    def finished(self) -> bool:
        """Say whether every later datagram will get the last answer again."""
        return self._outcome is not None

    @property
    def size(self) -> int:
        """Return how many bytes of CRYPTO are kept."""
        return self._crypto.size

    def feed(self, datagram: bytes) -> ClientHello | Incomplete | NotQuic:
        """Take a UDP payload from the client to the server, of any kind.

        Returns: the ClientHello, once it is whole, and from then on; Incomplete while parts of it
            are lacking; NotQuic if this datagram brought nothing (the next one still may, unless
            `finished`).
        """
        if self._outcome is not None:
            return self._outcome
        self.datagrams += 1
        answer = self._read(datagram)
        if isinstance(answer, ClientHello):
            self._finish(answer)
        elif self.datagrams >= self.habit.datagrams:
            self._finish(NotQuic(f"no ClientHello in {self.datagrams} datagrams"))
            if isinstance(answer, Incomplete):
                return NotQuic(f"ClientHello lacks {answer.need} bytes, and no more will be read")
        return answer

    def _finish(self, outcome: ClientHello | NotQuic) -> None:
        """Settle on an outcome, and forget all that led to it."""
        self._outcome = outcome
        self._keys = self._keyed = None
        self._crypto = Mosaic(0)

    def _read(self, datagram: bytes) -> ClientHello | Incomplete | NotQuic:
        habit = self.habit
        if len(datagram) < habit.smallest:
            return NotQuic(f"{len(datagram)} bytes, expected at least {habit.smallest}")
        first = read_header(datagram)
        if isinstance(first, NotQuic):
            return first
        if first.version not in habit.versions or first.version not in SCHEDULES:
            return NotQuic(f"version {first.version:#010x}, which is not opened")
        if not habit.reassemble:
            self._crypto = Mosaic(LIMIT, habit.overlap)
        opened = False
        for header in follow(datagram, first):
            if header.kind is Kind.INITIAL and header.version == first.version:
                payload = self._open(datagram, header)
                if payload is not None:
                    opened = True
                    self.header = self.header or header
                    _GATHER[habit.frames](payload, self._crypto)
        if not opened:
            return NotQuic(f"no Initial that could be opened, first is {first.kind.value}")
        found = read_message(self._crypto.prefix, partial=habit.partial)
        if isinstance(found, NotTls):
            return NotQuic(found.reason)
        return found

    def _open(self, datagram: bytes, header: Header) -> bytes | None:
        """Decipher an Initial: with the connection's keys, else with those of its own id."""
        if self._origin is not None:
            payload = self._try(datagram, header, self._origin)
            if payload is not None or header.dcid == self._origin:
                return payload
        largest = self._largest
        self._largest = -1
        payload = self._try(datagram, header, header.dcid)
        if payload is None:
            self._largest = largest
        else:
            if self._origin is not None:
                self._crypto = Mosaic(LIMIT, self.habit.overlap)
            self._origin = header.dcid
        return payload

    def _try(self, datagram: bytes, header: Header, origin: bytes) -> bytes | None:
        wanted = (header.version, origin)
        keys = self._keys
        if keys is None or self._keyed != wanted:
            keys = derive(*wanted)
        found = unseal(datagram, header, keys, self._largest)
        if found is None:
            return None
        self._keys = keys
        self._keyed = wanted
        self._largest = max(self._largest, found[0])
        return found[1]


def unseal(datagram: bytes, header: Header, keys: Keys, largest: int) -> tuple[int, bytes] | None:
    """Open a packet: its number and its frames; None if these are not its keys, or it was cut.

    `largest`: the largest number opened before, -1 if none.
    Source: RFC 9001 section 5.4.2 and appendix A.2; RFC 9000 appendix A.3.
    """
    place = header.number
    if header.end > len(datagram) or place + 4 + SAMPLE > header.end:
        return None
    mask = keys.mask(datagram[place + 4 : place + 4 + SAMPLE])
    first = datagram[header.start] ^ (mask[0] & 0x0F)
    length = (first & 3) + 1
    clear = int.from_bytes(datagram[place : place + length], "big")
    clear ^= int.from_bytes(mask[1 : 1 + length], "big")
    behind = place + length
    shown = bytes((first,)) + datagram[header.start + 1 : place] + clear.to_bytes(length, "big")
    number = _whole_number(clear, length * 8, largest + 1)
    payload = keys.open(number, shown, datagram[behind : header.end])
    return None if payload is None else (number, payload)


def _whole_number(clear: int, bits: int, expected: int) -> int:
    """Return the number nearest to the expected one that ends in these bits."""
    window = 1 << bits
    number = (expected & -window) | clear
    if number <= expected - window // 2 and number < (1 << 62) - window:
        return number + window
    if number > expected + window // 2 and number >= window:
        return number - window
    return number


def _gather(payload: bytes, crypto: Mosaic) -> None:
    """Take the CRYPTO frames of an Initial's payload.

    Limits: at the first frame that may not stand there, or is cut, reading ends; a server would
        end the connection.
    """
    place = 0
    size = len(payload)
    while place < size:
        kind = payload[place]
        if kind == _PADDING:
            found = _padding(payload, place)
            assert found is not None
            place = found.end()
        elif kind == _PING:
            place += 1
        elif kind == _CRYPTO:
            bounds = _crypto_frame(payload, place + 1)
            if bounds is None or bounds[2] > size:
                return
            offset, start, place = bounds
            crypto.place(offset, payload[start:place])
        elif kind in _ACKS:
            place = _skip_ack(payload, place + 1, kind)
        else:
            return


def _gather_leading(payload: bytes, crypto: Mosaic) -> None:
    """Take all that follows the header of a CRYPTO frame with which a payload begins.

    Source: fact cn-quic-sni: a frame of length 0 with a ClientHello behind it was blocked, a
        ClientHello behind PING and PADDING frames was not.
    """
    if payload[:1] == bytes((_CRYPTO,)):
        bounds = _crypto_frame(payload, 1)
        if bounds is not None and bounds[0] == 0:
            crypto.place(0, payload[bounds[1] :])


def _crypto_frame(payload: bytes, place: int) -> tuple[int, int, int] | None:
    """Read the offset of a frame's data in the stream, and where the data begins and ends."""
    offset = read_varint(payload, place)
    if offset is None:
        return None
    length = read_varint(payload, offset[1])
    if length is None:
        return None
    return offset[0], length[1], sum(length)


def _skip_ack(payload: bytes, place: int, kind: int) -> int:
    """Return the offset behind an ACK frame (RFC 9000 section 19.3), the size if it is cut."""
    size = len(payload)
    left = 4  # largest, delay, count of ranges, first range
    index = 0
    while index < left:
        found = read_varint(payload, place)
        if found is None:
            return size
        value, place = found
        if index == 2:
            left += min(value, size) * 2 + (3 if kind == _ACKS[1] else 0)
        index += 1
    return place


_GATHER: Final = {"any": _gather, "leading": _gather_leading}
