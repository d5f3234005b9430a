"""HTTP/3 against a real server on loopback, well and badly behaved."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.asyncio.server import serve
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import HeadersReceived
from aioquic.quic.configuration import QuicConfiguration

from filterbed.probe.measure import measure
from filterbed.probe.proof import gather
from filterbed.probe.quic import fetch
from filterbed.probe.target import Url
from topologies.services.certificate import Authority

NAME = "www.site.net"
BODY = b"<title>Over QUIC</title>"
Answer = Callable[[Any, int], None]


def page(http: Any, stream: int) -> None:
    http.send_headers(stream, [(b":status", b"103"), (b"link", b"early")])
    http.send_headers(stream, [(b":status", b"200"), (b"server", b"front")])
    http.send_data(stream, BODY[:9], end_stream=False)
    http.send_data(stream, BODY[9:], end_stream=True)


def silence(http: Any, stream: int) -> None:
    return


class Protocol(QuicConnectionProtocol):
    answer: Answer = staticmethod(page)
    http: H3Connection | None = None

    def quic_event_received(self, event: Any) -> None:
        if self.http is None:
            self.http = H3Connection(self._quic)
        for part in self.http.handle_event(event):
            if isinstance(part, HeadersReceived):
                type(self).answer(self.http, part.stream_id)
                self.transmit()


@contextmanager
def served(
    authority: Authority,
    at: Path,
    answer: Answer = page,
    kind: Any = "valid",
    host: str = "127.0.0.1",
) -> Iterator[int]:
    """Serve HTTP/3 on loopback under NAME; yield the port."""
    pair = authority.issue([NAME], [host], kind)
    (at / "server.pem").write_bytes(pair.certificate + pair.key)
    settings = QuicConfiguration(is_client=False, alpn_protocols=["h3"])
    settings.load_cert_chain(at / "server.pem")
    loop, up, port = asyncio.new_event_loop(), threading.Event(), []
    made = type("Answering", (Protocol,), {"answer": staticmethod(answer)})

    async def start() -> Any:
        server = await serve(host, 0, configuration=settings, create_protocol=made)
        assert server._transport is not None
        port.append(server._transport.get_extra_info("sockname")[1])
        up.set()
        return server

    def run() -> None:
        asyncio.set_event_loop(loop)
        server = loop.run_until_complete(start())
        loop.run_forever()
        server.close()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert up.wait(10)
    try:
        yield port[0]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


def ask(port: int, address: str = "127.0.0.1", **more: Any) -> dict[str, Any]:
    target = {"target": "t", "kind": "web", "url": f"https://{NAME}:{port}/", "via": "h3"}
    return measure({**target, "addresses": [address], **more}, timeout=1.0)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_page_and_its_rows(trusted: Authority, tmp_path: Path, host: str) -> None:
    with served(trusted, tmp_path, host=host) as port:
        row = ask(port, host)
    assert (row["tcp"], row["tls"]) == ([], [])
    (shaken,), (answered,) = row["quic"], row["http"]
    assert (shaken["outcome"], shaken["after"], shaken["address"]) == ("ok", "answer", host)
    assert (answered["status"], answered["title"], answered["server"]) == (
        200,
        "Over QUIC",
        "front",
    )
    assert (answered["outcome"], answered["after"]) == ("ok", "answer")
    assert answered["length"] == len(BODY)
    assert [flow[0] for flow in row["flows"]] == ["udp"]
    assert row["flows"][0][3:] == [host, port]


def test_nobody_listens(trusted: Authority) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    row = ask(port)
    assert [(one["outcome"], one["after"]) for one in row["quic"]] == [("refused", "hello")]
    assert row["http"] == []


def test_nobody_answers(trusted: Authority, servers: Any) -> None:
    row = ask(servers.udp(lambda data: []))
    assert [(one["outcome"], one["after"]) for one in row["quic"]] == [("timeout", "hello")]
    assert row["quic"][0]["seconds"] < 2.0
    assert len(servers.seen) >= 2, "a lost first flight is sent again"


def test_junk_is_silence(trusted: Authority, servers: Any) -> None:
    port = servers.udp(lambda data: [b"", b"\xc0", bytes(1200), b"\xff" * 1200])
    assert ask(port)["quic"][0]["outcome"] == "timeout"


def test_a_page_that_never_comes(trusted: Authority, tmp_path: Path) -> None:
    with served(trusted, tmp_path, silence) as port:
        row = ask(port)
    assert row["quic"][0]["outcome"] == "ok"
    assert [(one["outcome"], one["after"]) for one in row["http"]] == [("timeout", "request")]


@pytest.mark.parametrize(
    ("kind", "error"),
    [("expired", "expired"), ("wrong-name", "wrong-name"), ("self-signed", "self-signed")],
)
def test_bad_certificates_have_their_names(
    trusted: Authority, tmp_path: Path, kind: str, error: str
) -> None:
    with served(trusted, tmp_path, kind=kind) as port:
        (shaken,) = ask(port)["quic"]
    assert (shaken["outcome"], shaken["error"]) == ("invalid", error)


def test_an_authority_nobody_knows(trusted: Authority, tmp_path: Path) -> None:
    with served(Authority(), tmp_path) as port:
        (shaken,) = ask(port)["quic"]
    assert (shaken["outcome"], shaken["error"]) == ("invalid", "unknown-ca")


def test_another_name_is_asked_for_unverified(trusted: Authority, tmp_path: Path) -> None:
    with served(trusted, tmp_path, kind="wrong-name") as port:
        where = Url(True, NAME, port, "/", f"{NAME}:{port}")
        shaken, answered = fetch(
            "127.0.0.1", where, timeout=1.0, flows=[], name="www.example.org", verify=False
        )
        target = {"target": "t", "kind": "web", "url": f"https://{NAME}:{port}/", "via": "h3"}
        local = {"quic": [{"address": "127.0.0.1"}], "kind": "web"}
        proof = gather(frozenset({"other_name"}), target, local, local, dict, None)
    assert shaken["outcome"] == "ok"
    assert answered is not None
    assert answered["status"] == 200
    assert {name: part["outcome"] for name, part in proof.items()} == {
        "other_name": "ok",
        "same_name": "ok",
    }
