"""Registration, against a registrar that keeps the rules of RFC 3261 and one that does not."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any

import pytest

from filterbed.probe.sip import Account, parse, register


def answer(request: bytes, code: int, *extra: str) -> bytes:
    lines = request.decode().split("\r\n")
    keep = [x for x in lines if x.startswith(("Via:", "From:", "To:", "Call-ID:", "CSeq:"))]
    more = [f"SIP/2.0 {code} X", *keep, "Server: registrar", *extra, "Content-Length: 0", "", ""]
    return "\r\n".join(more).encode()


CHALLENGE = 'WWW-Authenticate: Digest realm="site", nonce="n{}ce", qop="auth", opaque="o"'


def digest_server(password: str, code: int = 401) -> Callable[[bytes], list[bytes]]:
    """Make a registrar that computes RFC 2617 section 3.2.2 by itself."""

    def md5(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    def serve(data: bytes) -> list[bytes]:
        header = re.search(rb"\r\nAuthorization: Digest (.*)\r\n", data)
        if header is None:
            return [answer(data, 100), answer(data, code, CHALLENGE)]
        said = dict(re.findall(r'(\w+)="?([^",]*)', header[1].decode()))
        first = md5(f"alice:site:{password}")
        second = md5(f"REGISTER:{said['uri']}")
        middle = f"{said['nonce']}:{said['nc']}:{said['cnonce']}:{said['qop']}"
        good = md5(f"{first}:{middle}:{second}") == said["response"]
        return [answer(data, 200 if good else code, CHALLENGE)]

    return serve


def run(port: int, password: str = "secret", **more: Any) -> dict[str, Any]:
    account = Account("sip.site.net", "alice", password, "127.0.0.1", port)
    return register(account, timeout=more.pop("timeout", 0.3), flows=more.pop("flows", []), **more)


def test_register_with_digest(servers: Any) -> None:
    flows: list[Any] = []
    port = servers.udp(digest_server("secret"))
    row = run(port, flows=flows)
    assert (row["outcome"], row["code"], row["server"]) == ("ok", 200, "registrar")
    assert [(one["cseq"], one["code"]) for one in row["answers"]] == [
        ("1", 100),
        ("1", 401),
        ("2", 200),
    ]
    assert flows == [["udp", "127.0.0.1", flows[0][2], "127.0.0.1", port]]


def test_request_names_the_registrar_as_the_target_does(servers: Any) -> None:
    run(servers.udp(lambda data: [answer(data, 200)]))
    message = parse(servers.seen[0])
    assert message is not None
    assert message.start == "REGISTER sip:sip.site.net SIP/2.0"
    assert message.headers["to"] == "<sip:alice@sip.site.net>"


def test_wrong_password_is_rejected(servers: Any) -> None:
    row = run(servers.udp(digest_server("secret")), "wrong")
    assert (row["outcome"], row["code"]) == ("rejected", 401)


@pytest.mark.parametrize("code", [403, 404, 486, 503, 603])
def test_refusal(servers: Any, code: int) -> None:
    row = run(servers.udp(lambda data: [answer(data, code)]))
    assert (row["outcome"], row["code"]) == ("rejected", code)


@pytest.mark.parametrize("header", ["", "WWW-Authenticate: Basic realm=x"])
def test_unanswerable_challenge(servers: Any, header: str) -> None:
    row = run(servers.udp(lambda data: [answer(data, 401, header or "X: y")]))
    assert (row["outcome"], row["code"]) == ("rejected", 401)


def test_silence_is_asked_again_and_then_a_timeout(servers: Any) -> None:
    row = run(servers.udp(lambda data: []), timeout=0.2)
    assert (row["outcome"], row["code"]) == ("timeout", None)
    assert 0.7 <= row["seconds"] < 1.5
    assert len(servers.seen) == 2  # at 0 and at 0.5 s; the third would be at 1.5 s


def test_closed_port(closed_port: int) -> None:
    assert run(closed_port)["outcome"] == "refused"


def test_second_answer_shows_in_the_window(servers: Any) -> None:
    port = servers.udp(lambda data: [answer(data, 403), answer(data, 200)])
    row = run(port, window=0.2)
    assert (row["outcome"], row["code"]) == ("rejected", 403)
    assert [one["code"] for one in row["answers"]] == [403, 200]


def test_noise_and_foreign_answers_are_ignored(servers: Any) -> None:
    def noisy(data: bytes) -> list[bytes]:
        foreign = re.sub(rb"Call-ID: .*", b"Call-ID: other\r", answer(data, 403))
        return [b"", b"\xff\xfe", data, foreign, answer(data, 200)]

    assert run(servers.udp(noisy))["code"] == 200


@pytest.mark.parametrize("data", [b"", b"\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 40])
def test_parse_refuses(data: bytes) -> None:
    assert parse(data) is None


def test_parse_reads_compact_forms() -> None:
    message = parse(b"SIP/2.0 200 OK\r\ni: abc\r\nCSeq: 2 INVITE\r\n\r\nbody")
    assert message is not None
    assert (message.code, message.method, message.headers["call-id"]) == (200, "INVITE", "abc")
    assert message.body == "body"
