"""Judge a client's first payloads by their looks: what they resemble, if anything."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from censor.dissect import dns, dtls, quic, stun
from censor.dissect.outcome import Foreign, Incomplete
from censor.read.entropy import Exemption

_METHOD: Final = re.compile(rb"[A-Za-z]{3,16} [!-~]")
_SIP: Final = re.compile(rb"[A-Z]{3,16} (?:sips?|tel):|SIP/2\.0 ", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Impression:
    """alike: the protocols that any of the payloads resembles. exemption: why the first one is
    not taken for fully encrypted traffic; None if it is."""

    alike: tuple[str, ...]
    exemption: Exemption | None


def alike(payload: bytes, tcp: bool) -> tuple[str, ...]:
    """Return the protocols that a payload resembles, by marks that a box checks in passing.

    Source: fact ir-protocol-filter (TLS: 16 03 01-03, and a length that fits; DNS; HTTP).
    """
    return tuple(word for word, resembles in LIKENESSES.items() if resembles(payload, tcp))


def _dns(payload: bytes, tcp: bool) -> bool:
    seen = dns.dissect(payload, tcp=tcp)
    return seen is not None and not isinstance(seen, Incomplete) and bool(seen.questions)


def _tls(payload: bytes, _: bool) -> bool:
    if len(payload) < 6 or payload[:2] != b"\x16\x03" or not 1 <= payload[2] <= 3:
        return False
    return 4 <= int.from_bytes(payload[3:5], "big") <= 16_384 and payload[5] == 1


def _quic(payload: bytes, tcp: bool) -> bool:
    header = quic.read_header(payload)
    known = (quic.Kind.INITIAL, quic.Kind.ZERO_RTT, quic.Kind.HANDSHAKE)
    return not tcp and not isinstance(header, quic.NotQuic) and header.kind in known


def _stun(payload: bytes, tcp: bool) -> bool:
    return not isinstance(stun.dissect(payload, tcp=tcp), Foreign | Incomplete)


def _dtls(payload: bytes, tcp: bool) -> bool:
    return not tcp and not isinstance(dtls.dissect(payload), dtls.NotDtls)


LIKENESSES: Final[Mapping[str, Callable[[bytes, bool], bool]]] = {
    "dns": _dns,
    "http": lambda payload, tcp: tcp and _METHOD.match(payload) is not None,
    "tls": lambda payload, tcp: tcp and _tls(payload, tcp),
    "ssh": lambda payload, tcp: tcp and payload.startswith(b"SSH-"),
    "sip": lambda payload, _: _SIP.match(payload) is not None,
    "quic": _quic,
    "stun": _stun,
    "dtls": _dtls,
}
