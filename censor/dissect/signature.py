"""Recognise applications by the few bytes that a box was documented to look for.

Such rules are naive, and hit other protocols too: that is documented as well.
Limits:  the later rule for Skype's UDP (a repeated checksum) and Microsoft's multiplexed TURN are
         left out: their sources do not say enough.
Source:  the facts named in `SIGNATURES`, most of them nDPI's rules of 2015 and 2024.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from censor.dissect import whatsapp
from censor.wire.number import Protocol

_TCP: Final = int(Protocol.TCP)
_UDP: Final = int(Protocol.UDP)


@dataclass(frozen=True, slots=True)
class Signature:
    """Bytes that a box looks for in the first payloads of a flow of one `protocol`.

    `shows` is asked about a payload, whether the client sent it, and how many that end had sent
    before.
    """

    protocol: int
    fact: str
    shows: Callable[[bytes, bool, int], bool]


def _skype_login(data: bytes, from_client: bool, before: int) -> bool:
    """The login of Skype up to 1.4: a record header and nothing in it, and its answer."""
    if before:
        return False
    if from_client:
        return data == b"\x16\x03\x01\0\0"
    return data.startswith(b"\x17\x03\x01\0")


def _skype_tcp(data: bytes, from_client: bool, before: int) -> bool:
    return from_client and not before and len(data) in (3, 8)


def _skype_udp(data: bytes, from_client: bool, before: int) -> bool:
    if len(data) == 3:
        return data[2] & 0x0F == 0x0D
    return len(data) >= 16 and data[0] != 0x30 and data[2] == 0x02


def _whatsapp(data: bytes, from_client: bool, before: int) -> bool:
    if before or not from_client:
        return False
    return isinstance(whatsapp.dissect(data), whatsapp.Chat)


def _viber_udp(data: bytes, from_client: bool, before: int) -> bool:
    if len(data) <= 5 or data[3]:
        return False
    return (
        data[2:4] == b"\x03\0"
        or (len(data) == 20 and data[2:4] == b"\x09\0")
        or data[2:6] == b"\x01\0\x05\0"
        or (len(data) == 34 and data[2:4] in (b"\x19\0", b"\x1b\0"))
    )


def _viber_tcp(data: bytes, from_client: bool, before: int) -> bool:
    if len(data) < 11 or int.from_bytes(data[:2], "little") != len(data):
        return False
    return (data[6:8] == b"\xfc\xff" and data[9] == 0x80) or (
        data[4:6] == b"\x03\x80" and data[10] == 0x0A
    )


#: By the name a policy gives them.
SIGNATURES: Final[Mapping[str, Signature]] = {
    "skype-login": Signature(_TCP, "dpi-skype-login-sig", _skype_login),
    "skype-tcp": Signature(_TCP, "dpi-skype-tcp-len", _skype_tcp),
    "skype-udp": Signature(_UDP, "dpi-skype-udp-som", _skype_udp),
    "whatsapp-chat": Signature(_TCP, "dpi-whatsapp", _whatsapp),
    "viber-udp": Signature(_UDP, "dpi-viber-skype-for-business", _viber_udp),
    "viber-tcp": Signature(_TCP, "dpi-viber-skype-for-business", _viber_tcp),
}


_BY_TRANSPORT: Final = {
    tcp: tuple((name, one.shows) for name, one in SIGNATURES.items() if one.protocol == number)
    for tcp, number in ((True, _TCP), (False, _UDP))
}


def shown(data: bytes, from_client: bool, before: int, *, tcp: bool) -> tuple[str, ...]:
    """Return the signatures that a payload shows; `before`: how many that end had sent."""
    found: tuple[str, ...] = ()
    for name, shows in _BY_TRANSPORT[tcp]:
        if shows(data, from_client, before):
            found = (*found, name)
    return found
