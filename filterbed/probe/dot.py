"""Ask one DNS question over TLS, as it is or inside HTTPS, once the handshake is done.

Wire:    RFC 7858 section 3.3: two bytes of length before each message, as over TCP; RFC 8484.
Limits:  one question a connection; no padding (RFC 7830).
"""

from __future__ import annotations

import time
from typing import Any, Final, Literal

from filterbed.probe import doh, resolve
from filterbed.probe.stream import BrokenError, Row, elapsed
from filterbed.probe.tls import Secure

Via = Literal["dot", "doh"]
PORT: Final = 853
PORTS: Final[dict[str, int]] = {"dot": PORT, "doh": doh.PORT}
#: What a client says it speaks: RFC 7858 asks for nothing here.
ALPN: Final[dict[str, tuple[str, ...]]] = {"dot": (), "doh": doh.ALPN}


def ask(channel: Secure, via: Via, host: str, name: str, qtype: str) -> Row:
    """Return the `dns` part of a measurement.

    `rcode` is the answer's, or `timeout`, `reset`, `fin`, or `invalid` where what came is none.
    """
    began = time.monotonic()
    row: dict[str, Any] = {"name": name, "qtype": qtype, "server": host}
    row |= {"addresses": [], "records": [], "answers": []}
    query = resolve.question(name, qtype)
    if via == "doh":
        query.id = 0  # RFC 8484 section 4.1, so that caches can answer
    try:
        data = _framed(channel, query.to_wire()) if via == "dot" else _inside(channel, host, query)
    except BrokenError as error:
        return row | {"rcode": error.outcome, "seconds": elapsed(began)}
    except TimeoutError:
        return row | {"rcode": "timeout", "seconds": elapsed(began)}
    message = resolve.parse(data, query)
    if message is None:
        return row | {"rcode": "invalid", "seconds": elapsed(began)}
    row |= resolve.read(message, qtype) | {"seconds": elapsed(began)}
    return row | {"answers": [{**resolve.read(message, qtype), "seconds": row["seconds"]}]}


def _framed(channel: Secure, message: bytes) -> bytes:
    channel.send(len(message).to_bytes(2, "big") + message)
    heard = b""
    while len(heard) < 2 or len(heard) < 2 + int.from_bytes(heard[:2], "big"):
        heard += channel.receive()
    return heard[2:]


def _inside(channel: Secure, host: str, query: Any) -> bytes:
    reply = doh.ask(channel, host, query.to_wire())
    if reply.closed == "reset":
        raise BrokenError("reset")
    return reply.body if reply.status == 200 else b""
