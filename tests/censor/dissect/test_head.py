"""Lines, headers, hosts and numbers, as HTTP and SIP share them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censor.dissect.head import number, read_head, skip_blank, split_host, split_line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Example.COM", ("example.com", None)),
        ("example.com:8080", ("example.com", 8080)),
        (" example.com: ", ("example.com", None)),
        ("example.com:99999", ("example.com", None)),
        ("example.com.", ("example.com.", None)),
        ("[2001:DB8::1]:443", ("2001:db8::1", 443)),
        ("[2001:db8::1]", ("2001:db8::1", None)),
        ("2001:db8::1", ("2001:db8::1", None)),
        ("example.com:port", ("example.com:port", None)),
        ("[oops", ("[oops", None)),
        (":80", (None, 80)),
        ("", (None, None)),
    ],
)
def test_hosts(text: str, expected: tuple[str | None, int | None]) -> None:
    assert split_host(text) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("0099", 99),
        ("65535", 65_535),
        ("65536", None),
        ("", None),
        (None, None),
        ("-1", None),
        ("+1", None),
        ("1_0", None),
        (" 1", None),
        ("²", None),
        ("9" * 5_000, None),
    ],
)
def test_numbers(text: str | None, value: int | None) -> None:
    assert number(text, 65_535) == value


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"GET / HTTP/1.1\r", ("GET", "/", "HTTP/1.1")),
        (b"GET  /a b  HTTP/1.1", ("GET", "/a b", "HTTP/1.1")),
        (b"GET /", None),
        (b"GET", None),
        (b"", None),
        (b"\xe9 \xff v", ("é", "ÿ", "v")),
    ],
)
def test_first_lines(line: bytes, words: tuple[str, str, str] | None) -> None:
    assert split_line(line) == words


@pytest.mark.parametrize("ending", [b"\r\n", b"\n"])
def test_headers_keep_order_and_spelling(ending: bytes) -> None:
    lines = [
        b"first",
        b"HoSt : a",
        b"X:",
        b" folded",
        b"\tagain",
        b"nocolon",
        b"host:b:c",
        b"",
        b"z",
    ]
    stream = ending.join(lines)
    head = read_head(stream, 0, 1000, partial=False)
    assert head is not None
    assert head.headers == (("HoSt", "a"), ("X", "folded again"), ("nocolon", ""), ("host", "b:c"))
    assert stream[head.end :] == b"z"
    assert head.complete


def test_a_fold_of_nothing_is_dropped() -> None:
    head = read_head(b"first\r\n Host: x\r\nA: b\r\n\r\n", 0, 1000, partial=False)
    assert head is not None
    assert head.headers == (("A", "b"),)


def test_an_unfinished_head_gives_its_finished_lines() -> None:
    stream = b"first\r\nA: b\r\nC: unfin"
    assert read_head(stream, 0, 1000, partial=False) is None
    head = read_head(stream, 0, 1000, partial=True)
    assert head is not None
    assert (head.headers, head.complete) == ((("A", "b"),), False)
    assert read_head(b"fir", 0, 1000, partial=True) is None


def test_a_head_beyond_its_limit_is_none() -> None:
    stream = b"first\r\nA: b\r\n\r\n"
    assert read_head(stream, 0, len(stream), partial=False) is not None
    assert read_head(stream, 0, len(stream) - 1, partial=False) is None


@given(st.binary(max_size=200), st.integers(0, 50), st.booleans())
def test_arbitrary_bytes_are_answered(data: bytes, limit: int, partial: bool) -> None:
    head = read_head(data, skip_blank(data), limit, partial=partial)
    if head is not None:
        assert head.end <= len(data)
        assert not head.complete or data[: head.end].endswith(b"\n")


@given(st.text(max_size=60))
def test_arbitrary_text_has_a_host_or_none(text: str) -> None:
    host, port = split_host(text)
    assert host != ""
    assert port is None or 0 <= port <= 65_535
