"""Say what can be seen of a message, by the key of the condition that asks for it.

Nothing is looked at before a rule asks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from censor.dissect import http, sip, stun
from censor.dissect.certificate import Certificate, Shown
from censor.dissect.fingerprint import ja3, ja4

#: The version of TLS by its number on the wire; DTLS's are below.
TLS_VERSIONS: Final = {
    "ssl3": 0x0300,
    "1.0": 0x0301,
    "1.1": 0x0302,
    "1.2": 0x0303,
    "1.3": 0x0304,
}

#: STUN's methods by name, and ChannelData, which is no message but what a relay carries.
METHODS: Final = {
    **{method.name.lower().replace("_", "-"): int(method) for method in stun.Method},
    "channel-data": -1,
}


#: Keys that only a certificate answers.
CERTIFIED: Final = frozenset(("tls.certificate", "tls.issuer"))
_UNSEEN: Final = Certificate((), (), 0)


def bare_target(request: http.Request) -> str:
    """Return path and query, of an absolute target too."""
    target = request.target
    if target.startswith("/"):
        return target
    scheme, found, rest = target.partition("://")
    if not found or not scheme.isalnum():
        return target
    cut = min((at for at in map(rest.find, "/?") if at >= 0), default=len(rest))
    return rest[cut:] or "/"


def _spelled(request: http.Request, name: str | None) -> str | None:
    """Return the host in its own case."""
    for text in (request.target, *request.hosts) if name else ():
        at = text.lower().find(name or "")
        if at >= 0:
            return text[at : at + len(name or "")]
    return name


def _path(request: http.Request, _: str | None) -> bytes:
    return bare_target(request).partition("?")[0].encode("latin-1")


def _query(request: http.Request, _: str | None) -> bytes | None:
    _, mark, query = bare_target(request).partition("?")
    return query.encode("latin-1") if mark else None


def _keyword(request: http.Request, _: str | None) -> bytes:
    _, absolute, rest = request.target.partition("://")
    host = request.hosts[0] if request.hosts else ""
    return (rest if absolute else host + request.target).encode("latin-1")


def _method(message: stun.Message | stun.ChannelData, _: str | None) -> int:
    return -1 if isinstance(message, stun.ChannelData) else message.method


def _relayed(message: stun.Message | stun.ChannelData, _: str | None) -> bool:
    return isinstance(message, stun.ChannelData) or message.turn


def _application(message: stun.Message | stun.ChannelData, _: str | None) -> str | None:
    return None if isinstance(message, stun.ChannelData) else message.application


def _agent(message: sip.Message, _: str | None) -> bytes | None:
    name = message.user_agent or message.header("server")
    return None if name is None else name.encode("latin-1")


def _hello(seen: Any) -> Any:
    """Return the ClientHello, of a certificate that which it answers."""
    return seen.hello if isinstance(seen, Shown) else seen


def _certified(seen: Any) -> Certificate:
    return seen.certificate if isinstance(seen, Shown) else _UNSEEN


#: What a condition's key looks at, of what the dissector made of a message and of its name. None is
#: nothing, which no condition holds for.
SIGHTS: Final[Mapping[str, Callable[[Any, str | None], Any]]] = {
    "http.host": _spelled,
    "http.path": _path,
    "http.query": _query,
    "http.keyword": _keyword,
    "tls.alpn": lambda seen, _: _hello(seen).alpn,
    "tls.version": lambda seen, _: _hello(seen).versions,
    "tls.ech": lambda seen, _: _hello(seen).ech,
    "tls.esni": lambda seen, _: _hello(seen).esni,
    "tls.ja3": lambda seen, _: ja3(_hello(seen)),
    "tls.ja4": lambda seen, _: ja4(_hello(seen)),
    "tls.certificate": lambda seen, _: _certified(seen).names,
    "tls.issuer": lambda seen, _: tuple(one.encode() for one in _certified(seen).issuer),
    "quic.version": lambda seen, _: seen.version,
    "quic.alpn": lambda seen, _: seen.hello.alpn,
    "quic.ech": lambda seen, _: seen.hello.ech,
    "quic.ja4": lambda seen, _: ja4(seen.hello, quic=True),
    "sip.uri": lambda request, _: request.uri.text.encode("latin-1"),
    "sip.user_agent": _agent,
    "sip.status": lambda response, _: response.status,
    "stun.method": _method,
    "stun.turn": _relayed,
    "stun.application": _application,
    "rtp": lambda control, _: not control,
    "rtcp": lambda control, _: control,
    "ssh.software": lambda seen, _: seen.software.encode("latin-1"),
    "socks.version": lambda seen, _: seen.version,
    "openvpn.kind": lambda seen, _: seen.kind,
    "wireguard.kind": lambda seen, _: seen.kind,
    "signature": lambda seen, _: seen,
    "first.like": lambda seen, _: seen.alike,
    "first.fully_encrypted": lambda seen, _: seen.exemption is None,
}
