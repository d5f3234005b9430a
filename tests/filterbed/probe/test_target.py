"""Targets as the contract writes them."""

from typing import Any

import pytest

from filterbed.probe.errors import TargetError
from filterbed.probe.target import check, url

CALL = {"kind": "call", "registrar": "a.net:5080", "user": "u", "password": "p",
        "callee": "echo", "seconds": 2, "media": "pcmu"}  # fmt: skip
GOOD: list[dict[str, Any]] = [
    {"target": "a", "kind": "web", "url": "https://a.net/x?y=1"},
    {"kind": "web", "url": "https://a.net/", "via": "h3"},
    {"kind": "dns", "name": "a.net", "qtype": "AAAA"},
    {"kind": "tcp", "host": "a.net", "port": 443, "families": [4, 6]},
    {"kind": "udp", "host": "192.0.2.1", "port": 53, "addresses": ["192.0.2.1"]},
    {"kind": "sip", "registrar": "a.net", "user": "u", "password": "p"},
    CALL,
    {**CALL, "client": "baresip"},
    {"kind": "dns", "name": "a.net", "qtype": "A", "via": "doh", "resolver": "dns.net"},
    {"kind": "chat", "peer": "192.0.2.1", "message": "hi", "client": "skype"},
    {"kind": "chat", "peer": "a", "message": "hi", "client": "tom", "filter": "a.net"},
]


@pytest.mark.parametrize("target", GOOD)
def test_good(target: dict[str, Any]) -> None:
    assert check(target) is target


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (None, "expected an object"),
        ([], "expected an object"),
        ({"kind": "web", "url": "https://a.net/", "via": "h4"}, "via 'h4': expected h3"),
        ({"kind": "web", "url": "http://a.net/", "via": "h3"}, "expected an https:// URL"),
        ({}, "expected one of web, dns"),
        ({"kind": ["web"]}, "expected one of web"),
        ({"kind": "web"}, "url None: expected str"),
        ({"kind": "web", "url": "ftp://a.net/"}, "expected http://HOST"),
        ({"kind": "web", "url": "http:///x"}, "expected http://HOST"),
        ({"kind": "web", "url": "http://a.net:99999/"}, "out of range"),
        ({"kind": "web", "url": "http://[::1/"}, "url 'http"),
        ({"kind": "web", "url": "http://" + "a" * 70 + ".net/"}, "url 'http"),
        ({"kind": "web", "url": "http://a.net/", "target": 3}, "expected its name"),
        ({"kind": "dns", "name": "a.net", "qtype": 1}, "qtype 1: expected str"),
        ({"kind": "tcp", "host": "a.net", "port": "80"}, "port '80': expected int"),
        ({"kind": "tcp", "host": "a.net", "port": True}, "port True: expected int"),
        ({"kind": "tcp", "host": "a.net", "port": 0}, "port 0: expected 1 to 65535"),
        ({"kind": "tcp", "host": "a", "port": 1, "addresses": ["b"]}, "list of IP addresses"),
        ({"kind": "tcp", "host": "a", "port": 1, "families": []}, "a list of 4 and 6"),
        ({"kind": "tcp", "host": "a", "port": 1, "seconds": 1e9}, "at most 60"),
        (
            {"kind": "dns", "name": "a", "qtype": "A", "via": "doq", "resolver": "a"},
            "expected dot or doh",
        ),
        ({"kind": "dns", "name": "a", "qtype": "A", "via": "dot"}, "expected whom to ask"),
        ({"kind": "chat", "peer": "a", "message": "", "client": "qq"}, "skype or tom"),
        ({**CALL, "client": "linphone"}, "sipp or baresip"),
        ({**CALL, "client": "baresip", "direction": "in"}, "expected direction out"),
        ({"kind": "chat", "peer": "a", "message": "", "client": "tom"}, "has its lists from"),
    ],
)
def test_refused_with_the_reason(target: Any, said: str) -> None:
    with pytest.raises(TargetError, match=said):
        check(target)


@pytest.mark.parametrize(
    ("text", "host", "port", "path", "authority"),
    [
        ("http://A.net", "a.net", 80, "/", "a.net"),
        ("https://a.net:443/x", "a.net", 443, "/x", "a.net"),
        ("http://a.net:8080/?q", "a.net", 8080, "/?q", "a.net:8080"),
        ("http://[2001:db8::1]:81/", "2001:db8::1", 81, "/", "[2001:db8::1]:81"),
        ("http://bücher.example/", "xn--bcher-kva.example", 80, "/", "xn--bcher-kva.example"),
    ],
)
def test_url(text: str, host: str, port: int, path: str, authority: str) -> None:
    found = url(text)
    assert (found.host, found.port, found.path, found.authority) == (host, port, path, authority)
