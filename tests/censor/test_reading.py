"""Reading: what rules see of real messages, and that anything else is no message."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censor.dissect.outcome import Foreign, Incomplete
from censor.reading import Found, glance, read
from censor.rules import App, Reading

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


@pytest.mark.parametrize("app", list(App))
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


@pytest.mark.parametrize("app", list(App))
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


def test_responses_say_nothing(query: Any) -> None:
    answer = one(App.DNS, query("a.example", flags=0x8180), stream=False)
    assert answer == Found((), len(query("a.example")))
    assert one(App.SIP, b"SIP/2.0 200 OK\r\n\r\n").messages == ()


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
