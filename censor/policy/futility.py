"""Find what is well formed in a policy document and could never do anything.

A rule that waits for what its box cannot see would pass for a free network.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any, Final

from censor.policy.action import act_word
from censor.policy.complaint import Path, Problem

#: What carries each protocol, unless the policy says `over`.
_CARRIERS: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(("http", "tls", "ssh", "socks", "first"), ("tcp",)),
    **dict.fromkeys(("quic", "dtls", "wireguard", "rtp"), ("udp",)),
    **dict.fromkeys(("dns", "sip", "stun", "openvpn", "signature"), ("udp", "tcp")),
}
_PORTS: Final[Mapping[str, list[int]]] = {"dns": [53]}
#: Protocols of which only what the client says is read.
_CLIENTS: Final = frozenset(("dns", "http", "tls", "quic", "dtls", "ssh", "socks", "first"))
#: Keys about what the server says, in answer to what the client said.
_ANSWERS: Final = ("tls.certificate", "tls.issuer")
_SEGMENTS: Final = ("tcp.flags", "tcp.header_length")
#: Acts upon segments alone.
_TCP_ACTS: Final = ("reset", "fin", "syn-ack", "probe", "rewrite reset")
#: What `rewrite: packet` may change.
_FIELDS: Final = ("ttl", "ip_id", "window", "flags", "spoil", "bad_checksum")
#: How long a domain name is at most, as text; Source: RFC 1035 section 2.3.4.
_NAME: Final = 253


def futile_when(
    document: Mapping[str, Any], path: Path, when: object, topics: set[str]
) -> Iterable[Problem]:
    """Find conditions that cannot hold together, or that this box cannot see."""
    if not isinstance(when, Mapping) or len(topics) != 1:
        return
    (topic,) = topics
    carriers = _carriers(document, topic)
    told = f"{' or '.join(carriers)}, which carries {topic} here"
    if carriers and when.get("protocol") in ({"udp", "tcp", "icmp"} - set(carriers)):
        yield Problem((*path, "protocol"), when["protocol"], told)
    for key in _SEGMENTS:
        if key in when and carriers and "tcp" not in carriers:
            yield Problem((*path, key), when[key], f"nothing: {told}")
    yield from _port_problems(document, path, when.get("server.port"), topic)
    sees = document.get("sees", "both")
    if sees == "both":
        return
    for key in _ANSWERS:
        if key in when:
            told = "a box that sees both: what a server shows is read behind what its client said"
            yield Problem((*path, key), when[key], told, f"sees: {sees}")
    unseen = {"outbound": "inbound", "inbound": "outbound"}.get(str(sees))
    if topic in _CLIENTS and when.get("direction") == unseen:
        told = f"{sees}: of {topic} what the client says is read, and the box sees it then"
        yield Problem((*path, "direction"), unseen, told, f"sees: {sees}")


def futile_act(
    document: Mapping[str, Any], path: Path, act: Mapping[str, Any], when: object, topics: set[str]
) -> Iterable[Problem]:
    """Find acts that nothing which triggers them could bear."""
    kind = act_word(act) or ""
    place = next((word for word in ("inject", "rewrite", kind) if word in act), kind)
    asked = when if isinstance(when, Mapping) else {}
    carriers = {one for topic in topics for one in _carriers(document, topic)}
    if asked.get("protocol") in ("udp", "icmp"):
        carriers = {str(asked["protocol"])}
    if kind in _TCP_ACTS and carriers and "tcp" not in carriers:
        yield Problem((*path, place), act[place], "a rule about tcp", "it is a segment of TCP")
    if kind == "rewrite packet" and all(
        act.get(key) is None or act[key] is False for key in _FIELDS
    ):
        yield Problem((*path, place), act[place], f"at least one of {', '.join(_FIELDS)} beside it")
    said = topics <= _CLIENTS and topics and not any(key in asked for key in _ANSWERS)
    alone = act.get("residual") is None
    if act.get("drop") == "packet" and act.get("toward") == "client" and said and alone:
        told = "server or both: what triggers is on its way to the server"
        yield Problem((*path, "toward"), "client", told)
    spoken = act.get("over_tcp", "nothing") != "nothing"
    if spoken and topics == {"dns"} and "tcp" not in _carriers(document, "dns"):
        yield Problem((*path, "over_tcp"), act["over_tcp"], "nothing, or dns.over with tcp")
    name = act.get("cname")
    if isinstance(name, str) and len(name.rstrip(".")) > _NAME:
        yield Problem((*path, "cname"), name, f"a name of at most {_NAME} characters")
    families = [_family(one) for one in _listed(act.get("from"))]
    if len(set(families)) < len(families):
        yield Problem((*path, "from"), act["from"], "one address a family: IPv4, IPv6")


def _port_problems(
    document: Mapping[str, Any], path: Path, asked: object, topic: str
) -> Iterable[Problem]:
    read = _section(document, topic).get("ports", _PORTS.get(topic, "any"))
    wanted, known = _spans(asked), _spans(read)
    if wanted and known and not any(a[0] <= b[1] and b[0] <= a[1] for a in wanted for b in known):
        told = f"a port on which {topic} is looked for: {topic}.ports is {read}"
        yield Problem((*path, "server.port"), asked, told)


def _spans(ports: object) -> list[tuple[int, int]]:
    """Read ports and ranges; what is no list of them is judged elsewhere."""
    found = []
    for one in _listed(ports):
        low, _, high = str(one).partition("-")
        if not (low.isdecimal() and (high or low).isdecimal()):
            return []
        span = (int(low), int(high or low))
        if not span[0] <= span[1] <= 0xFFFF:
            return []
        found.append(span)
    return found


def _carriers(document: Mapping[str, Any], topic: str) -> tuple[str, ...]:
    over = _section(document, topic).get("over")
    usual = _CARRIERS.get(topic, ())
    return tuple(map(str, over)) if isinstance(over, list) else usual


def _section(document: Mapping[str, Any], topic: str) -> Mapping[str, Any]:
    section = document.get(topic)
    return section if isinstance(section, Mapping) else {}


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _family(value: object) -> int:
    try:
        return ip_address(str(value)).version
    except ValueError:
        return 0
