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
from censor.wire import Protocol

_TCP: Final = int(Protocol.TCP)
_UDP: Final = int(Protocol.UDP)


@dataclass(frozen=True, slots=True)
class Payload:
    """One payload of a flow: who sent it, and how many that end had sent before."""

    data: bytes
    from_client: bool
    before: int


@dataclass(frozen=True, slots=True)
class Signature:
    """Bytes that a box looks for in the first payloads of a flow of one `protocol`."""

    protocol: int
    fact: str
    shows: Callable[[Payload], bool]


def _skype_login(one: Payload) -> bool:
    """The login of Skype up to 1.4: a record header and nothing in it, and its answer."""
    if one.before:
        return False
    if one.from_client:
        return one.data == b"\x16\x03\x01\0\0"
    return one.data.startswith(b"\x17\x03\x01\0")


def _skype_tcp(one: Payload) -> bool:
    return one.from_client and not one.before and len(one.data) in (3, 8)


def _skype_udp(one: Payload) -> bool:
    data = one.data
    if len(data) == 3:
        return data[2] & 0x0F == 0x0D
    return len(data) >= 16 and data[0] != 0x30 and data[2] == 0x02


def _whatsapp(one: Payload) -> bool:
    found = isinstance(whatsapp.dissect(one.data), whatsapp.Chat)
    return found and one.from_client and not one.before


def _viber_udp(one: Payload) -> bool:
    data = one.data
    return len(data) > 5 and (
        data[2:4] == b"\x03\0"
        or (len(data) == 20 and data[2:4] == b"\x09\0")
        or data[2:6] == b"\x01\0\x05\0"
        or (len(data) == 34 and data[2:4] in (b"\x19\0", b"\x1b\0"))
    )


def _viber_tcp(one: Payload) -> bool:
    data = one.data
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


def shown(one: Payload, *, tcp: bool) -> tuple[str, ...]:
    """Return the signatures that a payload shows."""
    protocol = _TCP if tcp else _UDP
    return tuple(
        name
        for name, signature in SIGNATURES.items()
        if signature.protocol == protocol and signature.shows(one)
    )
