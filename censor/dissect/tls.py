"""Read a TLS ClientHello, over as many records and segments as it was spread over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from struct import Struct, unpack
from typing import Final

from censor.dissect.outcome import Foreign, Incomplete

#: The longest ClientHello read, in bytes; those with post-quantum keys have about 2,000.
LIMIT: Final = 65_536

_HANDSHAKE: Final = 22
_CLIENT_HELLO: Final = 1
_RECORD_HEADER: Final = 5
_MESSAGE_HEADER: Final = 4

#: RFC 8446 section 5.1 allows 2^14, RFC 5246 section 6.2.3 2,048 more when encrypted.
_RECORD_LIMIT: Final = 16_384 + 2_048

# https://www.iana.org/assignments/tls-extensiontype-values
_SERVER_NAME: Final = 0
_ALPN: Final = 16
_SUPPORTED_VERSIONS: Final = 43
_ECH: Final = 0xFE0D
_ESNI: Final = 0xFFCE  # draft-ietf-tls-esni-02, never assigned; blocked in China since 2020

_pair = Struct("!HH").unpack_from
_PATTERN: Final = (_HANDSHAKE, 3)


@dataclass(frozen=True, slots=True)
class NotTls(Foreign):
    """Not a stream that begins with a ClientHello."""


@dataclass(frozen=True, slots=True)
class ClientHello:
    """What a client shows before anything is encrypted. Numbers are as on the wire.

    server_name: the first host name asked for, lower-case, odd bytes escaped as \\xNN; or None.
    versions: those of the supported_versions extension, else the one legacy version.
    ech, esni: whether the extension is there (some clients send a meaningless one: "grease").
    records: how many TLS records the message was spread over. length: bytes of stream up to the
        message's end, record headers included. complete: False where `partial` allowed less.
    version: the legacy one. blocks: what the extensions hold, by type.
    """

    server_name: str | None
    alpn: tuple[str, ...]
    versions: tuple[int, ...]
    session_id: bytes
    ciphers: tuple[int, ...]
    extensions: tuple[int, ...]
    ech: bool
    esni: bool
    records: int
    length: int
    complete: bool = True
    version: int = 0
    blocks: Mapping[int, bytes] = field(default_factory=dict, repr=False)


def dissect(stream: bytes, *, partial: bool = False) -> ClientHello | Incomplete | NotTls:
    """Read the ClientHello a stream begins with.

    `partial`: an unfinished message counts as soon as its server name is there, as for a censor
    that looks at each segment by itself.

    Limits: SSLv2-compatible hellos are not TLS. Of doubled extensions the first counts. Bytes
        behind the extensions are ignored; a server would refuse them.
    Source: RFC 8446 sections 4.1.2 and 5.1, RFC 6066 section 3, RFC 7301 section 3.1.
    """
    message = bytearray()
    place = records = 0
    size = len(stream)
    while True:
        for at, expected in enumerate(_PATTERN):
            if place + at < size and stream[place + at] != expected:
                return NotTls(f"byte {place + at} is {stream[place + at]}, expected {expected}")
        start = place + _RECORD_HEADER
        if start > size:
            need = start - size
            break
        length = int.from_bytes(stream[place + 3 : start], "big")
        if length > _RECORD_LIMIT:
            return NotTls(f"record of {length} bytes, expected at most {_RECORD_LIMIT}")
        records += 1
        place = start + length
        message += stream[start:place]
        if message and message[0] != _CLIENT_HELLO:
            return NotTls(f"handshake message {message[0]}, expected {_CLIENT_HELLO}")
        if len(message) >= _MESSAGE_HEADER:
            whole = _MESSAGE_HEADER + int.from_bytes(message[1:4], "big")
            if whole > LIMIT:
                return NotTls(f"ClientHello of {whole} bytes, expected at most {LIMIT}")
            if len(message) >= whole:
                end = min(place, size) - (len(message) - whole)
                return _read(bytes(message[4:whole]), records, end, complete=True)
        if place > size:
            need = place - size
            break
    if partial:
        hello = _read(bytes(message[4:]), records, size, complete=False)
        if isinstance(hello, NotTls) or hello.server_name is not None:
            return hello
    if len(message) >= _MESSAGE_HEADER:
        rest = whole - len(message)
        need = need + rest if start > size else max(need, rest)
    return Incomplete(need)


def _read(body: bytes, records: int, length: int, *, complete: bool) -> ClientHello | NotTls:
    """Read a message behind its header; what is missing at its end counts unless `complete`."""
    session_id, place = _vector(body, 34, 1)  # behind version (2) and random (32)
    ciphers, place = _vector(body, place, 2)
    _, place = _vector(body, place, 1)  # compression methods
    if complete and place > len(body):
        return NotTls(f"a field runs past the ClientHello's {len(body)} bytes")
    extensions, behind = _vector(body, place, 2)
    if complete and place < len(body) < behind:
        return NotTls("extensions run past the ClientHello")
    found = _extensions(extensions, complete=complete and behind <= len(body))
    if found is None:
        return NotTls("an extension runs past the others")
    return ClientHello(
        server_name=_server_name(found.get(_SERVER_NAME, b"")),
        alpn=_alpn(found.get(_ALPN, b"")),
        versions=_numbers(_vector(found.get(_SUPPORTED_VERSIONS, b""), 0, 1)[0])
        or _numbers(body[:2]),
        session_id=session_id,
        ciphers=_numbers(ciphers),
        extensions=tuple(found),
        ech=_ECH in found,
        esni=_ESNI in found,
        records=records,
        length=length,
        complete=complete,
        version=int.from_bytes(body[:2], "big"),
        blocks=found,
    )


def _vector(body: bytes, place: int, width: int) -> tuple[bytes, int]:
    """Read a vector with a length of `width` bytes: what is there of it, and where it ends.

    The end lies beyond the body where the vector is cut.
    """
    start = place + width
    if start > len(body):
        return b"", start
    end = start + int.from_bytes(body[place:start], "big")
    return body[start:end], end


def _extensions(block: bytes, *, complete: bool) -> dict[int, bytes] | None:
    """Return the extensions by type, in their order; None if the last is cut but may not be."""
    found: dict[int, bytes] = {}
    place = 0
    size = len(block)
    while place + 4 <= size:
        kind, length = _pair(block, place)
        start = place + 4
        place = start + length
        if place > size:
            break
        found.setdefault(kind, block[start:place])
    return found if place == size or not complete else None


def _server_name(extension: bytes) -> str | None:
    names, _ = _vector(extension, 0, 2)
    place = 0
    while place < len(names):
        name, end = _vector(names, place + 1, 2)
        if end > len(names):
            return None
        if names[place] == 0 and name:
            return _text(name).lower()
        place = end
    return None


def _alpn(extension: bytes) -> tuple[str, ...]:
    names, _ = _vector(extension, 0, 2)
    protocols = []
    place = 0
    while place < len(names):
        name, place = _vector(names, place, 1)
        protocols.append(_text(name))
    return tuple(protocols)


def _numbers(data: bytes) -> tuple[int, ...]:
    """Read 16-bit numbers; an odd byte at the end is left."""
    count = len(data) >> 1
    return unpack(f"!{count}H", data[: count * 2])


def _text(name: bytes) -> str:
    return name.decode("ascii", "backslashreplace")
