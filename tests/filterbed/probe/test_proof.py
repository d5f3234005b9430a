"""Which follow-ups are made, and what they find on real sockets."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from filterbed.probe.measure import measure
from filterbed.probe.proof import INNOCENT, gather, wanted

GOOD = {"tcp": "ok", "http": 200}


@pytest.mark.parametrize(
    ("kind", "here", "there", "expected"),
    [
        ("web", GOOD, GOOD, set()),
        ("web", {"dns": "NXDOMAIN"}, GOOD, set()),
        ("web", {"tcp": "timeout"}, GOOD, set()),
        ("web", {"dns": ["10.0.0.1"]}, GOOD, set()),
        ("web", {"dns": ["8.7.198.45"]}, GOOD, {"elsewhere", "answers"}),
        ("web", {"tcp": "ok", "tls": ("reset", None, "hello")}, GOOD, {"other_name"}),
        ("web", {"tcp": "ok", "tls": ("reset", None, "connect")}, GOOD, set()),
        ("web", {"tcp": "ok", "http": "reset"}, GOOD, {"other_name"}),
        ("web", {"tcp": "ok", "http": "timeout"}, GOOD, set()),
        ("web", {"tcp": "ok", "http": 403}, GOOD, {"other_name", "again"}),
        ("web", {"tcp": "ok", "tls": "ok", "http": 403}, GOOD, set()),
        ("sip", {"register": 403}, {"register": 200}, {"sip_again"}),
        ("sip", {"register": "timeout"}, {"register": 200}, set()),
    ],
)
def test_wanted(build: Any, kind: str, here: Any, there: Any, expected: set[str]) -> None:
    assert wanted(build(kind, **here), build(kind, **there)) == expected


def test_nothing_is_wanted_of_what_was_not_measured(build: Any) -> None:
    assert wanted({"error": "x"}, build("web")) == wanted(build("web"), {"error": "x"}) == set()


def target_at(port: int, scheme: str = "http") -> tuple[dict[str, Any], dict[str, Any]]:
    target = {"target": "t", "kind": "web", "url": f"{scheme}://www.site.net:{port}/"}
    return target, measure({**target, "addresses": ["127.0.0.1"]}, timeout=0.5)


def follow(names: set[str], target: Any, local: Any, ask: Any = None) -> dict[str, Any]:
    return gather(frozenset(names), target, local, local, ask or dict, None)


def test_reset_by_host_is_shown_by_another_and_the_same(servers: Any) -> None:
    def handle(sock: socket.socket) -> None:
        if b"Host: www.site.net" in sock.recv(65536):
            servers.reset(sock)
        else:
            sock.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            servers.hang(sock)

    proof = follow({"other_name"}, *target_at(servers.tcp(handle)))
    assert (proof["other_name"]["outcome"], proof["other_name"]["status"]) == ("ok", 404)
    assert proof["same_name"]["outcome"] == "reset"


def test_reset_by_server_name(servers: Any) -> None:
    def handle(sock: socket.socket) -> None:
        if b"www.site.net" in sock.recv(65536):
            servers.reset(sock)
        else:
            sock.sendall(b"\x15\x03\x03\x00\x02\x02\x70")
            servers.hang(sock)

    proof = follow({"other_name"}, *target_at(servers.tcp(handle), "https"))
    assert proof["other_name"]["outcome"] == "alert"
    assert proof["same_name"]["outcome"] == "reset"


def test_a_real_server_keeps_the_connection(servers: Any) -> None:
    handle = servers.page(b"no", "403 Forbidden")
    proof = follow({"again"}, *target_at(servers.tcp(handle)))
    assert [one["kept"] for one in proof["again"]] == [True, True]
    assert {one["status"] for one in proof["again"]} == {403}


@pytest.mark.parametrize("then", ["reset", "finish", "hang"])
def test_a_forged_page_does_not(servers: Any, then: str) -> None:
    def handle(sock: socket.socket) -> None:
        sock.recv(65536)
        sock.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
        getattr(servers, then)(sock)

    proof = follow({"again"}, *target_at(servers.tcp(handle)))
    assert [one["kept"] for one in proof["again"]] == [False, False]


def test_stray_bytes_of_the_real_page_do_not_count_as_kept(servers: Any) -> None:
    def handle(sock: socket.socket) -> None:
        sock.recv(65536)
        sock.sendall(b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno<p>rest of the real page")
        servers.page()(sock)

    proof = follow({"again"}, *target_at(servers.tcp(handle)))
    assert [one["kept"] for one in proof["again"]] == [False, False]


def test_gone_server_gives_rounds_without_a_page(servers: Any, closed_port: int) -> None:
    target, local = target_at(servers.tcp(servers.page(b"no", "403 Forbidden")))
    target["url"] = f"http://www.site.net:{closed_port}/"
    proof = follow({"again", "other_name"}, target, local)
    assert [one["status"] for one in proof["again"]] == [None, None]
    assert "other_name" not in proof


def test_the_control_is_asked_about_our_addresses(build: Any, servers: Any, tmp_path: Path) -> None:
    asked: list[Any] = []

    def ask(target: Any) -> Any:
        asked.append(target)
        return build("web", dns=None, tcp="timeout")

    local = build("web", dns=["8.7.198.45"])
    target = {"target": "t", "kind": "web", "url": "http://a.net/"}
    proof = gather(frozenset({"elsewhere"}), target, local, build("web"), ask, None)
    assert asked == [{**target, "addresses": ["8.7.198.45"]}]
    assert proof["elsewhere"]["tcp"][0]["outcome"] == "timeout"


def test_a_control_that_fails_proves_nothing(build: Any) -> None:
    local = build("web", dns=["8.7.198.45"])
    target = {"target": "t", "kind": "web", "url": "http://a.net/"}
    proof = gather(
        frozenset({"elsewhere"}), target, local, build("web"), lambda _: {"error": "x"}, None
    )
    assert proof == {}


def test_a_name_alone_is_looked_at_over_http_and_https(build: Any) -> None:
    asked: list[Any] = []

    def ask(target: Any) -> Any:
        asked.append((target["url"], target["addresses"]))
        return build("web", dns=None, tcp="ok")

    local, control = build("dns", dns=["8.7.198.45"]), build("dns")
    target = {"target": "t", "kind": "dns", "name": "a.net.", "qtype": "A"}
    proof = gather(frozenset({"elsewhere"}), target, local, control, ask, None)
    assert asked == [
        ("http://a.net/", ["8.7.198.45"]),
        ("https://a.net/", ["8.7.198.45"]),
        ("http://a.net/", ["1.1.1.1"]),
        ("https://a.net/", ["1.1.1.1"]),
    ]
    assert len(proof["elsewhere"]["tcp"]) == len(proof["genuine"]["tcp"]) == 2


def test_two_answers_make_the_control_unnecessary(build: Any, servers: Any) -> None:
    import dns.message

    def both(data: bytes) -> list[bytes]:
        query = dns.message.from_wire(data)
        return [servers.reply(query, [address]) for address in ("8.7.198.45", "1.1.1.1")]

    def ask(target: Any) -> Any:
        raise AssertionError(f"the control was asked about {target}")

    resolver = f"127.0.0.1:{servers.udp(both)}"
    target = {"target": "t", "kind": "dns", "name": "a.net", "qtype": "A"}
    local, control = build("dns", dns=["8.7.198.45"]), build("dns")
    names = frozenset({"elsewhere", "answers"})
    proof = gather(names, target, local, control, ask, resolver)
    assert [one["addresses"] for one in proof["answers"]] == [["8.7.198.45"], ["1.1.1.1"]]


def test_the_innocuous_name_is_reserved() -> None:
    assert INNOCENT.endswith(".example.org")  # RFC 2606 section 3


def test_a_resolvers_name_is_told_from_others(build: Any, servers: Any) -> None:
    def handle(sock: socket.socket) -> None:
        if b"dns.blocked.net" in sock.recv(65536):
            servers.reset(sock)
        else:
            sock.sendall(b"\x15\x03\x03\x00\x02\x02\x70")
            servers.hang(sock)

    port = servers.tcp(handle)
    target = {"kind": "dns", "name": "a.net", "qtype": "A", "via": "dot"}
    target |= {"resolver": f"dns.blocked.net:{port}"}
    local = build("dns", tcp="ok", tls=("reset", None, "hello"))
    local["tls"][0]["address"] = "127.0.0.1"
    assert wanted(local, build("dns", tcp="ok", tls="ok")) == {"other_name"}
    proof = follow({"other_name"}, target, local)
    assert proof["other_name"]["outcome"] == "alert"
    assert proof["same_name"]["outcome"] == "reset"
