"""HTTP requests, against the standard library's server reading the same bytes."""

from __future__ import annotations

import io
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censor.dissect.head import LIMIT
from censor.dissect.http import NotHttp, Request, dissect
from censor.dissect.outcome import Incomplete
from fuzz.growth import FACTOR, SLACK, work

GET = b"GET /a?b=c HTTP/1.1\r\nHost: WWW.Example.com:8080\r\nUser-Agent: x\r\n\r\n"


def request(stream: bytes, *, partial: bool = False) -> Request:
    found = dissect(stream, partial=partial)
    assert isinstance(found, Request), found
    return found


def host(*lines: bytes, target: bytes = b"/", method: bytes = b"GET") -> str | None:
    first = method + b" " + target + b" HTTP/1.1"
    return request(b"\r\n".join((first, *lines, b"", b""))).host


class Server(BaseHTTPRequestHandler):
    """Reads a request from bytes instead of a connection."""

    def __init__(self, stream: bytes) -> None:
        self.rfile = io.BytesIO(stream)
        self.wfile = io.BytesIO()
        self.client_address = ("192.0.2.1", 1)
        self.raw_requestline = self.rfile.readline()
        self.request_version = ""
        self.readable = self.parse_request()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_an_everyday_request() -> None:
    found = request(GET + b"body")
    assert found == Request(
        method="GET",
        target="/a?b=c",
        version="HTTP/1.1",
        host="www.example.com",
        hosts=("WWW.Example.com:8080",),
        headers=(("Host", "WWW.Example.com:8080"), ("User-Agent", "x")),
        header_end=len(GET),
        complete=True,
    )
    assert found.header("user-agent") == "x"
    assert found.header("cookie") is None


TOKENS = st.from_regex(r"[A-Za-z][A-Za-z0-9\-]{0,10}", fullmatch=True)
VALUES = st.from_regex(r"([!-~]([ -~]{0,20}[!-~])?)?", fullmatch=True)


@given(
    TOKENS,
    st.from_regex(r"/[!-~]{0,20}", fullmatch=True),
    st.lists(st.tuples(st.one_of(TOKENS, st.just("Host")), VALUES), max_size=8),
    st.binary(max_size=10),
)
def test_a_server_reads_the_same(
    method: str, target: str, headers: list[tuple[str, str]], body: bytes
) -> None:
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    stream = "\r\n".join([*lines, "", ""]).encode() + body
    server = Server(stream)
    assert server.readable
    found = request(stream)
    assert found.method == server.command
    assert found.version == server.request_version
    assert found.target.lstrip("/") == server.path.lstrip("/")  # it folds leading slashes
    assert list(found.headers) == list(server.headers.items())
    assert list(found.hosts) == (server.headers.get_all("host") or [])
    assert stream[found.header_end :] == server.rfile.read() == body


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ((b"Host: a.example",), "a.example"),
        ((b"hOsT:a.example",), "a.example"),
        ((b"Host :\ta.example  ",), "a.example"),
        ((b"Host:", b" a.example"), "a.example"),
        ((b"Host: a.example", b"Host: b.example"), "a.example"),
        ((b"X: y",), None),
        ((b"Host:",), None),
        ((b"Host: [2001:db8::1]:80",), "2001:db8::1"),
        ((b"Host: a.example.",), "a.example."),
        ((b"X-Host: a.example",), None),
    ],
)
def test_the_host_of_headers(lines: tuple[bytes, ...], expected: str | None) -> None:
    assert host(*lines) == expected


@pytest.mark.parametrize(
    ("target", "method", "expected"),
    [
        (b"http://b.example/x", b"GET", "b.example"),
        (b"HTTP://user@B.example:81", b"GET", "b.example"),
        (b"http://b.example?q=@c", b"GET", "b.example"),
        (b"http://[2001:db8::1]:8/", b"GET", "2001:db8::1"),
        (b"c.example:443", b"CONNECT", "c.example"),
        (b"/?u=http://b.example/", b"GET", "a.example"),
        (b"*", b"OPTIONS", "a.example"),
    ],
)
def test_a_target_that_names_a_host_outranks_the_header(
    target: bytes, method: bytes, expected: str
) -> None:
    assert host(b"Host: a.example", target=target, method=method) == expected


def test_all_host_headers_are_kept() -> None:
    found = request(b"GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n")
    assert found.hosts == ("a", "b")


@pytest.mark.parametrize("sample", [GET, GET.replace(b"\r\n", b"\n"), b"\r\n\n" + GET])
def test_streams_are_borne(torture: Callable[..., None], sample: bytes) -> None:
    torture(dissect, sample + b"body", len(sample))
    torture(dissect, sample + GET, len(sample))


def test_bare_line_feeds_end_lines() -> None:
    mixed = b"GET / HTTP/1.0\nHost: a.example\r\nX: y\n\r\nbody"
    found = request(mixed)
    assert found.host == "a.example"
    assert mixed[found.header_end :] == b"body"


@pytest.mark.parametrize(
    "stream",
    [
        b"\x16\x03\x01",
        b"\0",
        b" GET / HTTP/1.1\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"PRI * HTTP/2.0\r\n",
        b"INVITE sip:a@b SIP/2.0\r\n",
        b"GET /\r\n",
        b"GET / HTTP/1.1x\r\n",
        b"GET / HTTP/1.\r\n",
        b"\xc3\x89T / HTTP/1.1\r\n",
        b"A" * 33,
        b"A" * 33 + b" / HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_not_http_is_known_at_once(stream: bytes) -> None:
    assert isinstance(dissect(stream), NotHttp)


def test_partial_heads() -> None:
    stream = b"GET / HTTP/1.1\r\nHost: a.example\r\nCookie: " + b"c" * 50
    assert isinstance(dissect(stream), Incomplete)
    found = request(stream, partial=True)
    assert (found.host, found.complete) == ("a.example", False)
    assert request(stream[:20], partial=True).host is None
    assert isinstance(dissect(stream[:10], partial=True), Incomplete)
    assert dissect(GET, partial=True) == dissect(GET)


def test_heads_are_bounded() -> None:
    line = b"GET / HTTP/1.1\r\nHost: a.example\r\nX: "
    fits = line + b"y" * (LIMIT - len(line) - 4) + b"\r\n\r\n"
    assert request(fits).host == "a.example"
    assert isinstance(dissect(line + b"y" * LIMIT), NotHttp)
    assert isinstance(dissect(b"GET /" + b"y" * LIMIT), NotHttp)
    assert isinstance(dissect(b"\n" * (LIMIT + 1)), NotHttp)
    assert isinstance(dissect(fits, limit=1000), NotHttp)


@given(st.binary(max_size=300), st.booleans())
def test_arbitrary_bytes_are_answered(data: bytes, partial: bool) -> None:
    assert isinstance(dissect(data, partial=partial), (Request, Incomplete, NotHttp))


@given(st.binary(max_size=300), st.booleans())
def test_arbitrary_headers_are_answered(data: bytes, partial: bool) -> None:
    found = dissect(b"GET / HTTP/1.1\r\n" + data, partial=partial)
    assert isinstance(found, (Request, Incomplete))


@pytest.mark.parametrize(
    "filler",
    [b" ", b"\t ", b":", b"\n ", b"\r\n:", b"\r", b"a ", b"[", b"@", b"http://", b"Host:\n"],
)
def test_no_filler_takes_more_than_linear_time(filler: bytes) -> None:
    def run(body: bytes) -> None:
        dissect(b"GET x" + body + b" HTTP/1.1\r\nHost: a\r\n\r\n", partial=True)
        dissect(b"GET / HTTP/1.1\r\nHost: " + body + b"\r\n\r\n", partial=True)

    whole = (filler * LIMIT)[: LIMIT - 100]
    assert work(run, whole) <= FACTOR * SLACK * work(run, whole[: len(whole) // FACTOR])
