"""Shake hands over QUIC and fetch one page over HTTP/3, and say how far it got.

aioquic is the protocol; the socket and the clock are ours, so that silence, an ICMP error and the
server's own words keep their names. Trust is the system's, or SSL_CERT_FILE's.

Wire:    RFC 9000, 9001, 9114; version 1, or 2 where the server asks for it.
Limits:  256 KiB of a body and no trailers are read; a page behind a bad certificate is not fetched.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from aioquic.h3.connection import H3_ALPN, ErrorCode, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated, HandshakeCompleted, QuicEvent, StreamReset

from filterbed.probe import web
from filterbed.probe.address import family
from filterbed.probe.stream import BrokenError, Flow, Row, elapsed, note, outcome
from filterbed.probe.target import Url

#: CRYPTO_ERROR, RFC 9001 section 4.8: an alert of TLS, by its number.
_CRYPTO: Final = range(0x100, 0x200)
#: bad_certificate, certificate_expired, certificate_unknown, unknown_ca (RFC 8446 section 6).
_CERTIFICATE: Final = frozenset({42, 45, 46, 48})
#: What aioquic and OpenSSL say about a certificate -> the measurements' word; the first that fits.
_REASONS: Final = (
    ("no longer valid", "expired"),
    ("not valid yet", "expired"),
    ("doesn't match", "wrong-name"),
    ("certificate in certificate chain", "unknown-ca"),
    ("self-signed certificate", "self-signed"),
    ("self signed certificate", "self-signed"),
)


@dataclass(slots=True)
class Session:
    """One connection over a connected socket, every wait of which ends by `deadline`."""

    sock: socket.socket
    quic: QuicConnection
    deadline: float
    received: int = 0
    waiting: list[QuicEvent] = field(default_factory=list)

    def flush(self) -> None:
        """Send what is to be sent; BrokenError for what the network says to it."""
        try:
            for data, _ in self.quic.datagrams_to_send(time.monotonic()):
                self.sock.send(data)
        except OSError as error:
            raise BrokenError(outcome(error)) from error

    def event(self) -> QuicEvent:
        """Return what happened next; BrokenError says timeout, refused or unreachable."""
        while True:
            self.flush()
            found = self.quic.next_event()
            if found is not None:
                return found
            self._step()

    def _step(self) -> None:
        now = time.monotonic()
        if now >= self.deadline:
            raise BrokenError("timeout")
        timer = self.quic.get_timer()
        until = self.deadline if timer is None else min(timer, self.deadline)
        try:
            self.sock.settimeout(max(until - now, 0.0005))
            data, peer = self.sock.recvfrom(65535)
        except TimeoutError:
            if timer is not None and time.monotonic() >= timer:
                self.quic.handle_timer(time.monotonic())
            return
        except OSError as error:
            raise BrokenError(outcome(error)) from error
        self.received += 1
        self.quic.receive_datagram(data, peer, time.monotonic())

    def close(self) -> None:
        """Say goodbye as a browser does, and close the socket."""
        try:
            self.quic.close(error_code=ErrorCode.H3_NO_ERROR)
            self.flush()
        except BrokenError:
            pass  # nobody is there to hear it
        finally:
            self.sock.close()


def fetch(
    address: str,
    where: Url,
    *,
    timeout: float,
    flows: list[Flow],
    name: str | None = None,
    verify: bool = True,
) -> tuple[Row, Row | None]:
    """Shake hands and ask for the page; return the `quic` row and the `http` row, if it came to it.

    Args:
        timeout: seconds for the handshake, and as many for the page. Below it a lost first flight
            has been sent again, after 0.2 and 0.6 s.
        name: the server name to say, and to ask for, in place of the URL's.
    """
    said = name or where.host
    row: Row = {"address": address, "port": where.port, "outcome": "ok", "error": None}
    row |= {"after": "connect"}
    began = time.monotonic()
    sock = socket.socket(family(address), socket.SOCK_DGRAM)
    session = Session(sock, QuicConnection(configuration=_settings(said, verify)), began + timeout)
    try:
        sock.connect((address, where.port))
        note(flows, "udp", sock, address, where.port)
        session.quic.connect(sock.getpeername(), began)
        _shake(session, row)
    except BrokenError as error:
        row["outcome"] = error.outcome
    except OSError as error:
        row["outcome"] = outcome(error)
    row["seconds"] = elapsed(began)
    if row["after"] != "connect" and session.received:
        row["after"] = "answer"
    try:
        if row["outcome"] != "ok":
            return row, None
        session.deadline = time.monotonic() + timeout
        return row, _page(session, address, name or where.authority, where.path)
    finally:
        session.close()


def _settings(name: str, verify: bool) -> QuicConfiguration:
    made = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN, server_name=name)
    made.verify_mode = ssl.CERT_REQUIRED if verify else ssl.CERT_NONE
    paths = ssl.get_default_verify_paths()
    made.load_verify_locations(cafile=paths.cafile, capath=paths.capath)
    return made


def _shake(session: Session, row: Row) -> None:
    """Run the handshake to its end, and write down how it ended."""
    session.flush()
    row["after"] = "hello"
    while True:
        match session.event():
            case HandshakeCompleted():
                return
            case ConnectionTerminated() as end:
                row |= _ended(end)
                return
            case other:
                session.waiting.append(other)  # the server's settings may overtake its finish


def _ended(end: ConnectionTerminated) -> Row:
    alert = end.error_code - _CRYPTO.start
    if alert in _CERTIFICATE:
        known = (word for text, word in _REASONS if text in end.reason_phrase)
        return {"outcome": "invalid", "error": next(known, "unknown-ca")}
    return {"outcome": "alert" if end.error_code in _CRYPTO else "invalid"}


def _page(session: Session, address: str, host: str, path: str) -> Row:
    """Ask, and read the answer; the row is that of HTTP/1.1."""
    reply = web.Reply()
    began = time.monotonic()
    word, after = "ok", "connect"
    try:
        http = H3Connection(session.quic)
        stream = session.quic.get_next_available_stream_id()
        http.send_headers(stream, _request(host, path), end_stream=True)
        session.flush()
        after = "request"
        _read(session, http, stream, reply, began)
    except BrokenError as error:
        word = error.outcome
    if reply.first is not None:
        after = "answer"
    return web.row(reply, word, address, elapsed(began)) | {"after": after}


def _request(host: str, path: str) -> list[tuple[bytes, bytes]]:
    fields = {":method": "GET", ":scheme": "https", ":authority": host, ":path": path}
    fields |= {"user-agent": web.AGENT, "accept": "*/*"}
    return [(key.encode(), value.encode("latin-1", "replace")) for key, value in fields.items()]


def _read(
    session: Session, http: H3Connection, stream: int, reply: web.Reply, began: float
) -> None:
    """Read the response on `stream` into `reply`; BrokenError when it stops short."""
    while True:
        event = session.waiting.pop(0) if session.waiting else session.event()
        if isinstance(event, ConnectionTerminated):
            raise BrokenError("fin" if event.error_code == ErrorCode.H3_NO_ERROR else "reset")
        if isinstance(event, StreamReset) and event.stream_id == stream:
            raise BrokenError("reset")
        for part in http.handle_event(event):
            match part:
                case HeadersReceived(headers=headers, stream_id=number) if number == stream:
                    reply.first = reply.first or elapsed(began)
                    _head(headers, reply)
                case DataReceived(data=data, stream_id=number) if number == stream:
                    reply.body = (reply.body + data)[: web.BODY_LIMIT]
                case _:
                    continue
            if part.stream_ended or len(reply.body) == web.BODY_LIMIT:
                return


def _head(headers: Sequence[tuple[bytes, bytes]], reply: web.Reply) -> None:
    """Take over a response's fields; those of an interim one (1xx) are passed over."""
    found = {key.decode("latin-1"): value.decode("latin-1") for key, value in reversed(headers)}
    status = found.pop(":status", "")
    if reply.status is None and status.isdecimal() and int(status) >= 200:
        reply.status, reply.headers = int(status), found
