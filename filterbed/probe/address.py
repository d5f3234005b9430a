"""Tell addresses from names, and a host from its port."""

from __future__ import annotations

import ipaddress
import socket

from filterbed.probe.errors import TargetError


def literal(host: str) -> str | None:
    """Return the host if it is an address already, without brackets; else None."""
    try:
        return str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        return None


def family(address: str) -> socket.AddressFamily:
    """Return the socket family of a literal address."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def shown(host: str) -> str:
    """Return the host as a URI writes it: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def endpoint(text: str, port: int) -> tuple[str, int]:
    """Take HOST, HOST:PORT, [ADDRESS] or [ADDRESS]:PORT apart; `port` is the default."""
    if literal(text):
        return text.strip("[]"), port
    host, colon, tail = text.rpartition(":")
    if not colon:
        return text, port
    if not host or not tail.isdecimal() or not 0 <= int(tail[:6]) < 65536:
        raise TargetError(f"{text!r:.200}: expected HOST or HOST:PORT")
    return host.strip("[]"), int(tail)
