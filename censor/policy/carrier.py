"""Say what carries the messages that a policy's rules ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from censor.dissect.signature import SIGNATURES
from censor.wire.number import Protocol

#: What carries each protocol, unless the policy says `over`.
_USUAL: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(("http", "tls", "ssh", "socks", "first"), ("tcp",)),
    **dict.fromkeys(("quic", "dtls", "wireguard", "rtp"), ("udp",)),
    **dict.fromkeys(("dns", "sip", "stun", "openvpn", "signature"), ("udp", "tcp")),
}

#: What carries an application's bytes.
SIGNED: Final[Mapping[str, tuple[str, ...]]] = {
    name: ("tcp",) if one.protocol == Protocol.TCP else ("udp",) for name, one in SIGNATURES.items()
}


def carriers_of(document: Mapping[str, Any], topic: str) -> tuple[str, ...]:
    """Return what carries a protocol's messages here."""
    over = section(document, topic).get("over")
    usual = _USUAL.get(topic, ())
    return tuple(map(str, over)) if isinstance(over, list) else usual


def section(document: Mapping[str, Any], topic: str) -> Mapping[str, Any]:
    """Return what the policy says of a protocol, as far as it is a mapping."""
    found = document.get(topic)
    return found if isinstance(found, Mapping) else {}


def borne(document: Mapping[str, Any], topic: str, when: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what carries the messages that a rule asks for."""
    carriers = carriers_of(document, topic)
    words = when.get("signature")
    if topic == "signature" and isinstance(words, list) and words:
        own = {one for word in words for one in SIGNED.get(str(word), carriers)}
        return tuple(one for one in carriers if one in own)
    return carriers
