"""Whole measurements against real servers on loopback."""

from __future__ import annotations

import io
import json
import socket
import threading
import time
from pathlib import Path
from typing import Any

import dns.message
import pytest

from filterbed.probe import measure as program
from filterbed.probe.errors import TargetError
from filterbed.probe.measure import measure

NAME = "www.site.net"


def web(servers: Any, url: str, zone: Any = ("127.0.0.1",), **more: Any) -> dict[str, Any]:
    target = {"target": "t", "kind": "web", "url": url, **more}
    return measure(target, timeout=0.5, resolver=servers.zone({NAME: zone}))


def test_shape_and_flows(servers: Any) -> None:
    port = servers.tcp(servers.page())
    before = time.time()
    row = web(servers, f"http://{NAME}:{port}/")
    assert before <= row["t_start"] <= row["t_end"] <= time.time()
    assert (row["target"], row["kind"]) == ("t", "web")
    assert [flow[0] for flow in row["flows"]] == ["udp", "tcp"]
    assert row["flows"][1][3:] == ["127.0.0.1", port]
    assert [one["outcome"] for one in row["tcp"] + row["http"]] == ["ok", "ok"]
    assert row["sip"] == {"register": None, "call": None}
    json.dumps(row)


def test_every_address_is_tried_and_the_first_that_answers_is_read(servers: Any) -> None:
    port = servers.tcp(servers.page())
    row = web(servers, f"http://{NAME}:{port}/", ["127.0.0.9", "127.0.0.1"])
    found = {one["address"]: one["outcome"] for one in row["tcp"]}
    assert found == {"127.0.0.9": "refused", "127.0.0.1": "ok"}
    assert [one["address"] for one in row["http"]] == ["127.0.0.1"]


def test_nothing_after_a_name_that_fails(servers: Any) -> None:
    row = web(servers, f"http://{NAME}/", "NXDOMAIN")
    assert row["dns"]["rcode"] == "NXDOMAIN"
    assert (row["tcp"], row["tls"], row["http"]) == ([], [], [])


def test_given_addresses_skip_dns(servers: Any) -> None:
    port = servers.tcp(servers.page())
    row = web(servers, f"http://{NAME}:{port}/", None, addresses=["127.0.0.1"])
    assert row["dns"] is None
    assert row["http"][0]["status"] == 200


def test_both_families(servers: Any) -> None:
    port = servers.tcp(servers.page())
    row = web(servers, f"http://{NAME}:{port}/", ["127.0.0.1", "::1"], families=[4, 6])
    assert row["dns"]["addresses"] == ["127.0.0.1", "::1"]
    assert [one["qtype"] for one in row["dns"]["also"]] == ["AAAA"]
    assert [one["address"] for one in row["tcp"]] == ["127.0.0.1", "::1"]


def test_https(servers: Any, trusted: Any, tmp_path: Path) -> None:
    pair = trusted.issue([NAME], [], "valid")
    row = web(servers, f"https://{NAME}:{servers.tls(pair, servers.page(), tmp_path)}/")
    assert [one["outcome"] for one in row["tls"] + row["http"]] == ["ok", "ok"]


@pytest.mark.parametrize("kind", ["expired", "self-signed", "wrong-name"])
def test_bad_certificate_is_named_and_the_page_still_read(
    servers: Any, trusted: Any, tmp_path: Path, kind: Any
) -> None:
    pair = trusted.issue([NAME], [], kind)
    row = web(servers, f"https://{NAME}:{servers.tls(pair, servers.page(), tmp_path)}/")
    assert [(one["outcome"], one["error"]) for one in row["tls"]] == [("invalid", kind)]
    assert row["http"][0]["title"] == "Site"
    assert [flow[0] for flow in row["flows"]] == ["udp", "tcp", "tcp"]


@pytest.mark.parametrize(("then", "word"), [("reset", "reset"), ("finish", "fin"), ("hang",) * 2])
def test_broken_after_the_request(servers: Any, then: str, word: str) -> None:
    def handle(sock: socket.socket) -> None:
        sock.recv(65536)
        getattr(servers, then)(sock)

    row = web(servers, f"http://{NAME}:{servers.tcp(handle)}/")
    assert row["tcp"][0]["outcome"] == "ok"
    assert row["http"][0]["outcome"] == {"hang": "timeout"}.get(word, word)
    assert row["http"][0]["status"] is None


def test_broken_after_the_hello(servers: Any) -> None:
    def handle(sock: socket.socket) -> None:
        sock.recv(65536)
        servers.reset(sock)

    row = web(servers, f"https://{NAME}:{servers.tcp(handle)}/")
    assert [(one["outcome"], one["after"]) for one in row["tls"]] == [("reset", "hello")]
    assert row["http"] == []


def test_dns_kind(servers: Any) -> None:
    target = {"kind": "dns", "name": NAME, "qtype": "A"}
    row = measure(target, timeout=0.5, resolver=servers.zone({NAME: ["192.0.2.1"]}))
    assert row["dns"]["addresses"] == ["192.0.2.1"]
    assert row["tcp"] == []


def test_tcp_kind(servers: Any, closed_port: int) -> None:
    port = servers.tcp(servers.hang)
    for number, word in ((port, "ok"), (closed_port, "refused")):
        row = measure({"kind": "tcp", "host": "127.0.0.1", "port": number}, timeout=0.5)
        assert [one["outcome"] for one in row["tcp"]] == [word]


def test_udp_kind(servers: Any, closed_port: int) -> None:
    echo, mute = servers.udp(lambda data: [data]), servers.udp(lambda data: [])
    for number, word in ((echo, "ok"), (mute, "timeout"), (closed_port, "refused")):
        row = measure({"kind": "udp", "host": "127.0.0.1", "port": number}, timeout=0.2)
        assert [one["outcome"] for one in row["udp"]] == [word]
        assert row["flows"][0][3:] == ["127.0.0.1", number]


def test_call_stops_where_registration_fails(closed_port: int) -> None:
    who = {"user": "alice", "password": "x", "callee": "echo", "seconds": 1}
    row = measure({"kind": "call", "registrar": f"127.0.0.1:{closed_port}", **who}, timeout=0.2)
    assert row["sip"]["register"]["outcome"] == "refused"
    assert row["sip"]["call"] is None


def test_a_target_that_is_none() -> None:
    with pytest.raises(TargetError, match="expected one of web"):
        measure({"kind": "ftp"}, timeout=0.1)


def test_program(
    servers: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    port = servers.tcp(servers.page())
    lines = [
        json.dumps({"target": "a", "kind": "tcp", "host": "127.0.0.1", "port": port}),
        "",
        json.dumps({"target": "b", "kind": "tcp", "host": "127.0.0.1"}),
        "{",
    ]
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(lines)))
    assert program.main(["--timeout", "0.5"]) == 1
    rows = {row["target"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert set(rows) == {"a", "b", ""}
    assert rows["a"]["tcp"][0]["outcome"] == "ok"
    assert "port None: expected int" in rows["b"]["error"]


def test_targets_are_measured_at_once(servers: Any) -> None:
    """All of them are connected before any is answered: one after another would time out."""
    gate = threading.Barrier(4)

    def together(sock: socket.socket) -> None:
        gate.wait(5)
        servers.page()(sock)

    port = servers.tcp(together)
    line = json.dumps({"target": "t", "kind": "web", "url": f"http://127.0.0.1:{port}/"})
    rows = program.measure_lines([line] * 4, timeout=5, resolver=None, concurrency=4)
    assert [row["http"][0]["outcome"] for row in rows] == ["ok"] * 4


@pytest.mark.parametrize(("name", "outcome"), [(NAME, "ok"), ("www.other.net", "invalid")])
def test_dns_over_tls(servers: Any, trusted: Any, tmp_path: Path, name: str, outcome: str) -> None:
    def answer(sock: Any) -> None:
        query = dns.message.from_wire(sock.recv(65536)[2:])
        wire = servers.reply(query, ["192.0.2.7"])
        sock.sendall(len(wire).to_bytes(2, "big") + wire)

    port = servers.tls(trusted.issue([NAME], [], "valid"), answer, tmp_path)
    target: dict[str, Any] = {"kind": "dns", "name": "a.net", "qtype": "A", "via": "dot"}
    target |= {"resolver": f"{name}:{port}", "addresses": ["127.0.0.1"]}
    row = measure(target, timeout=2.0)
    assert [one["outcome"] for one in (*row["tcp"], *row["tls"])] == ["ok", outcome]
    assert row["resolver"] is None
    if outcome == "ok":
        assert row["dns"]["addresses"] == ["192.0.2.7"]
    else:
        assert row["dns"] is None
        assert row["tls"][0]["error"] == "wrong-name"


def test_dns_over_tls_to_nobody(servers: Any) -> None:
    target = {"kind": "dns", "name": "a.net", "qtype": "A", "via": "doh", "resolver": "dns.net"}
    row = measure(target, timeout=0.5, resolver=servers.zone({}))
    assert (row["resolver"]["rcode"], row["dns"], row["tcp"]) == ("NXDOMAIN", None, [])
