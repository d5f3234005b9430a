"""The built-in tool as a program, between a censored resolver and an honest control."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from filterbed.observation import KEYS
from filterbed.probe.control import Control
from filterbed.probe.verdict import Verdict
from filterbed.probe.webcheck import Outside, line, load, main, strained


@pytest.fixture
def control(servers: Any) -> Iterator[Any]:
    """Start an honest control: every name is at 127.0.0.1 for it."""
    names = {f"{name}.net": ["127.0.0.1"] for name in ("fine", "gone", "reset", "refused", "own")}
    server = Control("127.0.0.1", 0, timeout=0.5, resolver=servers.zone(names))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def run(tmp_path: Path, control: str, resolver: str, targets: list[Any]) -> dict[str, Any]:
    file = tmp_path / "targets.json"
    file.write_text(json.dumps(targets))
    found = subprocess.run(
        [sys.executable, "-P", "-m", "filterbed.probe.webcheck", "--resolver", resolver],
        env={
            **os.environ,
            "FILTERBED_TARGETS": str(file),
            "FILTERBED_CONTROL": control,
            "FILTERBED_VANTAGE": "client",
        },
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (found.returncode, found.stderr) == (0, "")
    rows = [json.loads(text) for text in found.stdout.splitlines()]
    assert all(row.keys() <= KEYS for row in rows)
    assert len(rows) == len(targets)
    return {row["target"]: row for row in rows}


def test_whole(servers: Any, control: str, closed_port: int, tmp_path: Path) -> None:
    """One of each: fine, dead, NXDOMAIN here only, the server's own reset and refusal."""

    def resets(sock: socket.socket) -> None:
        sock.recv(65536)
        servers.reset(sock)

    good, bad = servers.tcp(servers.page()), servers.tcp(resets)
    resolver = servers.zone({n: ["127.0.0.1"] for n in ("fine.net", "reset.net", "refused.net")})

    def web(name: str, port: int) -> dict[str, Any]:
        return {"target": name, "kind": "web", "url": f"http://{name}.net:{port}/"}

    targets = [web("fine", good), web("dead", good), web("gone", good), web("reset", bad)]
    targets += [web("refused", closed_port), {"target": "odd", "kind": "gopher"}]
    rows = run(tmp_path, control, resolver, targets)
    assert {name: row["verdict"] for name, row in rows.items()} == {
        "fine": "ok",
        "dead": "down",
        "gone": "blocked",
        "reset": "down",
        "refused": "down",
        "odd": "unknown",
    }
    assert (rows["gone"]["mechanisms"], rows["gone"]["locus"]) == (["dns.nxdomain"], "network")
    assert "expected one of web" in rows["odd"]["detail"]


def test_without_a_control_nothing_is_claimed(
    servers: Any, closed_port: int, tmp_path: Path
) -> None:
    target = {"target": "t", "kind": "tcp", "host": "127.0.0.1", "port": closed_port}
    rows = run(tmp_path, f"127.0.0.1:{closed_port}", "127.0.0.1:9", [target])
    assert rows["t"]["verdict"] == "unknown"
    assert "control" in rows["t"]["detail"]


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        ("200 OK", b"{", "Expecting"),
        ("200 OK", b"[]", "no measurement"),
        ("200 OK", b'{"dns": null}', "no measurement"),
        ("400 Bad Request", b'{"error": "no such kind"}', "no such kind"),
    ],
)
def test_a_control_that_talks_nonsense(servers: Any, status: str, body: bytes, said: str) -> None:
    def handle(sock: socket.socket) -> None:
        sock.recv(65536)
        sock.sendall(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        servers.hang(sock)

    outside = Outside(f"127.0.0.1:{servers.tcp(handle)}")
    assert said in outside.measure({"kind": "web"})["error"]


def test_help_needs_no_testbed() -> None:
    argv = [sys.executable, "-P", "-m", "filterbed.probe.webcheck", "--help"]
    found = subprocess.run(argv, env={}, capture_output=True, text=True, check=True)
    assert "FILTERBED_TARGETS" in found.stdout


def test_missing_environment(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], {}) == 2
    assert "FILTERBED_TARGETS" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["{", "{}", "[1]", '[{"kind": "web"}]'])
def test_bad_list(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "targets.json"
    file.write_text(text)
    assert main([], {"FILTERBED_TARGETS": str(file), "FILTERBED_CONTROL": "127.0.0.1:9"}) == 2
    assert "expected a JSON list" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("sent", "lost", "told"), [(100, 0, False), (100, 5, False), (100, 6, True), (0, 0, False)]
)
def test_a_control_whose_call_lost_media_speaks_of_the_line(
    sent: int, lost: int, told: bool
) -> None:
    way = {"sent": sent, "received": sent - lost, "lost": lost}
    whole = {"sent": 100, "received": 100, "lost": 0}
    call = {"outcome": "ok", "media": {"to_callee": whole, "from_callee": way}}
    assert strained({"sip": {"register": None, "call": call}}) is told
    assert not strained({"sip": {"register": None, "call": None}})
    assert not strained({"error": "it was not there"})


def test_list(tmp_path: Path) -> None:
    file = tmp_path / "targets.json"
    file.write_text('[{"target": "a"}]')
    assert load(str(file)) == [{"target": "a"}]


def test_line_says_mechanisms_only_of_the_blocked() -> None:
    assert json.loads(line("t", Verdict("ok", detail="d"))) == {
        "target": "t",
        "verdict": "ok",
        "detail": "d",
    }
    row = json.loads(line("t", Verdict("blocked", ("tcp.timeout",), "network", "d")))
    assert (row["mechanisms"], row["locus"]) == (["tcp.timeout"], "network")
