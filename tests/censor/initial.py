"""QUIC's Initial packets, sealed by aioquic: its own clients', and whatever else is in them."""

from __future__ import annotations

import ssl

import pytest
from aioquic.buffer import encode_uint_var
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.crypto import CryptoPair

from censor.dissect.quic_key import V1, V2

NAME = "www.example.com"


def make_hello(name: str = NAME, alpn: list[str] | None = None) -> bytes:
    """Return a ClientHello by OpenSSL, without its record."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(alpn or ["h3"])
    out = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return out.read()[5:]


def crypto(offset: int, data: bytes, length: int | None = None) -> bytes:
    claimed = len(data) if length is None else length
    return b"\6" + encode_uint_var(offset) + encode_uint_var(claimed) + data


def seal(
    frames: bytes,
    *,
    version: int = V1,
    dcid: bytes = b"destined",
    scid: bytes = b"source",
    origin: bytes | None = None,
    number: int = 0,
    width: int = 4,
    token: bytes = b"",
    client: bool = True,
    kind: int = 0,
) -> bytes:
    """Return an Initial sealed by aioquic; `kind` as version 1 numbers it."""
    frames = frames.ljust(4, b"\0")
    bits = kind if version != V2 else kind + 1 & 3
    first = 0xC0 | bits << 4 | width - 1
    header = bytes((first,)) + version.to_bytes(4, "big")
    header += bytes((len(dcid),)) + dcid + bytes((len(scid),)) + scid
    if kind == 0:
        header += encode_uint_var(len(token)) + token
    header += encode_uint_var(width + len(frames) + 16)
    header += (number & (1 << width * 8) - 1).to_bytes(width, "big")
    pair = CryptoPair()
    pair.setup_initial(dcid if origin is None else origin, is_client=client, version=version)
    return bytes(pair.encrypt_packet(header, frames, number))


def connect(
    version: int, name: str | None = NAME, alpn: list[str] | None = None, token: bytes = b""
) -> list[bytes]:
    """Return the first flight of an aioquic client."""
    configuration = QuicConfiguration(
        is_client=True, server_name=name, alpn_protocols=alpn or ["h3"]
    )
    configuration.original_version = version
    configuration.supported_versions = [version]
    configuration.token = token
    client = QuicConnection(configuration=configuration)
    client.connect(("192.0.2.1", 443), now=0.0)
    return [bytes(datagram) for datagram, _ in client.datagrams_to_send(now=0.0)]
