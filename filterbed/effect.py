"""Say which mechanisms an act of a censor can manifest as, read off its event and its bytes.

The proof holds this against the truth: a scenario that declares a forged address while its policy
answers NXDOMAIN is wrong although both are acts. An act names what it *can* be seen as; which of
it a client sees is the live run's business.
A forged DNS answer shows as itself, or as SERVFAIL where a recursor that validates was told it.

Limits:  an act without a trigger (a rule by address, a memory) can manifest at several layers.
Source:  docs/design.md (events), scenarios/taxonomy.yaml (nodes).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any, Final

import dns.exception
import dns.message
import dns.rcode

from filterbed.header import dissect
from scenarios.model import Label

Event = Mapping[str, Any]
_RST, _FIN = 0x04, 0x01
_TCP, _UDP = 6, 17
_RCODES: Final = {
    dns.rcode.NXDOMAIN: "dns.nxdomain",
    dns.rcode.REFUSED: "dns.refused",
    dns.rcode.SERVFAIL: "dns.servfail",
}
#: What a connection that is reset, closed or starved shows, by what triggered it.
_RESET: Final = {
    "tls.sni": ("tls.reset.sni", "tls.reset.other"),
    "http.host": ("http.reset.host", "http.reset.keyword"),
    "dns.name": ("dns.reset",),
    "sip.method": ("proto.reset",),
}
_ANY_RESET: Final = ("tcp.reset", "tcp.refused", "tls.reset.other", "http.reset", "proto.reset")
_CLOSED: Final = {"tls.sni": ("tls.fin",), "http.host": ("http.fin",)}
_LOST: Final = {
    "dns.name": ("dns.timeout",),
    "tls.sni": ("tls.timeout", "tls.throttle.sni", "quic.timeout.sni", "tcp.cut"),
    "http.host": ("http.timeout", "http.throttle.host", "tcp.cut"),
    "quic.sni": ("quic.timeout.sni", "quic.throttle"),
}
#: What a forged leaf shows, by who signed it.
_FORGED: Final = {"self": "tls.mitm.self_signed", "ca": "tls.mitm.ca_signed"}
_SIP_LOST: Final = {
    "REGISTER": ("sip.register.timeout",),
    "INVITE": ("sip.invite.timeout",),
}
_ANY_LOST: Final = {
    "tcp": ("tcp.timeout", "tcp.throttle", "tcp.cut", "tls.timeout", "http.timeout", "ip",
            "proto.timeout", "turn.timeout", "app"),
    "udp": ("udp.timeout", "dns.timeout", "quic.timeout", "quic.throttle", "stun.timeout", "rtp",
            "sip.register.timeout", "sip.invite.timeout", "turn.timeout", "proto.timeout", "ip",
            "app"),
}  # fmt: skip


def effects(event: Event) -> frozenset[str]:
    """Return the taxonomy nodes that one act can manifest as; empty for what is no act."""
    word = event.get("event")
    found: set[str] = set()
    if word == "injected":
        for text in event.get("packets") or ():
            found |= _injected(bytes.fromhex(text), _trigger(event))
    elif word == "rewritten":
        for text in event.get("packets") or ():
            found |= _injected(bytes.fromhex(text), _trigger(event))
        found |= _lost(event)
    elif word in ("dropped", "held"):
        found |= _lost(event)
    elif word == "intercepted":
        found.add(_FORGED.get(str(event.get("signed")), "tls.mitm"))
    if found and event.get("residual"):
        found.add("residual")
    return frozenset(found)


def consistent(label: Label, acts: Iterable[Event]) -> bool:
    """Say whether any of `acts` can be what `label` declares.

    An effect and a mechanism agree where one is the other or leads to it. A label that names no
    mechanism agrees with every act. Of a packet whose connection is taken over, no other act is
    seen by its client: what is forged then tells the server that the client is gone.
    """
    acts = list(acts)
    taken = {act.get("n") for act in acts if act.get("event") == "intercepted"}
    shown = [a for a in acts if a.get("event") == "intercepted" or a.get("n") not in taken]
    seen = {effect for act in shown for effect in effects(act)}
    return not label.mechanisms or any(
        _leads(one, other) or _leads(other, one) for one in label.mechanisms for other in seen
    )


def _leads(prefix: str, node: str) -> bool:
    return node == prefix or node.startswith(prefix + ".")


def _trigger(event: Event) -> Mapping[str, Any]:
    trigger = event.get("trigger")
    return trigger if isinstance(trigger, Mapping) else {}


def _injected(packet: bytes, trigger: Mapping[str, Any]) -> set[str]:
    header = dissect(packet)
    if header is None:
        return set()
    payload = packet[header.payload :]
    flags = packet[header.transport + 13] if header.protocol == _TCP else 0
    if header.protocol == _UDP:
        return _datagram(payload)
    if header.protocol != _TCP:
        return {"ip.unreachable"}
    if payload.startswith((b"SIP/2.0 ", b"BYE ", b"CANCEL ")):
        return _datagram(payload)
    if payload.startswith(b"HTTP/"):
        return {"http.redirect"} if payload[9:10] == b"3" else {"http.blockpage", "http.error"}
    if flags & _RST:
        return set(_by_trigger(_RESET, trigger, _ANY_RESET))
    if flags & _FIN:
        return set(_by_trigger(_CLOSED, trigger, ("tls.fin", "http.fin")))
    return set()


def _datagram(payload: bytes) -> set[str]:
    if payload.startswith(b"SIP/2.0 "):
        return {"sip.register.reject", "sip.invite.reject"}
    if payload.startswith((b"BYE ", b"CANCEL ")):
        return {"sip.bye"}
    try:
        answer = dns.message.from_wire(payload, ignore_trailing=True)
    except (dns.exception.DNSException, ValueError):
        return set()
    if answer.rcode() in _RCODES:
        return {_RCODES[answer.rcode()], "dns.servfail"}
    addresses = [
        ipaddress.ip_address(item.address)
        for rrset in answer.answer
        for item in rrset
        if hasattr(item, "address")
    ]
    if not addresses:
        return {"dns.injection.nodata", "dns.servfail"}
    if all(not a.is_global or a.is_reserved for a in addresses):
        return {"dns.injection.bogon", "dns.injection.blockpage", "dns.servfail"}
    return {"dns.injection.other", "dns.injection.blockpage", "dns.servfail"}


def _lost(event: Event) -> set[str]:
    trigger = _trigger(event)
    if method := trigger.get("sip.method"):
        return set(_SIP_LOST.get(str(method), ("sip",)))
    flow = event.get("flow")
    protocol = flow.get("protocol") if isinstance(flow, Mapping) else None
    return set(_by_trigger(_LOST, trigger, _ANY_LOST.get(str(protocol), ("ip",))))


def _by_trigger(
    table: Mapping[str, tuple[str, ...]], trigger: Mapping[str, Any], otherwise: tuple[str, ...]
) -> tuple[str, ...]:
    for key, nodes in table.items():
        if key in trigger:
            return nodes
    return otherwise
