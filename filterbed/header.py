"""Read the headers of an IP packet: who talks with whom, and where the payload begins.

The judge's own reading: the censor's dissectors are what is being judged.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any, Final, NamedTuple

ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
PROTOCOLS: Final = {"icmp": ICMP, "tcp": TCP, "udp": UDP, "icmpv6": ICMPV6}
NAMES: Final = {number: name for name, number in PROTOCOLS.items()}
#: IPv6 extension headers that say which comes next (RFC 8200 section 4): hop-by-hop, routing,
#: fragment, destination options.
_EXTENSIONS: Final = frozenset({0, 43, 44, 60})
_FRAGMENT: Final = 44
#: ICMP errors quote the packet they are about (RFC 792; RFC 4443 section 3), from their byte 8 on.
_ERRORS: Final = {ICMP: frozenset({3, 4, 5, 11, 12}), ICMPV6: frozenset({1, 2, 3, 4})}

#: (protocol, lower end, higher end); an end is (raw address, port).
Flow = tuple[int, tuple[bytes, int], tuple[bytes, int]]


class Header(NamedTuple):
    """What matters of one packet. Ports are 0 where there are none; `payload` is an offset.

    `fragment` is the offset of a fragment in bytes, 0 for a first or only one. `length` is the
    whole packet's by its own account.
    """

    version: int
    protocol: int
    src: bytes
    sport: int
    dst: bytes
    dport: int
    ttl: int
    ident: int
    fragment: int
    transport: int
    payload: int
    length: int

    @property
    def flow(self) -> Flow:
        """Return the flow, the same for both directions."""
        return flow_key(self.protocol, (self.src, self.sport), (self.dst, self.dport))


def flow_key(protocol: int, one: tuple[bytes, int], other: tuple[bytes, int]) -> Flow:
    """Return the flow between two ends, whichever comes first."""
    return (protocol, one, other) if one <= other else (protocol, other, one)


def dissect(data: bytes) -> Header | None:
    """Read an IPv4 or IPv6 packet; None where it is too short to be one."""
    if not data:
        return None
    version = data[0] >> 4
    if version == 4:
        return _v4(data)
    return _v6(data) if version == 6 else None


def _v4(data: bytes) -> Header | None:
    size = (data[0] & 15) * 4
    if size < 20 or len(data) < size:
        return None
    fragment = (int.from_bytes(data[6:8], "big") & 0x1FFF) * 8
    return _finish(
        data, 4, data[9], data[12:16], data[16:20], data[8], int.from_bytes(data[4:6], "big"),
        fragment, size, int.from_bytes(data[2:4], "big"),
    )  # fmt: skip


def _v6(data: bytes) -> Header | None:
    if len(data) < 40:
        return None
    protocol, at, fragment, ident = data[6], 40, 0, 0
    while protocol in _EXTENSIONS and len(data) >= at + 8:
        if protocol == _FRAGMENT:
            fragment = int.from_bytes(data[at + 2 : at + 4], "big") & 0xFFF8
            ident = int.from_bytes(data[at + 4 : at + 8], "big")
        size = 8 if protocol == _FRAGMENT else 8 * (data[at + 1] + 1)
        protocol, at = data[at], at + size
        if fragment:
            break
    length = 40 + int.from_bytes(data[4:6], "big")
    return _finish(data, 6, protocol, data[8:24], data[24:40], data[7], ident, fragment, at, length)


def _finish(
    data: bytes, version: int, protocol: int, src: bytes, dst: bytes, ttl: int, ident: int,
    fragment: int, at: int, length: int,
) -> Header:  # fmt: skip
    sport = dport = 0
    payload = at
    if not fragment and len(data) >= at + 8:
        if protocol in (TCP, UDP):
            sport = int.from_bytes(data[at : at + 2], "big")
            dport = int.from_bytes(data[at + 2 : at + 4], "big")
            payload = at + 8
        if protocol == TCP:
            payload = at + (data[at + 12] >> 4) * 4 if len(data) > at + 12 else len(data)
    return Header(
        version, protocol, src, sport, dst, dport, ttl, ident, fragment, at, payload, length
    )


def quoted(data: bytes, header: Header) -> bytes | None:
    """Return the packet that an ICMP error is about, as far as it is quoted; else None."""
    at = header.transport
    if header.fragment or len(data) < at + 8 or data[at] not in _ERRORS.get(header.protocol, ()):
        return None
    return data[at + 8 :]


def raw(address: str) -> bytes:
    """Return an address's raw bytes; an IPv4 address written as IPv6 is the IPv4 address."""
    parsed = ip_address(address.partition("%")[0])
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed).packed


def text(address: bytes) -> str:
    """Write a raw address as text."""
    return socket.inet_ntop(socket.AF_INET if len(address) == 4 else socket.AF_INET6, address)


def flow_text(flow: Flow) -> str:
    """Write a flow as text: `tcp 1.2.3.4:80 - 5.6.7.8:4321`."""
    protocol, *ends = flow
    name = NAMES.get(protocol, f"protocol {protocol}")
    spelled = [
        f"[{text(address)}]:{port}" if len(address) == 16 else f"{text(address)}:{port}"
        for address, port in ends
    ]
    return f"{name} {' - '.join(spelled)}"


def flow_of_event(flow: Any) -> Flow | None:
    """Return the flow that an event of the censor's log names; None where it names none."""
    try:
        protocol = flow["protocol"]
        number = protocol if isinstance(protocol, int) else PROTOCOLS[protocol.lower()]
        return flow_key(
            number,
            (raw(flow["client"]), int(flow["client_port"])),
            (raw(flow["server"]), int(flow["server_port"])),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def relayed(events: Iterable[Mapping[str, Any]]) -> frozenset[Flow]:
    """Return the flows that a box leads itself: those it took over, and those behind them."""
    told = [event for event in events if event.get("event") == "relayed"]
    named = [flow_of_event(event.get(key)) for event in told for key in ("flow", "onward")]
    return frozenset(flow for flow in named if flow is not None)
