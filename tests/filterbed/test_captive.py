"""What a vantage behind a captive portal must see, kept and broken."""

from __future__ import annotations

from typing import Any

import pytest

from filterbed.baseline import holds
from topologies.portal import TITLE

PAGE = {"address": "1.1.1.1", "outcome": "ok", "status": 302, "title": TITLE}
NEWS = {**PAGE, "status": 200, "title": "News"}
OWN = {"name": "a.net", "qtype": "A", "rcode": "NOERROR", "addresses": ["192.168.1.1"]}
REAL = {**OWN, "addresses": ["1.1.1.1"]}
REFUSED = {"address": "1.1.1.1", "port": 443, "outcome": "refused"}
PORT = {"address": "1.1.1.1", "port": 80, "outcome": "ok"}
LEAK = {**PORT, "address": "2a01:4f8::7"}
HTTP = {"kind": "web", "url": "http://a.net/"}
V6, BOTH = {**HTTP, "families": [6]}, {**HTTP, "families": [4, 6]}
HTTPS = {"kind": "web", "url": "https://a.net/"}
NAME = {"kind": "dns", "name": "a.net", "qtype": "A"}
SIX = {**NAME, "qtype": "AAAA"}
OTHER = {"kind": "udp", "host": "a.net", "port": 3478}
PHONE = {"kind": "sip", "registrar": "a.net"}


def measured(target: Any, **parts: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {"dns": None, "tcp": [], "tls": [], "http": [], "udp": [], "quic": []}
    return {"kind": target["kind"], "sip": {"register": None, "call": None}, **empty, **parts}


@pytest.mark.parametrize(
    ("target", "parts"),
    [
        (HTTP, {"dns": REAL, "tcp": [PORT], "http": [PAGE]}),
        (HTTP, {"dns": OWN, "tcp": [PORT], "http": [{**PAGE, "status": 511}]}),
        (V6, {"dns": SIX | {"addresses": [], "rcode": "NOERROR"}}),
        (V6, {"tcp": [{**LEAK, "outcome": "timeout"}]}),
        (BOTH, {"tcp": [PORT, {**LEAK, "outcome": "timeout"}], "http": [PAGE]}),
        (HTTPS, {"dns": REAL, "tcp": [REFUSED]}),
        ({**HTTPS, "via": "h3"}, {"dns": REAL, "quic": [{**REFUSED, "outcome": "timeout"}]}),
        (NAME, {"dns": OWN}),
        (SIX, {"dns": {**OWN, "qtype": "AAAA", "addresses": []}}),
        ({**NAME, "via": "dot", "resolver": "b.net"}, {"tcp": [REFUSED]}),
        (OTHER, {"udp": [{**REFUSED, "outcome": "timeout"}]}),
        (PHONE, {"sip": {"register": {"outcome": "timeout", "code": None}, "call": None}}),
        ({"kind": "tcp", "host": "a.net", "port": 80}, {"dns": OWN, "tcp": [PORT]}),
    ],
)
def test_kept(target: Any, parts: Any) -> None:
    assert holds("portal", measured(target, **parts), target, ["1.1.1.1"]) == []


@pytest.mark.parametrize(
    ("target", "parts", "said"),
    [
        (HTTP, {"http": []}, "nothing was tried"),
        (HTTP, {"http": [{**PAGE, "status": 200, "title": "News"}]}, "200, titled 'News'"),
        (HTTP, {"http": [{**PAGE, "status": None, "title": None, "outcome": "reset"}]}, "reset"),
        (HTTPS, {"tcp": [{**PORT, "port": 443}]}, "tcp 1.1.1.1: ok"),
        (V6, {"tcp": [LEAK]}, "tcp 2a01:4f8::7: ok"),
        (V6, {"http": [{**NEWS, "address": LEAK["address"]}]}, "http 2a01:4f8::7: 200"),
        (BOTH, {"tcp": [PORT, LEAK], "http": [PAGE]}, "tcp 2a01:4f8::7: ok"),
        (HTTPS, {"http": [NEWS]}, "http 1.1.1.1: 200"),
        ({"kind": "tcp", "host": "a.net", "port": 80}, {"tcp": [LEAK]}, "tcp 2a01:4f8::7: ok"),
        (OTHER, {"udp": [PORT]}, "udp 1.1.1.1: ok"),
        ({**HTTPS, "via": "h3"}, {"quic": [{**REFUSED, "outcome": "ok"}]}, "quic 1.1.1.1: ok"),
        (NAME, {"dns": REAL}, "1.1.1.1, expected the portal's"),
        (NAME, {"dns": {**OWN, "addresses": []}}, "NOERROR, expected the portal's"),
        (NAME, {"dns": {**OWN, "addresses": [], "rcode": "NXDOMAIN"}}, "NXDOMAIN"),
        (OTHER, {"udp": [{**REFUSED, "outcome": "ok"}]}, "udp 1.1.1.1: ok"),
        (PHONE, {"sip": {"register": {"outcome": "ok", "code": 200}, "call": None}}, "sip"),
    ],
)
def test_broken(target: Any, parts: Any, said: str) -> None:
    (problem,) = holds("portal", measured(target, **parts), target, ["1.1.1.1"])
    assert said in problem
