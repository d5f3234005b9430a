"""Read a target object as the contract writes it (section 3), refusing what is none.

Two fields more than the contract's are understood in every kind that needs a name resolved:
`addresses` (a list: skip DNS and use these) and `families` (a list of 4 and 6; 4 alone by default).
A call's `direction` is out, or in: then `callee` is who is asked to ring us.
A web target may say `via`: `h3`, to be fetched over QUIC and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from filterbed.probe.address import literal, shown
from filterbed.probe.errors import TargetError

_FIELDS: dict[str, dict[str, type]] = {
    "web": {"url": str},
    "dns": {"name": str, "qtype": str},
    "tcp": {"host": str, "port": int},
    "udp": {"host": str, "port": int},
    "sip": {"registrar": str, "user": str, "password": str},
    "call": {"registrar": str, "user": str, "password": str, "callee": str},
    "skype": {"hosts": list, "login": str},
    "skypeout": {"hosts": list, "login": str, "gateway": str},
    "chat": {"peer": str, "message": str, "client": str},
}
#: Real clients that place calls.
CALLERS = ("sipp", "baresip")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Url:
    """An http or https URL, taken apart; `host` is ASCII, `authority` what the Host header says."""

    secure: bool
    host: str
    port: int
    path: str
    authority: str


def check(target: Any) -> Mapping[str, Any]:
    """Return the target, or raise TargetError saying which field is wrong."""
    if not isinstance(target, dict):
        raise TargetError(f"target {target!r:.80}: expected an object")
    kind = target.get("kind")
    if not isinstance(kind, str) or kind not in _FIELDS:
        raise TargetError(f"kind {kind!r:.80}: expected one of {', '.join(_FIELDS)}")
    if not isinstance(target.get("target", ""), str):
        raise TargetError(f"target {target['target']!r:.80}: expected its name, a string")
    for field, expected in _FIELDS[kind].items():
        value = target.get(field)
        if not isinstance(value, expected) or isinstance(value, bool):
            raise TargetError(f"{kind} target: {field} {value!r:.80}: expected {expected.__name__}")
    _options(target)
    if kind == "dns" and target.get("via") is not None:
        _over_tls(target)
    if kind == "chat":
        _chat(target)
    if kind == "call":
        _caller(target)
    if kind == "web":
        _via(target.get("via"), url(target["url"]))
    return target


def _via(way: Any, where: Url) -> None:
    if way not in (None, "h3"):
        raise TargetError(f"via {way!r:.80}: expected h3, or nothing")
    if way == "h3" and not where.secure:
        raise TargetError("via 'h3': expected an https:// URL")


def _options(target: Mapping[str, Any]) -> None:
    port = target.get("port", 1)
    if not isinstance(port, int) or not 0 < port < 65536:
        raise TargetError(f"port {port!r:.80}: expected 1 to 65535")
    addresses = target.get("addresses", [])
    if not isinstance(addresses, list) or not all(
        isinstance(a, str) and literal(a) for a in addresses
    ):
        raise TargetError(f"addresses {addresses!r:.80}: expected a list of IP addresses")
    families = target.get("families", [4])
    if not isinstance(families, list) or not families or not set(families) <= {4, 6}:
        raise TargetError(f"families {families!r:.80}: expected a list of 4 and 6")
    hosts = target.get("hosts", [""])
    if not hosts or not all(isinstance(host, str) for host in hosts):
        raise TargetError(f"hosts {hosts!r:.80}: expected a list of ADDRESS or ADDRESS:PORT")
    direction = target.get("direction", "out")
    if direction not in ("out", "in"):
        raise TargetError(f"direction {direction!r:.80}: expected out or in")
    _payload(target.get("payload"))
    seconds = target.get("seconds", 1)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= 60:
        raise TargetError(f"seconds {seconds!r:.80}: expected more than 0, at most 60")


def _over_tls(target: Mapping[str, Any]) -> None:
    if target["via"] not in ("dot", "doh"):
        raise TargetError(f"via {target['via']!r:.80}: expected dot or doh")
    if not isinstance(target.get("resolver"), str) or not target["resolver"]:
        raise TargetError(f"resolver {target.get('resolver')!r:.80}: expected whom to ask, HOST")


def _chat(target: Mapping[str, Any]) -> None:
    client, host = target["client"], target.get("filter")
    if client not in ("skype", "tom"):
        raise TargetError(f"client {client!r:.80}: expected skype or tom")
    if client == "tom" and not (isinstance(host, str) and host):
        raise TargetError(f"filter {host!r:.80}: expected the host that tom has its lists from")


def _caller(target: Mapping[str, Any]) -> None:
    client = target.get("client")
    if client not in (None, *CALLERS):
        raise TargetError(f"client {client!r:.80}: expected {' or '.join(CALLERS)}")
    if client == "baresip" and target.get("direction") == "in":
        raise TargetError("client 'baresip': expected direction out; sipp answers calls")


def _payload(text: Any) -> None:
    try:
        if text is not None:
            bytes.fromhex(text)
    except (TypeError, ValueError) as error:
        raise TargetError(f"payload {text!r:.80}: expected bytes in hex") from error


def url(text: str) -> Url:
    """Take a URL apart; TargetError if it is not http or https, or names no host."""
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
        port = parts.port
        host = host if literal(host) else host.encode("idna").decode("ascii")
    except ValueError as error:  # a bad port, a label too long, an open bracket
        raise TargetError(f"url {text!r:.200}: {error}") from error
    if parts.scheme not in _PORTS or not host:
        raise TargetError(f"url {text!r:.200}: expected http://HOST/... or https://HOST/...")
    usual = port in (None, _PORTS[parts.scheme])
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Url(
        secure=parts.scheme == "https",
        host=host,
        port=port or _PORTS[parts.scheme],
        path=path,
        authority=shown(host) if usual else f"{shown(host)}:{port}",
    )
