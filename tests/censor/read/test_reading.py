"""Reading: what rules see of real messages, and that anything else is no message."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censor.dissect.outcome import Foreign, Incomplete
from censor.read.found import Found
from censor.read.reading import glance, read
from censor.rule.rules import App, HttpHabit, Reading

PLAIN = Reading(None, frozenset({6, 17}))


def one(app: App, data: bytes, *, stream: bool = True, whole: bool = True) -> Any:
    return read(app, data, PLAIN, stream=stream, whole=whole)


@pytest.fixture
def samples(query: Any, get: Any, hello: Any, invite: Any) -> dict[App, bytes]:
    asked = query("WWW.a.Example")
    return {
        App.DNS: len(asked).to_bytes(2, "big") + asked,
        App.HTTP: get("WWW.a.Example:8080"),
        App.TLS: hello("WWW.a.Example"),
        App.SIP: invite("WWW.a.Example"),
    }


#: What `read` reads; the others want several payloads: tests/censor/read/test_follower.py.
NAMED = [App.DNS, App.HTTP, App.TLS, App.SIP]
READ = [*NAMED, App.STUN]


@pytest.mark.parametrize("app", NAMED)
def test_a_stream_is_read_once_it_is_whole(app: App, samples: dict[App, bytes]) -> None:
    data = samples[app]
    for size in range(len(data)):
        assert isinstance(one(app, data[:size]), Incomplete), size
    found = one(app, data + b"\x00junk")
    assert isinstance(found, Found)
    assert found.length == len(data)
    (message,) = found.messages
    assert (message.app, message.name) == (app, "www.a.example")
    assert "www.a.example" in message.trigger.values()


@pytest.mark.parametrize("app", [App.HTTP, App.TLS, App.SIP])
def test_protocols_are_told_apart(app: App, samples: dict[App, bytes]) -> None:
    for other, data in samples.items():
        assert isinstance(one(app, data), Found) is (other is app)


@pytest.mark.parametrize("app", READ)
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("whole", [True, False])
@given(data=st.binary(max_size=80))
def test_any_bytes_are_read_or_not(app: App, stream: bool, whole: bool, data: bytes) -> None:
    found = read(app, data, PLAIN, stream=stream, whole=whole)
    assert isinstance(found, Found | Incomplete | Foreign)
    if isinstance(found, Found):
        assert found.length > 0


def test_bodies_are_stepped_over(get: Any) -> None:
    later = Reading(None, frozenset({6}), later=True)
    request = get("a.example", more="Content-Length: 7\r\n")
    found = read(App.HTTP, request, later, stream=True, whole=True)
    assert isinstance(found, Found)
    assert (found.length, found.last) == (len(request) + 7, False)
    chunked = get("a.example", more="Transfer-Encoding: chunked\r\n")
    unread = read(App.HTTP, chunked, later, stream=True, whole=True)
    assert isinstance(unread, Found)
    assert unread.last


def host(head: str, habit: HttpHabit) -> Any:
    reading = Reading(None, frozenset({6}), habit=habit)
    found = read(App.HTTP, head.encode(), reading, stream=True, whole=True)
    assert isinstance(found, Found)
    return found.messages[0].name if found.messages else "unseen"


DOUBLED = "GET / HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\n\r\n"
ABSOLUTE = "GET http://a.example/ HTTP/1.1\r\nHost: b.example\r\n\r\n"
CONNECT = "CONNECT a.example:443 HTTP/1.1\r\nHost: b.example\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "habit", "seen"),
    [
        (DOUBLED, HttpHabit(), "a.example"),
        (DOUBLED, HttpHabit(last_host=True), "b.example"),
        (ABSOLUTE, HttpHabit(), "a.example"),
        (ABSOLUTE, HttpHabit(header_first=True), "b.example"),
        (CONNECT, HttpHabit(), "a.example"),
        (CONNECT, HttpHabit(header_first=True), "b.example"),
        (ABSOLUTE.replace("Host: b.example\r\n", ""), HttpHabit(header_first=True), "a.example"),
        ("GET / HTTP/1.1\nHost: a.example\n\n", HttpHabit(), "a.example"),
        ("GET / HTTP/1.1\nHost: a.example\n\n", HttpHabit(lf_only=False), "unseen"),
        ("GET / HTTP/1.1\r\nhOSt:  a.example\r\n\r\n", HttpHabit(), "a.example"),
        ("GET / HTTP/1.1\r\nhOSt: a.example\r\n\r\n", HttpHabit(any_spelling=False), None),
        ("GET / HTTP/1.1\r\nHost:a.example\r\n\r\n", HttpHabit(any_spelling=False), None),
        ("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", HttpHabit(any_spelling=False), "a.example"),
    ],
)  # fmt: skip
def test_pickier_than_servers(head: str, habit: HttpHabit, seen: str | None) -> None:
    assert host(head, habit) == seen


def test_where_media_will_go_is_told_by_both_ends() -> None:
    body = b"v=0\r\nc=IN IP4 24.48.0.2\r\nm=audio 6000 RTP/AVP 0\r\n"
    for start in (b"INVITE sip:b@x.example SIP/2.0", b"SIP/2.0 200 OK"):
        head = start + b"\r\nContent-Length: %d\r\n\r\n" % len(body)
        for stream in (True, False):
            found = one(App.SIP, head + body, stream=stream)
            assert found.announced == ((bytes([24, 48, 0, 2]), 6000),)


def test_what_responses_say(query: Any) -> None:
    answer = one(App.DNS, query("a.example", flags=0x8180), stream=False)
    assert answer == Found((), len(query("a.example")))
    (found,) = one(App.SIP, b"SIP/2.0 200 OK\r\nCSeq: 1 INVITE\r\n\r\n").messages
    assert found.answers
    assert found.trigger == {"sip.status": 200, "sip.method": "INVITE"}


@pytest.mark.parametrize(
    ("app", "key"), [(App.TLS, "tls.sni"), (App.HTTP, "http.host"), (App.SIP, "sip.host")]
)
def test_a_glance_names_what_one_packet_asks_for(
    app: App, key: str, samples: dict[App, bytes]
) -> None:
    named = glance(samples[app])
    assert named is not None
    assert named[key] == "www.a.example"


def test_a_glance_at_anything_else_is_nothing() -> None:
    assert glance(b"\x17\x03\x03\x00\x10") is None
