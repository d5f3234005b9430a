"""The interceptor between a real client and a real server, on loopback."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509

from censor.drivers.interceptor import outward
from topologies.services.certificate import Authority

#: Longer than anything here takes.
DEADLINE = 20.0


@contextmanager
def interceptor() -> Iterator[socket.socket]:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with far:
        argv = [sys.executable, "-P", "-m", "censor.drivers.interceptor", str(far.fileno())]
        child = subprocess.Popen(argv, pass_fds=[far.fileno()])
    near.settimeout(DEADLINE)
    with near:
        yield near
    assert child.wait(DEADLINE) == 0  # it ends when nobody is there any more


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """A server that says back what it hears, in capitals, under a certificate of its own."""
    pair = Authority().issue(["real.example"], [], "valid")
    file = tmp_path / "server.pem"
    file.write_bytes(pair.key + pair.certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    context.set_alpn_protocols(["http/1.1"])
    with socket.create_server(("127.0.0.1", 0)) as door:
        threading.Thread(target=_answer, args=(door, context), daemon=True).start()
        yield door.getsockname()
        door.shutdown(socket.SHUT_RDWR)


def _answer(door: socket.socket, context: ssl.SSLContext) -> None:
    try:
        while True:
            talk, _ = door.accept()
            with context.wrap_socket(talk, server_side=True) as secure:
                while data := secure.recv(65536):
                    secure.sendall(data.upper())
    except OSError:
        return


def hand(line: socket.socket, where: tuple[str, int], *, own: bool = False) -> socket.socket:
    """Hand a connection over; return the client's end of it."""
    client, near = socket.socketpair()
    client.settimeout(DEADLINE)
    request = {"flow": {"client_port": 1}, "server": where, "name": "real.example", "own": own,
               "protocols": ["h2", "http/1.1"], "issuer": "Qaznet"}  # fmt: skip
    with near, socket.socket() as onward:
        near.setblocking(False)
        onward.setblocking(False)
        text = json.dumps(request).encode()
        socket.send_fds(line, [text], [near.fileno(), onward.fileno()])
    return client


def shake(client: socket.socket) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context.wrap_socket(client, server_hostname="real.example")


def shown(secure: ssl.SSLSocket) -> x509.Certificate:
    return x509.load_der_x509_certificate(secure.getpeercert(binary_form=True) or b"")


def test_the_client_is_shown_a_forged_leaf_and_speaks_with_the_server(
    server: tuple[str, int],
) -> None:
    with interceptor() as line, hand(line, server) as client, shake(client) as secure:
        answer = json.loads(line.recv(65536))
        leaf = shown(secure)
        assert leaf.issuer.rfc4514_string() == "CN=Qaznet" == answer["issuer"]
        assert leaf.subject.rfc4514_string() == "CN=real.example" == answer["subject"]
        assert answer["names"] == ["real.example"]
        assert answer["flow"] == {"client_port": 1}
        assert "error" not in answer
        assert secure.selected_alpn_protocol() == "http/1.1"  # what the server took
        secure.sendall(b"hello" * 10_000)
        heard = b""
        while len(heard) < 50_000:
            heard += secure.recv(65536)
        assert heard == b"HELLO" * 10_000


def test_a_leaf_may_sign_itself(server: tuple[str, int]) -> None:
    with interceptor() as line, hand(line, server, own=True) as client, shake(client) as secure:
        assert shown(secure).issuer == shown(secure).subject


def test_a_name_that_no_library_asks_for_is_said() -> None:
    context, name = outward({"name": "a.example", "protocols": ["h2"]})
    assert (context.verify_mode, name) == (ssl.CERT_NONE, "a.example")
    with pytest.raises(ValueError, match="without NUL"):
        outward({"name": "a\0.example", "protocols": []})


def test_a_server_that_is_not_there_is_said(server: tuple[str, int]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = closed.getsockname()
    with interceptor() as line:
        with hand(line, nobody) as client, pytest.raises(OSError, match=r"."):
            shake(client)
        assert "ConnectionRefusedError" in json.loads(line.recv(65536))["error"]
        with hand(line, server) as client, shake(client) as secure:  # and others are served
            secure.sendall(b"a")
            assert secure.recv(1) == b"A"


def test_a_client_that_leaves_ends_it_for_the_server_too(server: tuple[str, int]) -> None:
    with interceptor() as line:
        for _ in range(2):  # the server serves one at a time
            with hand(line, server) as client, shake(client) as secure:
                secure.sendall(b"a")
                assert secure.recv(1) == b"A"
