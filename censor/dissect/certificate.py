"""Read the certificate that a server shows before anything is encrypted: TLS 1.2 and earlier.

Limits: only the first of a chain, its common names, organisations and alternative names; what is
        not DER as RFC 5280 has it has none.
Source: RFC 5246 sections 6.2.1, 7.4.1.3 and 7.4.2; RFC 5280 section 4.1; X.690 sections 8 and 10.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from censor.dissect.outcome import Foreign, Incomplete
from censor.dissect.tls import ClientHello

_HANDSHAKE: Final = 22
_SERVER_HELLO, _CERTIFICATE = 2, 11
_SUPPORTED_VERSIONS: Final = b"\x00\x2b\x00\x02\x03\x04"
_RECORD_LIMIT: Final = 16_384

_SEQUENCE, _OID, _OCTETS, _VERSION, _EXTENSIONS = 0x30, 0x06, 0x04, 0xA0, 0xA3
_DNS_NAME, _ADDRESS = 0x82, 0x87
_COMMON_NAME, _ORGANISATION, _ALTERNATIVE = b"\x55\x04\x03", b"\x55\x04\x0a", b"\x55\x1d\x11"
#: BMPString is in UTF-16; the other string types are read as UTF-8.
_WIDE: Final = 0x1E


@dataclass(frozen=True, slots=True)
class Certificate:
    """Whom a certificate is for and from: `names` are the alternative names and the subject's
    common names, lower-case; `issuer` is the issuer's common names and organisations.

    length: bytes of stream up to its end.
    """

    names: tuple[str, ...]
    issuer: tuple[str, ...]
    length: int


@dataclass(frozen=True, slots=True)
class Shown:
    """A certificate, and the ClientHello that it answers."""

    hello: ClientHello
    certificate: Certificate


def dissect(stream: bytes) -> Certificate | Incomplete | Foreign:
    """Read the certificate in what a server says first, over any number of records."""
    said = bytearray()
    place = 0
    while place < len(stream):
        if stream[place] != _HANDSHAKE or stream[place + 1 : place + 2] not in (b"", b"\x03"):
            return Foreign(f"a record of type {stream[place]}, expected {_HANDSHAKE}")
        start = place + 5
        if start > len(stream):
            return Incomplete(start - len(stream))
        place = start + int.from_bytes(stream[place + 3 : start], "big")
        if place - start > _RECORD_LIMIT:
            return Foreign(f"a record of {place - start} bytes")
        said += stream[start:place]
    found = _message(bytes(said), place)
    if isinstance(found, Incomplete) and place > len(stream):
        return Incomplete(place - len(stream))
    return found


def _message(said: bytes, length: int) -> Certificate | Incomplete | Foreign:
    """Look for the certificate among the messages that are whole."""
    if said and said[0] != _SERVER_HELLO:
        return Foreign(f"handshake message {said[0]}, expected {_SERVER_HELLO}")
    place = 0
    while place + 4 <= len(said):
        end = place + 4 + int.from_bytes(said[place + 1 : place + 4], "big")
        if end > len(said):
            break
        body = said[place + 4 : end]
        if said[place] == _SERVER_HELLO and _SUPPORTED_VERSIONS in body[38:]:
            return Foreign("TLS 1.3, which encrypts certificates")
        if said[place] == _CERTIFICATE:
            names, issuer = _read(body[6 : 6 + int.from_bytes(body[3:6], "big")])
            return Certificate(names, issuer, length)
        place = end
    return Incomplete()


def _read(der: bytes) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return names and issuer of a certificate."""
    outer = [part for kind, part in _parts(der) if kind == _SEQUENCE][:1]
    inner = [part for kind, part in _parts(outer[0])][:1] if outer else []
    fields = [one for one in _parts(inner[0]) if one[0] != _VERSION] if inner else []
    if len(fields) < 6:
        return (), ()
    issuer, subject = fields[2][1], fields[4][1]
    held = [part for kind, part in fields[6:] if kind == _EXTENSIONS]
    names = [name for part in held for name in _alternative(part)]
    names += _attributes(subject, _COMMON_NAME)
    told = _attributes(issuer, _COMMON_NAME, _ORGANISATION)
    return tuple(dict.fromkeys(name.lower() for name in names)), tuple(told)


def _parts(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the values that stand one after another, with their tags; none behind a broken one."""
    place = 0
    while place + 2 <= len(data):
        kind, size = data[place], data[place + 1]
        place += 2
        if size & 0x80:
            count = size & 0x7F
            size = int.from_bytes(data[place : place + count], "big")
            place += count
        if place + size > len(data):
            return
        yield kind, data[place : place + size]
        place += size


def _attributes(name: bytes, *wanted: bytes) -> list[str]:
    """Return the attributes of a distinguished name that are wanted, in their order."""
    found = []
    for _, group in _parts(name):
        for _, pair in _parts(group):
            parts = list(_parts(pair))
            if len(parts) == 2 and parts[0] in [(_OID, one) for one in wanted]:
                kind, text = parts[1]
                found.append(text.decode("utf-16-be" if kind == _WIDE else "utf-8", "replace"))
    return found


def _alternative(block: bytes) -> Iterator[str]:
    """Yield DNS names and addresses of the extension for them."""
    for _, extensions in _parts(block):
        for _, extension in _parts(extensions):
            parts = list(_parts(extension))
            if not parts or parts[0] != (_OID, _ALTERNATIVE) or parts[-1][0] != _OCTETS:
                continue
            for _, names in _parts(parts[-1][1]):
                for kind, name in _parts(names):
                    if kind == _DNS_NAME:
                        yield name.decode("utf-8", "replace")
                    elif kind == _ADDRESS and len(name) in (4, 16):
                        yield str(ip_address(name))
