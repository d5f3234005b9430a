"""Sights: every condition that asks for more than a name has one."""

from __future__ import annotations

import pytest

from censor.dissect import http, stun
from censor.policy.clause import When
from censor.rule.rules import topic
from censor.rule.sight import METHODS, SIGHTS, bare_target

#: Keys that are looked at in other ways: names, methods, query types, and "any message".
ELSEWHERE = {"dns.name", "dns.qtype", "tls.sni", "quic.sni", "dtls.sni", "sip.host", "sip.method",
             "http.method", "http.header", "socks.host"}  # fmt: skip
ANY = {"dns", "http", "tls", "quic", "dtls", "sip", "stun", "ssh", "socks", "openvpn", "wireguard"}


def test_every_key_about_messages_is_looked_at() -> None:
    keys = {field.alias or name for name, field in When.model_fields.items()}
    assert {key for key in keys if topic(key)} - ELSEWHERE - ANY == set(SIGHTS)


def test_methods_have_the_names_of_the_registry() -> None:
    assert METHODS["binding"] == stun.Method.BINDING
    assert METHODS["channel-data"] == -1
    assert len(METHODS) == len(stun.Method) + 1


@pytest.mark.parametrize(
    ("target", "bare"),
    [("/a", "/a"), ("http://h/a?b", "/a?b"), ("http://h", "/"), ("http://h?b", "?b"), ("*", "*"),
     ("a/b://c", "a/b://c")],
)  # fmt: skip
def test_bare_targets(target: str, bare: str) -> None:
    request = http.Request("GET", target, "HTTP/1.1", None, (), (), 0)
    assert bare_target(request) == bare


def test_a_host_is_spelled_as_it_came() -> None:
    request = http.Request("GET", "/", "HTTP/1.1", "a.example", ("A.Example:80",), (), 0)
    assert SIGHTS["http.host"](request, "a.example") == "A.Example"
    assert SIGHTS["http.host"](request, None) is None
