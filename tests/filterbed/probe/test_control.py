"""The control helper as a program and as a server."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from filterbed.probe.control import Control, main


@pytest.fixture
def control() -> Iterator[Control]:
    server = Control("127.0.0.1", 0, timeout=0.3, resolver=None)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def ask(port: int, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request(method, path, body)
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


def test_measures_a_target(control: Control, servers: Any) -> None:
    port = servers.tcp(servers.page())
    target = {"target": "t", "kind": "web", "url": f"http://127.0.0.1:{port}/"}
    status, body = ask(control.server_port, "POST", "/measure", json.dumps(target).encode())
    assert status == 200
    row = json.loads(body)
    assert {"dns", "tcp", "tls", "http", "sip"} <= row.keys()
    assert row["http"][0]["title"] == "Site"


def test_nothing_is_remembered(control: Control, servers: Any) -> None:
    port = servers.tcp(servers.hang)
    target = json.dumps({"kind": "tcp", "host": "127.0.0.1", "port": port}).encode()
    first = json.loads(ask(control.server_port, "POST", "/measure", target)[1])
    servers.close()
    second = json.loads(ask(control.server_port, "POST", "/measure", target)[1])
    assert [row["tcp"][0]["outcome"] for row in (first, second)] == ["ok", "refused"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "Expecting"),
        (b"\xff", "decode"),
        (b"[]", "expected an object"),
        (b'{"kind": "gopher"}', "expected one of web"),
        (b"[" * 100_000, "Content-Length"),
        (b"[" * 60_000, "recursion"),
    ],
)
def test_bad_input_is_400_with_the_reason(control: Control, body: bytes, said: str) -> None:
    status, answer = ask(control.server_port, "POST", "/measure", body)
    assert status == 400
    assert said in json.loads(answer)["error"]


def test_pages(control: Control) -> None:
    assert ask(control.server_port, "GET", "/") == (200, b"ready\n")
    assert ask(control.server_port, "GET", "/etc/passwd")[0] == 404
    assert ask(control.server_port, "POST", "/x", b"")[0] == 404
    assert ask(control.server_port, "POST", "/echo", b"abc") == (200, b"abc")


def test_several_at_once(control: Control, servers: Any) -> None:
    gate = threading.Barrier(3)

    def together(sock: socket.socket) -> None:
        gate.wait(5)
        servers.page()(sock)

    port = servers.tcp(together)
    control.step = 5.0
    target = json.dumps({"kind": "web", "url": f"http://127.0.0.1:{port}/"}).encode()
    found: list[int] = []

    def one() -> None:
        row = json.loads(ask(control.server_port, "POST", "/measure", target)[1])
        found.append(row["http"][0]["status"])

    threads = [threading.Thread(target=one) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [200, 200, 200]


def test_program_says_when_it_is_ready_and_echoes() -> None:
    argv = [sys.executable, "-P", "-m", "filterbed.probe.control", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            assert ready["ready"] is True
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.settimeout(5)
                sock.sendto(b"ping", ("127.0.0.1", ready["port"]))
                assert sock.recv(100) == b"ping"
            assert ask(ready["port"], "GET", "/")[0] == 200
        finally:
            process.kill()


def test_program_refuses_a_taken_port(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        assert main(["--listen", where]) == 2
    assert where in capsys.readouterr().err
