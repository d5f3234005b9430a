"""Fingerprint a ClientHello as JA3 and JA4 do, from what it offers and in which order.

Limits: of doubled extensions the first counts. JA4 is that of TLS over TCP and of QUIC.
Source: github.com/salesforce/ja3 (2017); github.com/FoxIO-LLC/ja4, technical_details/JA4.md
        (2023); reserved values, RFC 8701.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import md5, sha256
from struct import unpack
from typing import Final

from censor.dissect.tls import ClientHello

_SERVER_NAME, _GROUPS, _FORMATS, _SIGNATURES, _ALPN = 0, 10, 11, 13, 16
_VERSIONS: Final = {0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3"}
_NOTHING: Final = "0" * 12
_MOST: Final = 99


def ja3(hello: ClientHello) -> str:
    """Return the JA3 fingerprint: 32 hexadecimal digits."""
    return md5(ja3_text(hello).encode(), usedforsecurity=False).hexdigest()


def ja3_text(hello: ClientHello) -> str:
    """Return what JA3 takes the digest of: five lists of decimal numbers."""
    formats = hello.blocks.get(_FORMATS, b"")
    lists: tuple[Iterable[int], ...] = (
        (hello.version,),
        _meant(hello.ciphers),
        _meant(hello.extensions),
        _meant(_listed(hello, _GROUPS)),
        formats[1 : 1 + formats[0]] if formats else (),
    )
    return ",".join("-".join(map(str, one)) for one in lists)


def ja4(hello: ClientHello, *, quic: bool = False) -> str:
    """Return the JA4 fingerprint: "t13d1516h2_8daaf6152771_e5627efa2ab1" is one."""
    ciphers, extensions = _meant(hello.ciphers), _meant(hello.extensions)
    named = "d" if _SERVER_NAME in extensions else "i"
    version = _VERSIONS.get(max(_meant(hello.versions), default=0), "00")
    counts = f"{min(len(ciphers), _MOST):02}{min(len(extensions), _MOST):02}"
    others = sorted(one for one in extensions if one not in (_SERVER_NAME, _ALPN))
    signed = _hexadecimal(_meant(_listed(hello, _SIGNATURES)))
    behind = _hexadecimal(others) + (f"_{signed}" if signed else "")
    return "_".join(
        (
            f"{'q' if quic else 't'}{version}{named}{counts}{_protocol(hello)}",
            _digest(_hexadecimal(sorted(ciphers))) if ciphers else _NOTHING,
            _digest(behind) if extensions else _NOTHING,
        )
    )


def _meant(numbers: Iterable[int]) -> tuple[int, ...]:
    """Leave out what RFC 8701 reserves so that nobody relies on it: 0x0a0a, 0x1a1a, ... 0xfafa."""
    return tuple(n for n in numbers if n & 0x0F0F != 0x0A0A or n >> 8 != n & 0xFF)


def _listed(hello: ClientHello, extension: int) -> tuple[int, ...]:
    """Return an extension's list of 16-bit numbers, as far as it is whole."""
    block = hello.blocks.get(extension, b"")
    held = block[2 : 2 + int.from_bytes(block[:2], "big")]
    count = len(held) >> 1
    return unpack(f"!{count}H", held[: 2 * count])


def _protocol(hello: ClientHello) -> str:
    """Return the first and the last character of the first protocol offered."""
    block = hello.blocks.get(_ALPN, b"")
    first = block[3 : 3 + block[2]] if len(block) > 2 else b""
    if not first:
        return "00"
    ends = bytes((first[0], first[-1]))
    if ends.isalnum():
        return ends.decode("ascii")
    text = first.hex()
    return text[0] + text[-1]


def _hexadecimal(numbers: Iterable[int]) -> str:
    return ",".join(f"{n:04x}" for n in numbers)


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:12]
