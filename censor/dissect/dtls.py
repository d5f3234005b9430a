"""Read DTLS records, and the ClientHello spread over fragments, records and datagrams."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from censor.dissect.hello import HEADER, read_message
from censor.dissect.mosaic import LIMIT, Mosaic
from censor.dissect.outcome import Foreign, Incomplete
from censor.dissect.tls import ClientHello

#: Of a record (RFC 6347 section 4.1) and of a handshake fragment (section 4.2.2), in bytes.
RECORD_HEADER: Final = 13
FRAGMENT_HEADER: Final = 12

#: Records of one datagram that are looked at; a server's whole flight has about 10.
RECORD_LIMIT: Final = 32

#: Datagrams of a flow that are looked at before giving up.
DATAGRAM_LIMIT: Final = 16

HANDSHAKE: Final = 22
CLIENT_HELLO: Final = 1

#: Change cipher spec, alert, handshake, application data, heartbeat, connection id, ack.
#: Source: https://www.iana.org/assignments/tls-parameters (ContentType)
_TYPES: Final = frozenset((20, 21, HANDSHAKE, 23, 24, 25, 26))

#: DTLS 1.0, 1.2 and, never on the wire of a first flight, 1.3; and OpenSSL's DTLS before 1.0.
_VERSIONS: Final = frozenset((0xFEFF, 0xFEFD, 0xFEFC, 0x0100))

#: RFC 6347 section 4.1.1: 2^14 bytes, and 2,048 more when encrypted.
_LENGTH_LIMIT: Final = 16_384 + 2_048

#: A client numbers its ClientHellos 0 and, after HelloVerifyRequest or HelloRetryRequest, 1.
_SEQUENCES: Final = 2

#: Where a ClientHello's body has its session id: behind version (2) and random (32).
_SESSION_ID: Final = 34


@dataclass(frozen=True, slots=True)
class NotDtls(Foreign):
    """Nothing here that shows a DTLS client's ClientHello, or no DTLS at all."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record. `start` and `end` are its fragment's offsets in the datagram. Epoch 0 is in
    the clear.
    """

    type: int
    version: int
    epoch: int
    sequence: int
    start: int
    end: int


def dissect(datagram: bytes) -> tuple[Record, ...] | NotDtls:
    """Read the records of a datagram; NotDtls if it begins with none that is whole.

    Limits: DTLS 1.3's short record headers, which only encrypted records have, are none; they and
        whatever else follows a record are passed over in silence.
    Source: RFC 6347 section 4.1, RFC 9147 section 4.
    """
    records = []
    place = 0
    for _ in range(RECORD_LIMIT):
        record = _read_record(datagram, place)
        if isinstance(record, NotDtls):
            if place == 0:
                return record
            break
        records.append(record)
        place = record.end
    return tuple(records)


def _read_record(datagram: bytes, place: int) -> Record | NotDtls:
    start = place + RECORD_HEADER
    if start > len(datagram):
        return NotDtls(f"{len(datagram) - place} bytes, a record has at least {RECORD_HEADER}")
    kind = datagram[place]
    version = int.from_bytes(datagram[place + 1 : place + 3], "big")
    if kind not in _TYPES or version not in _VERSIONS:
        return NotDtls(f"record type {kind} of version {version:#06x}")
    epoch = int.from_bytes(datagram[place + 3 : place + 5], "big")
    sequence = int.from_bytes(datagram[place + 5 : place + 11], "big")
    length = int.from_bytes(datagram[place + 11 : start], "big")
    if length > _LENGTH_LIMIT or start + length > len(datagram):
        return NotDtls(f"record of {length} bytes, {len(datagram) - start} are left for it")
    return Record(kind, version, epoch, sequence, start, start + length)


class Gatherer:
    """A client's first handshake message, as far as its fragments came.

    datagrams: how many were fed. cookie: the ClientHello's, once it is there: empty until the
    server asked for one with HelloVerifyRequest. version: the first record's.

    Limits: only messages 0 and 1, of which the first to be whole counts; of fragments that differ
        about a message's length the first is believed. At most `DATAGRAM_LIMIT` datagrams, and
        `mosaic.LIMIT` bytes a message.
    Source: RFC 6347 sections 4.2.1 to 4.2.3, RFC 9147 section 5.
    """

    __slots__ = ("_messages", "_outcome", "cookie", "datagrams", "version")

    def __init__(self) -> None:
        self.datagrams = 0
        self.cookie = b""
        self.version: int | None = None
        self._outcome: ClientHello | NotDtls | None = None
        #: By its number, a message without its header; `limit` is its length.
        self._messages: dict[int, Mosaic] = {}

    @property
    def finished(self) -> bool:
        """Say whether every later datagram will get the last answer again."""
        return self._outcome is not None

    @property
    def size(self) -> int:
        """Return how many bytes of messages are kept."""
        return sum(message.size for message in self._messages.values())

    def feed(self, datagram: bytes) -> ClientHello | Incomplete | NotDtls:
        """Take a UDP payload from the client to the server, of any kind.

        Returns: the ClientHello, once it is whole, and from then on (numbers as on the wire, so
            its legacy version is 0xFEFD); Incomplete while parts of it are lacking; NotDtls if
            this datagram brought nothing (the next one still may, unless `finished`).
        """
        if self._outcome is not None:
            return self._outcome
        self.datagrams += 1
        answer = self._read(datagram)
        if isinstance(answer, ClientHello):
            self._finish(answer)
        elif self.datagrams >= DATAGRAM_LIMIT:
            self._finish(NotDtls(f"no ClientHello in {self.datagrams} datagrams"))
        return answer if self._outcome is None else self._outcome

    def _finish(self, outcome: ClientHello | NotDtls) -> None:
        """Settle on an outcome, and forget all that led to it."""
        self._outcome = outcome
        self._messages.clear()

    def _read(self, datagram: bytes) -> ClientHello | Incomplete | NotDtls:
        records = dissect(datagram)
        if isinstance(records, NotDtls):
            return records
        touched: dict[int, Mosaic] = {}
        for record in records:
            if record.type == HANDSHAKE and record.epoch == 0:
                self._gather(datagram, record, touched)
        if not touched:
            return NotDtls(f"no part of a ClientHello, first is record type {records[0].type}")
        if self.version is None:
            self.version = records[0].version
        message = min(touched.values(), key=_lacking)
        if lacking := _lacking(message):
            return Incomplete(lacking)
        hello, self.cookie = _read_hello(message.prefix)
        return hello

    def _gather(self, datagram: bytes, record: Record, touched: dict[int, Mosaic]) -> None:
        """Take a record's fragments of ClientHellos, and add to `touched` which they were of."""
        place = record.start
        while (start := place + FRAGMENT_HEADER) <= record.end:
            length = int.from_bytes(datagram[place + 1 : place + 4], "big")
            sequence = int.from_bytes(datagram[place + 4 : place + 6], "big")
            offset = int.from_bytes(datagram[place + 6 : place + 9], "big")
            stop = start + int.from_bytes(datagram[place + 9 : start], "big")
            kind = datagram[place]
            place = stop
            if stop > record.end:
                break
            if kind != CLIENT_HELLO or length > LIMIT or offset + stop - start > length:
                continue
            if sequence < _SEQUENCES:
                message = self._messages.setdefault(sequence, Mosaic(length))
                if message.limit == length:
                    message.place(offset, datagram[start:stop])
                    touched[sequence] = message


def _lacking(message: Mosaic) -> int:
    return message.limit - message.length


def _read_hello(body: bytes) -> tuple[ClientHello | NotDtls, bytes]:
    """Read a whole body, which is TLS's with a cookie behind the session id; and the cookie."""
    if len(body) <= _SESSION_ID:
        return NotDtls(f"ClientHello of {len(body)} bytes"), b""
    place = _SESSION_ID + 1 + body[_SESSION_ID]
    if place >= len(body):
        return NotDtls("the session id runs past the ClientHello"), b""
    behind = place + 1 + body[place]
    if behind > len(body):
        return NotDtls("the cookie runs past the ClientHello"), b""
    plain = body[:place] + body[behind:]
    found = read_message(bytes((CLIENT_HELLO,)) + len(plain).to_bytes(3, "big") + plain)
    if isinstance(found, ClientHello):
        return replace(found, length=HEADER + len(body)), body[place + 1 : behind]
    return NotDtls(found.reason if isinstance(found, Foreign) else "a cut ClientHello"), b""
