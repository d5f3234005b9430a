"""Shake hands over TLS and name how it ended: alert, RST, FIN, silence, or a bad certificate.

The handshake runs over memory buffers, so that the socket's own fate is seen and not guessed from
a library's exception. Trust is the system's, or SSL_CERT_FILE's.
"""

from __future__ import annotations

import functools
import hashlib
import ssl
import time
from dataclasses import dataclass
from typing import Final

from filterbed.probe.stream import BrokenError, Row, Stream, elapsed

#: X509_V_ERR_* of OpenSSL's x509_vfy.h.
_REASONS: Final = {
    9: "expired",  # not yet valid
    10: "expired",
    18: "self-signed",
    19: "unknown-ca",  # a self-signed root inside the chain
    20: "unknown-ca",
    21: "unknown-ca",
    62: "wrong-name",
    64: "wrong-name",
}
#: Content type of an alert, RFC 8446 section 5.1.
_ALERT: Final = b"\x15"


@functools.cache
def context(verify: bool, alpn: tuple[str, ...] = ()) -> ssl.SSLContext:
    """Return the client's settings; loading a CA store takes milliseconds, so it is kept."""
    made = ssl.create_default_context()
    if not verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    if alpn:
        made.set_alpn_protocols(alpn)
    return made


@dataclass(slots=True)
class Secure:
    """A stream with TLS inside; the same verbs as the stream it stands on."""

    stream: Stream
    session: ssl.SSLObject
    incoming: ssl.MemoryBIO
    outgoing: ssl.MemoryBIO
    first: bytes = b""  # the content type of the first record that came

    def send(self, data: bytes) -> None:
        """Encrypt and send everything."""
        self.session.write(data)
        self.stream.send(self.outgoing.read())

    def receive(self) -> bytes:
        """Return the next clear bytes; BrokenError says reset, fin or timeout."""
        while True:
            try:
                data = self.session.read(65536)
            except ssl.SSLWantReadError:
                self.incoming.write(self.stream.receive())
                continue
            except ssl.SSLError as error:
                raise BrokenError(
                    "fin" if isinstance(error, ssl.SSLEOFError) else "reset"
                ) from error
            if not data:
                raise BrokenError("fin")
            return data

    def alerted(self, error: ssl.SSLError) -> bool:
        """Whether the other side said no by an alert; not every reason of one is named so."""
        return self.first == _ALERT or "ALERT" in (error.reason or "")

    def close(self) -> None:
        """Close the socket, without TLS's own farewell."""
        self.stream.close()


def handshake(
    stream: Stream,
    name: str | None,
    *,
    verify: bool,
    address: str,
    port: int,
    alpn: tuple[str, ...] = (),
) -> tuple[Secure | None, Row]:
    """Shake hands for `name` (None sends no server name); return the channel and the `tls` row.

    `after` in the row says how far it got: `connect` (nothing of ours was taken), `hello` (our
    ClientHello is out, no byte came back), `answer` (the server had spoken).
    """
    began = time.monotonic()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context(verify and name is not None, alpn).wrap_bio(
        incoming, outgoing, server_hostname=name
    )
    channel = Secure(stream, session, incoming, outgoing)
    row: Row = {"address": address, "port": port, "outcome": "ok", "error": None}
    row["after"] = "connect"
    try:
        _run(channel, row)
    except BrokenError as error:
        row["outcome"] = error.outcome
    except ssl.SSLCertVerificationError as error:
        row |= {"outcome": "invalid", "error": _REASONS.get(error.verify_code, "unknown-ca")}
    except ssl.SSLError as error:
        row["outcome"] = "alert" if channel.alerted(error) else "invalid"
    row["seconds"] = elapsed(began)
    if row["outcome"] != "ok":
        return None, row
    leaf = session.getpeercert(binary_form=True) or b""
    row["certificate"] = hashlib.sha256(leaf).hexdigest()
    return channel, row


def _run(channel: Secure, row: Row) -> None:
    while True:
        try:
            channel.session.do_handshake()
        except ssl.SSLWantReadError:
            _flush(channel)
            row["after"] = "answer" if channel.stream.received else "hello"
            data = channel.stream.receive()
            channel.first = channel.first or data[:1]
            channel.incoming.write(data)
            row["after"] = "answer"
        except ssl.SSLError:
            _farewell(channel)
            raise
        else:
            _flush(channel)
            return


def _flush(channel: Secure) -> None:
    if data := channel.outgoing.read():
        channel.stream.send(data)


def _farewell(channel: Secure) -> None:
    try:
        _flush(channel)  # our own alert, as any client sends it
    except BrokenError:
        return
