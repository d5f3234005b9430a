"""Read STUN and TURN messages, and TURN's ChannelData frames, over UDP or a TCP stream."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final
from zlib import crc32

from censor.dissect.outcome import Foreign, Incomplete

HEADER: Final = 20
CHANNEL_HEADER: Final = 4
COOKIE: Final = 0x2112_A442

#: Attributes of one message that are read; real ones have about a dozen.
ATTRIBUTE_LIMIT: Final = 64

#: TURN's channel numbers (RFC 8656 section 12; RFC 5766 had 0x4000 to 0x7FFF, which RFC 7983 cut).
CHANNELS: Final = range(0x4000, 0x5000)

_COOKIE: Final = COOKIE.to_bytes(4, "big")
_FINGERPRINT: Final = 0x5354_554E  # RFC 8489 section 14.7


class Kind(Enum):
    """A message's class. Source: RFC 8489 section 5."""

    REQUEST = 0
    INDICATION = 1
    SUCCESS = 2
    ERROR = 3


class Method(IntEnum):
    """Source: https://www.iana.org/assignments/stun-parameters (STUN Methods)."""

    BINDING = 0x001
    SHARED_SECRET = 0x002
    ALLOCATE = 0x003
    REFRESH = 0x004
    SEND = 0x006
    DATA = 0x007
    CREATE_PERMISSION = 0x008
    CHANNEL_BIND = 0x009
    CONNECT = 0x00A
    CONNECTION_BIND = 0x00B
    CONNECTION_ATTEMPT = 0x00C


#: The methods that only a relay knows. Source: fact dpi-stun; RFC 8656 section 17, RFC 6062.
TURN: Final = frozenset(Method) - {Method.BINDING, Method.SHARED_SECRET}


class Attribute(IntEnum):
    """Source: https://www.iana.org/assignments/stun-parameters (STUN Attributes)."""

    MAPPED_ADDRESS = 0x0001
    USERNAME = 0x0006
    CHANNEL_NUMBER = 0x000C
    XOR_PEER_ADDRESS = 0x0012
    DATA = 0x0013
    REALM = 0x0014
    XOR_RELAYED_ADDRESS = 0x0016
    REQUESTED_TRANSPORT = 0x0019
    XOR_MAPPED_ADDRESS = 0x0020
    XOR_MAPPED_ADDRESS_OLD = 0x8020
    SOFTWARE = 0x8022
    ALTERNATE_SERVER = 0x8023
    FINGERPRINT = 0x8028


_PLAIN: Final = frozenset((Attribute.MAPPED_ADDRESS, Attribute.ALTERNATE_SERVER, 0x802B, 0x802C))
_XORED: Final = frozenset(
    (
        Attribute.XOR_MAPPED_ADDRESS,
        Attribute.XOR_MAPPED_ADDRESS_OLD,
        Attribute.XOR_PEER_ADDRESS,
        Attribute.XOR_RELAYED_ADDRESS,
    )
)

#: Types of messages without the cookie, as RFC 3489 and the first TURN drafts had them.
#: Source: fact dpi-stun (nDPI, stun.c at 3b1286ab0, 2024)
_CLASSIC: Final = frozenset(
    (0x0115, *(base | kind for base in (1, 2, 3, 4, 6) for kind in (0, 0x0100, 0x0110)))
)

#: Whose calls a message shows, by its type or one of its attributes.
#: Source: facts dpi-whatsapp and dpi-viber-skype-for-business (nDPI, stun.c at 3b1286ab0, 2024)
_APPLICATION_TYPES: Final = dict.fromkeys((0x0800, 0x0801, 0x0802), "whatsapp")
_APPLICATION_ATTRIBUTES: Final = {
    **dict.fromkeys((*range(0x4000, 0x4005), 0x4007), "whatsapp"),
    **dict.fromkeys(
        (0x8054, 0x24DF, 0x3802, 0x8036, 0x8095, 0x0800, 0x8006, 0x8070, 0x8055), "teams"
    ),
}

#: An IPv4 or IPv6 address, raw, and a port.
Address = tuple[bytes, int]


@dataclass(frozen=True, slots=True)
class NotStun(Foreign):
    """Neither a STUN message nor a ChannelData frame."""


@dataclass(frozen=True, slots=True)
class ChannelData:
    """What a relay carries on a channel. length: bytes on the wire, with a stream's padding."""

    channel: int
    data: bytes
    length: int


@dataclass(frozen=True, slots=True)
class Message:
    """One message. Numbers are as on the wire, attributes in their order, without padding.

    type: class and method together. transaction: 12 bytes; 16 without the `cookie`, which
    messages older than RFC 5389 lack. fingerprint: whether it is right; None if there is none.
    length: bytes on the wire.
    """

    type: int
    transaction: bytes
    attributes: tuple[tuple[int, bytes], ...]
    cookie: bool
    fingerprint: bool | None
    length: int

    @property
    def kind(self) -> Kind:
        """Return the class: request, indication, success or error."""
        return Kind(self.type >> 7 & 2 | self.type >> 4 & 1)

    @property
    def method(self) -> int:
        """Return the method; see `Method` for those with a name."""
        return self.type & 0x000F | self.type >> 1 & 0x0070 | self.type >> 2 & 0x0F80

    @property
    def turn(self) -> bool:
        """Say whether only a client and a relay say such things."""
        return self.method in TURN

    def value(self, kind: int) -> bytes | None:
        """Return the first attribute of this type; RFC 8489 section 14 ignores later ones."""
        return next((value for each, value in self.attributes if each == kind), None)

    def text(self, kind: int) -> str | None:
        """Return an attribute such as USERNAME, REALM or SOFTWARE; odd bytes as \\xNN."""
        value = self.value(kind)
        return None if value is None else value.decode("utf-8", "backslashreplace")

    def address(self, kind: int) -> Address | None:
        """Return the address in the first attribute of this type, None if it holds none."""
        return next(iter(self.addresses(kind)), None)

    def addresses(self, kind: int) -> tuple[Address, ...]:
        """Return the addresses in all attributes of this type, as CreatePermission has several."""
        key = _COOKIE + self.transaction if kind in _XORED else None
        if key is None and kind not in _PLAIN:
            return ()
        found = (_read_address(value, key) for each, value in self.attributes if each == kind)
        return tuple(each for each in found if each is not None)

    @property
    def application(self) -> str | None:
        """Return whose calls these are, where nothing else is known to send such messages."""
        found = _APPLICATION_TYPES.get(self.type)
        if found is not None:
            return found
        owners = (_APPLICATION_ATTRIBUTES.get(each) for each, _ in self.attributes)
        return next((owner for owner in owners if owner is not None), None)


def dissect(
    payload: bytes, *, tcp: bool = False, later: bool = False, wide: bool = False
) -> Message | ChannelData | Incomplete | NotStun:
    """Read a UDP payload, or with `tcp` what a stream begins with.

    `later`: the stream had a message before this one, so that a ChannelData frame may
    come; at a stream's beginning none does, and "GET " would look like one. `wide`: channels have
    the numbers of RFC 5766, which clients still use, and not only those that RFC 7983 left.

    Returns: Incomplete only with `tcp`. `length` says where in a stream the next one begins.
    Limits: a UDP payload must be one message and no more, as fact dpi-stun has it. Messages
        without the cookie are read where their type is an old one and their attributes end where
        they do; in streams they are not. Behind an attribute that is cut, or `ATTRIBUTE_LIMIT`,
        none is read.
    Source: RFC 8489 sections 5 and 6.2, RFC 8656 section 12.
    """
    if tcp and later and not payload:
        return Incomplete(CHANNEL_HEADER)
    if payload and payload[0] >= 0x40:
        if payload[0] < (0x80 if wide else 0x50) and (later or not tcp):
            return _read_channel(payload, tcp)
        return NotStun(f"byte 0 is {payload[0]}, expected one below 64")
    size = len(payload)
    if size < HEADER:
        if tcp and payload[4:8] == _COOKIE[: max(size - 4, 0)]:
            return Incomplete(HEADER - size)
        return NotStun(f"{size} bytes, a message has at least {HEADER}")
    length = HEADER + int.from_bytes(payload[2:4], "big")
    cookie = payload[4:8] == _COOKIE
    if tcp:
        if not cookie or length & 3:
            return NotStun("no magic cookie, or a length that is no multiple of 4")
        if length > size:
            return Incomplete(length - size)
    elif length != size or (cookie and length & 3):
        return NotStun(f"length {length - HEADER}, {size - HEADER} bytes follow the header")
    return _read_message(payload[:length], cookie)


@dataclass(frozen=True, slots=True)
class Habit:
    """How a box reads relays: into what they carry, and with which channel numbers."""

    relayed: bool = False
    wide: bool = False


def relayed(datagram: bytes, *, wide: bool = False) -> bytes | None:
    """Return what a relay's datagram carries: ChannelData, or a Send or Data indication's DATA.

    Source: RFC 8656 sections 11 and 12; fact dpi-sip, whose box reads ChannelData.
    """
    seen = dissect(datagram, wide=wide)
    if isinstance(seen, ChannelData):
        return seen.data
    if isinstance(seen, Message) and seen.method in (Method.SEND, Method.DATA):
        return seen.value(Attribute.DATA)
    return None


def _read_channel(payload: bytes, tcp: bool) -> ChannelData | Incomplete | NotStun:
    """Read a ChannelData frame; only a stream's must be padded (RFC 8656 section 12.5)."""
    size = len(payload)
    if size < CHANNEL_HEADER:
        return Incomplete(CHANNEL_HEADER - size) if tcp else NotStun(f"{size} bytes of ChannelData")
    behind = CHANNEL_HEADER + int.from_bytes(payload[2:4], "big")
    padded = behind + 3 & ~3
    if tcp and padded > size:
        return Incomplete(padded - size)
    if not tcp and not behind <= size <= padded:
        return NotStun(f"ChannelData of {behind} bytes in a datagram of {size}")
    channel = int.from_bytes(payload[:2], "big")
    return ChannelData(channel, payload[CHANNEL_HEADER:behind], padded if tcp else size)


def _read_message(payload: bytes, cookie: bool) -> Message | NotStun:
    kind = int.from_bytes(payload[:2], "big")
    attributes: list[tuple[int, bytes]] = []
    fingerprint = None
    place = HEADER
    size = len(payload)
    while place + 4 <= size and len(attributes) < ATTRIBUTE_LIMIT:
        each = int.from_bytes(payload[place : place + 2], "big")
        start = place + 4
        behind = start + int.from_bytes(payload[place + 2 : start], "big")
        if behind > size:
            break
        if each == Attribute.FINGERPRINT and fingerprint is None:
            right = crc32(payload[:place]) ^ _FINGERPRINT
            fingerprint = payload[start:behind] == right.to_bytes(4, "big") and behind == size
        attributes.append((each, payload[start:behind]))
        place = behind + 3 & ~3
    if not cookie and (kind not in _CLASSIC or place != size):
        return NotStun(f"no magic cookie, and type {kind:#06x} or its attributes are no old ones")
    transaction = payload[8 if cookie else 4 : HEADER]
    return Message(kind, transaction, tuple(attributes), cookie, fingerprint, size)


def _read_address(value: bytes, key: bytes | None) -> Address | None:
    """Read an address attribute; `key` is what it is XORed with. Source: RFC 8489 section 14.2."""
    size = {1: 4, 2: 16}.get(value[1]) if len(value) > 1 else None
    if size is None or len(value) != 4 + size:
        return None
    port = int.from_bytes(value[2:4], "big")
    raw = value[4:]
    if key is None:
        return raw, port
    mask = int.from_bytes(key[:size], "big")
    clear = (int.from_bytes(raw, "big") ^ mask).to_bytes(size, "big")
    return clear, port ^ COOKIE >> 16
