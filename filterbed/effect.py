"""Say which mechanisms an act of a censor can manifest as, read off its event and its bytes.

The proof holds this against the truth: a scenario that declares a forged address while its policy
answers NXDOMAIN is wrong although both are acts. An act names what it *can* be seen as; which of
it a client sees is the live run's business.
A forged DNS answer shows as itself, or, told to a recursor that validates, as its SERVFAIL.
What a call's media suffers is told by the rule's acts: to drop, thin, police, hold and cut are
logged alike.

Limits:  an act without a trigger (a rule by address, a memory) can manifest at several layers.
Source:  docs/design.md (events), scenarios/taxonomy.yaml (nodes).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

import dns.exception
import dns.message
import dns.rcode

from filterbed.header import dissect, raw
from scenarios.model import Label

Event = Mapping[str, Any]
#: The events of what touches traffic (docs/design.md, events).
ACTS: Final = frozenset({"injected", "dropped", "rewritten", "held", "intercepted"})
#: What each rule does, by its id: the acts of its `then`, as the policy writes them.
Rules = Mapping[str, Sequence[Mapping[str, Any]]]
_RST, _FIN = 0x04, 0x01
_TCP, _UDP = 6, 17
_RCODES: Final = {
    dns.rcode.NXDOMAIN: "dns.nxdomain",
    dns.rcode.REFUSED: "dns.refused",
    dns.rcode.SERVFAIL: "dns.servfail",
}
#: What a forged answer shows by itself; to check its signature finds none.
_ANSWERED: Final = frozenset(
    (*_RCODES.values(), "dns.injection.nodata", "dns.injection.bogon", "dns.injection.other")
)
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
    **dict.fromkeys(("INVITE", "ACK", "PRACK", "CANCEL"), ("sip.invite.timeout",)),
}
_REJECTED: Final = {b"REGISTER": "sip.register.reject", b"INVITE": "sip.invite.reject"}
#: A relay's own methods; the rest of STUN is for finding addresses and ways.
_RELAY: Final = frozenset(
    {
        *("allocate", "refresh", "send", "data", "create-permission", "channel-bind"),
        *("connect", "connection-bind", "connection-attempt", "channel-data"),
    }
)
#: What a call's media shows, by what is done to it; a drop one way is known apart.
_MEDIA: Final = {
    "thin": ("rtp.loss",),
    "police": ("rtp.throttle",),
    "shape": ("rtp.throttle", "rtp.jitter"),
    "delay": ("rtp.jitter",),
}
#: Acts that make a flow slow instead of ending it.
_SLOWING: Final = frozenset(("police", "shape", "delay", "thin"))
#: What is lost when a protocol is recognised by its first payloads.
_LIKE: Final = {
    "dns": ("dns.timeout",),
    "http": ("http.timeout", "http.throttle", "tcp.cut"),
    "tls": ("tls.timeout", "tls.throttle", "tcp.cut"),
    "quic": ("quic.timeout", "quic.throttle"),
    "sip": ("sip",),
    "stun": ("stun.timeout", "turn.timeout"),
}
_ANY_LOST: Final = {
    "tcp": ("tcp.timeout", "tcp.throttle", "tcp.cut", "tls.timeout", "http.timeout", "ip",
            "proto.timeout", "turn.timeout", "app"),
    "udp": ("udp.timeout", "dns.timeout", "quic.timeout", "quic.throttle", "stun.timeout", "rtp",
            "sip.register.timeout", "sip.invite.timeout", "turn.timeout", "proto.timeout", "ip",
            "app"),
}  # fmt: skip


def effects(
    event: Event, rules: Rules | None = None, validating: Collection[bytes] = ()
) -> frozenset[str]:
    """Return the taxonomy nodes that one act can manifest as; empty for what is no act.

    Args:
        validating: raw addresses of recursors that believe only what is signed.
    """
    then = (rules or {}).get(str(event.get("rule")), ())
    word = event.get("event")
    found: set[str] = set()
    if word == "injected":
        for text in event.get("packets") or ():
            found |= _injected(bytes.fromhex(text), _trigger(event))
    elif word == "rewritten":
        for text in event.get("packets") or ():
            found |= _injected(bytes.fromhex(text), _trigger(event))
        found |= _lost(event, then)
    elif word in ("dropped", "held"):
        found |= _lost(event, then)
    elif word == "intercepted":
        found.add(_FORGED.get(str(event.get("signed")), "tls.mitm"))
    if _ANSWERED & found and _client(event) in validating:
        found.add("dns.servfail")
    if found and event.get("residual"):
        found.add("residual")
    return frozenset(found)


def consistent(
    label: Label,
    acts: Iterable[Event],
    rules: Rules | None = None,
    validating: Collection[bytes] = (),
) -> bool:
    """Say whether any of `acts` can be what `label` declares.

    An effect and a mechanism agree where one is the other or leads to it. A label that names no
    mechanism agrees with every act. Of a packet whose connection is taken over, no other act is
    seen by its client: what is forged then tells the server that the client is gone.
    """
    acts = list(acts)
    taken = {act.get("n") for act in acts if act.get("event") == "intercepted"}
    shown = [a for a in acts if a.get("event") == "intercepted" or a.get("n") not in taken]
    seen = {effect for act in shown for effect in effects(act, rules, validating)}
    if "rtp.oneway" in seen and _ways(shown) == {"client", "server"}:
        seen.add("rtp.timeout")  # two rules, a way each
    return not label.mechanisms or any(
        _leads(one, other) or _leads(other, one) for one in label.mechanisms for other in seen
    )


def _client(event: Event) -> bytes | None:
    """Return who began the flow that an act is about."""
    flow = event.get("flow")
    try:
        return raw(str(flow["client"])) if isinstance(flow, Mapping) else None
    except (KeyError, ValueError):
        return None


def _ways(acts: Iterable[Event]) -> set[Any]:
    """Return where the media that is dropped was headed."""
    return {a.get("toward") for a in acts if a["event"] == "dropped" and "rtp" in _trigger(a)}


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
        if "first.like" in trigger:
            return {"proto.reset", *(f"{x}.reset" for x in ("tls", "http") if x in _like(trigger))}
        return set(_by_trigger(_RESET, trigger, _ANY_RESET))
    if flags & _FIN:
        return set(_by_trigger(_CLOSED, trigger, ("tls.fin", "http.fin")))
    return set()


def _datagram(payload: bytes) -> set[str]:
    if payload.startswith(b"SIP/2.0 "):
        about = re.search(rb"(?im)^cseq[ \t]*:[ \t]*[0-9]+[ \t]+(\w+)", payload)
        known = _REJECTED.get(about[1].upper()) if about else None
        return {known} if known else set(_REJECTED.values())
    if payload.startswith((b"BYE ", b"CANCEL ")):
        return {"sip.bye"}
    try:
        answer = dns.message.from_wire(payload, ignore_trailing=True)
    except (dns.exception.DNSException, ValueError):
        return set()
    if answer.rcode() in _RCODES:
        return {_RCODES[answer.rcode()]}
    addresses = [
        ipaddress.ip_address(item.address)
        for rrset in answer.answer
        for item in rrset
        if hasattr(item, "address")
    ]
    if not addresses:
        return {"dns.injection.nodata"}
    if all(not a.is_global or a.is_reserved for a in addresses):
        return {"dns.injection.bogon", "dns.injection.blockpage"}
    return {"dns.injection.other", "dns.injection.blockpage"}


def _lost(event: Event, then: Sequence[Mapping[str, Any]]) -> set[str]:
    """Say what the loss of a packet, or its delay, shows; slow is only what a rule slows down."""
    found = _missed(event, then)
    if not then or any(_SLOWING & act.keys() for act in then):
        return found
    return {node for node in found if "throttle" not in node.split(".")}


def _missed(event: Event, then: Sequence[Mapping[str, Any]]) -> set[str]:
    trigger = _trigger(event)
    flow = event.get("flow")
    protocol = str(flow.get("protocol")) if isinstance(flow, Mapping) else ""
    if method := trigger.get("sip.method"):
        return set(_SIP_LOST.get(str(method), ("sip",)))
    if "rtp" in trigger or "rtcp" in trigger:
        return _media(event, then)
    if "stun.method" in trigger:
        relayed = trigger["stun.method"] in _RELAY
        helped = {"rtp.oneway", "rtp.timeout", "app.call.timeout"}  # by what was not learned
        return {"turn.timeout" if relayed else "stun.timeout", *helped}
    if "quic.version" in trigger:
        named = trigger.get("quic.sni") is not None
        return {"quic.timeout.sni" if named else "quic.timeout", "quic.throttle"}
    if "dtls.sni" in trigger:  # nobody has a node of its own for it: media's keys, or a tunnel
        return {"udp.timeout", "rtp.timeout", "app.call.timeout"}
    if "first.like" in trigger:
        return _first(trigger, protocol)
    return set(_by_trigger(_LOST, trigger, _ANY_LOST.get(protocol, ("ip",))))


def _media(event: Event, then: Sequence[Mapping[str, Any]]) -> set[str]:
    """Say what a caller notices of one packet of media lost or held, given what its rule does."""
    found: set[str] = set()
    for act in then:
        one_way = act.get("toward", "both") != "both"
        if event["event"] == "dropped" and {"drop", "cut"} & act.keys():
            found.add("rtp.oneway" if one_way else "rtp.timeout")
        for word, nodes in _MEDIA.items():
            found.update(nodes if word in act else ())
    return found or {"rtp"}


def _first(trigger: Mapping[str, Any], protocol: str) -> set[str]:
    """Say what is lost of a flow that was judged by its first payloads."""
    alike = _like(trigger)
    found = {node for word in alike for node in _LIKE.get(word, ("proto.timeout",))}
    if not alike:
        found.add("proto.timeout.allowlist")
    if trigger.get("first.fully_encrypted"):
        found.add("proto.timeout.encrypted")
    return found | ({"udp.timeout"} if protocol == "udp" else set())


def _like(trigger: Mapping[str, Any]) -> Sequence[str]:
    found = trigger.get("first.like")
    return found if isinstance(found, list) else ()


def _by_trigger(
    table: Mapping[str, tuple[str, ...]], trigger: Mapping[str, Any], otherwise: tuple[str, ...]
) -> tuple[str, ...]:
    for key, nodes in table.items():
        if key in trigger:
            return nodes
    return otherwise
