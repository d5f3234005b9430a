"""Read the header and questions of a DNS message."""

from __future__ import annotations

import re
from struct import Struct
from typing import Final, NamedTuple

from censor.dissect.outcome import Incomplete

HEADER: Final = 12

#: The longest name on the wire, its last zero byte included (RFC 1035 section 2.3.4).
NAME_LIMIT: Final = 255

#: More questions than this are nobody's; servers answer one.
QUESTION_LIMIT: Final = 16

#: Compression pointers followed within one name.
POINTER_LIMIT: Final = 64

_OPT: Final = 41  # RFC 6891 section 6.1.1

_header = Struct("!HHHHHH").unpack_from
_pair = Struct("!HH").unpack_from
_record = Struct("!HHIH").unpack_from
_PLAIN = re.compile(rb"[a-z0-9_\-.]+\Z")
_SPELLED = tuple(
    chr(byte) if 0x21 <= byte <= 0x7E and byte not in b'."\\;()@$' else f"\\{byte:03d}"
    for byte in range(256)
)


class Question(NamedTuple):
    """What is asked. `name` is lower-case without the last dot, the root is "."; bytes other than
    printable ones, and those that mean something in zone files, are escaped as \\DDD (RFC 1035
    section 5.1). `wire` is the name as it came, uncompressed, in its own case.
    """

    name: str
    wire: bytes
    qtype: int
    qclass: int


class Edns(NamedTuple):
    """The OPT record. `size` in bytes of UDP payload. Source: RFC 6891 section 6.1."""

    size: int
    version: int
    dnssec_ok: bool


class Message(NamedTuple):
    """One message. `question_end` is the offset behind the last question, from the header.

    answers, authorities, additionals: how many records the header claims. edns: None where there
    is no OPT record, or records before it cannot be read.
    """

    id: int
    flags: int
    questions: tuple[Question, ...]
    question_end: int
    answers: int
    authorities: int
    additionals: int
    edns: Edns | None

    @property
    def qr(self) -> bool:
        """Say whether this is a response."""
        return self.flags & 0x8000 != 0

    @property
    def opcode(self) -> int:
        """Return the kind of query; 0 is a standard one."""
        return self.flags >> 11 & 15

    @property
    def rd(self) -> bool:
        """Say whether recursion is desired."""
        return self.flags & 0x0100 != 0

    @property
    def rcode(self) -> int:
        """Return the response code; 3 is NXDOMAIN."""
        return self.flags & 15


def dissect(payload: bytes, *, tcp: bool = False) -> Message | Incomplete | None:
    """Read a UDP payload, or with `tcp` the first message of a stream (RFC 7766 section 8).

    Returns: None if it is no DNS message; Incomplete only with `tcp`.
    Limits: at most `QUESTION_LIMIT` questions; records are skipped over, not read, but for OPT.
    Source: RFC 1035 section 4.1.
    """
    if tcp:
        if len(payload) < 2:
            return Incomplete(2 - len(payload) + HEADER)
        length = int.from_bytes(payload[:2], "big")
        if length < HEADER:
            return None
        if len(payload) < length + 2:
            return Incomplete(length + 2 - len(payload))
        payload = payload[2 : length + 2]
    if len(payload) < HEADER:
        return None
    number, flags, asked, answers, authorities, additionals = _header(payload)
    if asked > QUESTION_LIMIT:
        return None
    questions = []
    place = HEADER
    for _ in range(asked):
        found = read_name(payload, place)
        if found is None or found[1] + 4 > len(payload):
            return None
        wire, place = found
        qtype, qclass = _pair(payload, place)
        place += 4
        questions.append(Question(spell(wire), wire, qtype, qclass))
    edns = None
    if additionals:
        edns = _find_edns(payload, place, answers + authorities, additionals)
    return Message(number, flags, tuple(questions), place, answers, authorities, additionals, edns)


def read_name(data: bytes, place: int) -> tuple[bytes, int] | None:
    """Read the name at `place`: its uncompressed bytes, and the offset behind it.

    Pointers must lead backwards, so they end. None for a name that is cut, too long, or made of
    labels of an unknown kind.
    """
    wire = b""
    behind = 0
    begin = floor = place
    pointers = 0
    size = len(data)
    while place < size:
        length = data[place]
        if not length:
            return wire + data[begin : place + 1], behind or place + 1
        if length < 64:
            place += 1 + length
            if place > size or len(wire) + place - begin >= NAME_LIMIT:
                return None
        elif length >= 0xC0 and place + 1 < size and pointers < POINTER_LIMIT:
            behind = behind or place + 2
            wire += data[begin:place]
            begin = place = (length & 0x3F) << 8 | data[place + 1]
            if place >= floor:
                return None
            floor = place
            pointers += 1
        else:
            return None
    return None


def spell(wire: bytes) -> str:
    """Write an uncompressed wire name as text, as `Question` says."""
    wire = wire.lower()  # lengths are below 64, where letters begin
    labels = []
    place = 0
    while length := wire[place]:
        place += 1 + length
        labels.append(wire[place - length : place])
    joined = b".".join(labels)
    if _PLAIN.match(joined) and joined.count(b".") == len(labels) - 1:
        return joined.decode("ascii")
    return ".".join("".join(map(_SPELLED.__getitem__, label)) for label in labels) or "."


def _find_edns(data: bytes, place: int, before: int, additionals: int) -> Edns | None:
    """Skip `before` records and find the OPT record among the additional ones."""
    for index in range(before + additionals):
        start = place
        place = _skip_name(data, place)
        if place < 0 or place + 10 > len(data):
            return None
        kind, size, ttl, length = _record(data, place)
        if index >= before and kind == _OPT and data[start] == 0:
            return Edns(size, ttl >> 16 & 0xFF, ttl & 0x8000 != 0)
        place += 10 + length
    return None


def _skip_name(data: bytes, place: int) -> int:
    """Return the offset behind a name, -1 if it does not end."""
    size = len(data)
    while place < size:
        length = data[place]
        if length >= 0xC0:
            return place + 2
        if length >= 64:
            return -1
        place += 1 + length
        if not length:
            return place
    return -1
