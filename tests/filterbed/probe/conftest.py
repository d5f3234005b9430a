"""Real servers on loopback, each as well or as badly behaved as a test asks."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from filterbed.probe import tls
from topologies.services.certificate import Authority, Pair

Handler = Callable[[socket.socket], None]
NAME = "www.site.net"


def reset(sock: socket.socket) -> None:
    """Close with a RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def hang(sock: socket.socket) -> None:
    """Say nothing more until the client goes."""
    with contextlib.suppress(OSError):
        while sock.recv(65536):
            pass


def finish(sock: socket.socket) -> None:
    """Close with a FIN."""
    sock.shutdown(socket.SHUT_WR)
    hang(sock)


def page(
    body: bytes = b"<title>Site</title>", status: str = "200 OK", *extra: str
) -> Callable[[socket.socket], None]:
    """Make a handler that answers every request on the connection with this page."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Server: front", *extra]
    answer = "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def handle(sock: socket.socket) -> None:
        data = b""
        while chunk := sock.recv(65536):
            data += chunk
            if data.endswith(b"\r\n\r\n"):
                sock.sendall(answer)
                data = b""

    return handle


class Servers:
    """Starts TCP servers with one thread a connection; all are stopped at the end."""

    reset, hang = staticmethod(reset), staticmethod(hang)
    finish, page = staticmethod(finish), staticmethod(page)

    def __init__(self) -> None:
        self.listeners: list[socket.socket] = []
        self.seen: list[bytes] = []

    def tcp(self, handle: Handler) -> int:
        """Serve every connection with `handle`; return the port."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.listeners.append(listener)
        threading.Thread(target=self._accept, args=(listener, handle), daemon=True).start()
        return int(listener.getsockname()[1])

    def tls(self, pair: Pair, handle: Handler, at: Path) -> int:
        """Serve `handle` inside TLS."""
        file = at / "server.pem"
        file.write_bytes(pair.certificate + pair.key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)

        def secured(sock: socket.socket) -> None:
            with context.wrap_socket(sock, server_side=True) as inner:
                handle(inner)

        return self.tcp(secured)

    def _accept(self, listener: socket.socket, handle: Handler) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(sock, handle), daemon=True).start()

    @staticmethod
    def _one(sock: socket.socket, handle: Handler) -> None:
        with contextlib.suppress(OSError), sock:
            handle(sock)

    def udp(self, answer: Callable[[bytes], list[bytes]]) -> int:
        """Answer every datagram with those `answer` gives; return the port."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
        self.listeners.append(sock)

        def loop() -> None:
            while True:
                try:
                    data, peer = sock.recvfrom(65535)
                except OSError:
                    return
                if not data:
                    return  # shut down
                self.seen.append(data)
                for one in answer(data):
                    with contextlib.suppress(OSError):  # closed by the end of a test
                        sock.sendto(one, peer)

        threading.Thread(target=loop, daemon=True).start()
        return int(sock.getsockname()[1])

    def zone(self, names: dict[str, Any]) -> str:
        """Serve DNS: name -> list of addresses, or an rcode's word, or None for silence."""

        def answer(data: bytes) -> list[bytes]:
            query = dns.message.from_wire(data)
            name = query.question[0].name.to_text(omit_final_dot=True)
            found = names.get(name, "NXDOMAIN")
            return [] if found is None else [reply(query, found).to_wire()]

        return f"127.0.0.1:{self.udp(answer)}"

    @staticmethod
    def reply(query: dns.message.Message, found: Any) -> bytes:
        """Build an answer: addresses of the asked family, or an rcode."""
        return reply(query, found).to_wire()

    def close(self) -> None:
        """Stop accepting."""
        for listener in self.listeners:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()


def reply(query: dns.message.Message, found: Any) -> dns.message.Message:
    """Build an answer: addresses of the asked family, or an rcode."""
    message = dns.message.make_response(query)
    message.flags |= dns.flags.RA
    if isinstance(found, str):
        message.set_rcode(dns.rcode.from_text(found))
        return message
    rdtype = dns.rdatatype.to_text(query.question[0].rdtype)
    wanted = [a for a in found if (":" in a) == (rdtype == "AAAA")]
    if wanted:
        message.answer.append(
            dns.rrset.from_text(query.question[0].name, 60, "IN", rdtype, *wanted)
        )
    return message


@pytest.fixture
def servers() -> Iterator[Servers]:
    made = Servers()
    yield made
    made.close()


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def trusted(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Authority]:
    """Make the testbed's authority the only one that the probes trust."""
    store = tmp_path / "ca.pem"
    store.write_bytes(authority.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(store))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    tls.context.cache_clear()
    yield authority
    tls.context.cache_clear()


def _rows(spec: Any, more: dict[str, Any]) -> list[dict[str, Any]]:
    """Turn `{address: outcome}`, or an outcome at 1.1.1.1, into rows."""
    found = spec if isinstance(spec, dict) else {"1.1.1.1": spec}
    return [{"address": a, "outcome": word, **more} for a, word in found.items()]


def _http(spec: Any) -> dict[str, Any]:
    row: dict[str, Any]
    row = {"address": "1.1.1.1", "outcome": "ok", "status": None, "location": None, "title": None}
    row |= {"length": 0, "sha256": None, "server": "front", "first": 0.045, "seconds": 0.045}
    row["after"] = "request" if isinstance(spec, str) else "answer"
    if isinstance(spec, int):
        return row | {"status": spec, "title": "Site", "length": 500, "sha256": "aa"}
    if isinstance(spec, str):
        return row | {"outcome": spec, "server": None, "first": None}
    return {**row, "length": 500, "sha256": "aa", "title": "Site", **spec}


def _sip(spec: Any, more: dict[str, Any]) -> dict[str, Any] | None:
    if spec is None:
        return None
    code = spec if isinstance(spec, int) else None
    word = spec if code is None else "ok" if code < 300 else "rejected"
    if isinstance(spec, dict):
        return {"outcome": "ok", "code": 200, "server": "registrar", **more, **spec}
    return {"outcome": word, "code": code, "server": "registrar", **more}


def build(kind: str = "web", **spec: Any) -> dict[str, Any]:
    """Build a measurement from a few words: what is not said went well, or was not tried."""
    named = spec.get("dns", ["1.1.1.1"])
    dns_part = None
    if named is not None:
        addresses = [] if isinstance(named, str) else named
        dns_part = {"name": "a.net", "qtype": spec.get("qtype", "A"), "addresses": addresses}
        dns_part |= {"rcode": named if isinstance(named, str) else "NOERROR"}
        dns_part |= {"records": spec.get("records", [])}
    tls_rows = []
    if "tls" in spec:
        word, error, after = (
            [*spec["tls"]] if isinstance(spec["tls"], tuple) else [spec["tls"], None, "answer"]
        )
        tls_rows = _rows(word, {"port": 443, "error": error, "after": after})
    heard = {"cut": False, "rtp_sent": 100, "rtp_received": 100, "rtp_echoed": 100}
    return {
        "kind": kind,
        "dns": dns_part,
        "tcp": _rows(spec["tcp"], {"port": 80, "seconds": 0.04}) if "tcp" in spec else [],
        "tls": tls_rows,
        "http": [_http(spec["http"])] if "http" in spec else [],
        "udp": _rows(spec["udp"], {"port": 53}) if "udp" in spec else [],
        "sip": {
            "register": _sip(spec.get("register"), {"address": "1.1.1.1", "answers": []}),
            "call": _sip(spec.get("call"), heard),
        },
    }


@pytest.fixture(name="build")
def _build() -> Callable[..., dict[str, Any]]:
    return build
