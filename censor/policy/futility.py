"""Find what is well formed in a policy document and could never do anything.

A rule that waits for what its box cannot see would pass for a free network.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from censor.dissect.quic_habit import V1, V2
from censor.policy.carrier import SIGNED, borne, carriers_of, section
from censor.policy.complaint import Path, Problem
from censor.policy.precedence import covers

_PORTS: Final[Mapping[str, list[int]]] = {"dns": [53]}
#: Protocols of which only what the client says is read.
CLIENTS: Final = frozenset(("dns", "http", "tls", "quic", "dtls", "ssh", "socks", "first"))
#: Keys about what the server says, in answer to what the client said.
ANSWERS: Final = ("tls.certificate", "tls.issuer")
_SEGMENTS: Final = ("tcp.flags", "tcp.header_length")
#: What can be seen of QUIC only by who can decrypt it, and its versions by their numbers.
_SEALED: Final = ("quic.sni", "quic.alpn", "quic.ech", "quic.ja4")
_QUIC: Final[Mapping[str, int]] = {"v1": V1, "v2": V2}
#: Methods that a relay does not have to itself.
_PLAIN_STUN: Final = ("binding", "shared-secret")
#: What a payload may look like only over one transport.
_ALIKE: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(("http", "tls", "ssh"), ("tcp",)),
    **dict.fromkeys(("quic", "dtls"), ("udp",)),
}


def futile_when(
    document: Mapping[str, Any], path: Path, when: object, topics: set[str]
) -> Iterable[Problem]:
    """Find conditions that cannot hold together, or that this box cannot see."""
    if not isinstance(when, Mapping):
        return
    yield from _transport_problems(path, when)
    no = when.get("not")
    if isinstance(no, Mapping) and covers(no, when):
        told = "conditions that do not hold whenever the rule's others do"
        yield Problem((*path, "not"), dict(no), told)
    if len(topics) != 1:
        return
    (topic,) = topics
    yield from _sight_problems(document, path, when)
    carriers = borne(document, topic, when)
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
    for key in ANSWERS:
        if key in when:
            told = "a box that sees both: what a server shows is read behind what its client said"
            yield Problem((*path, key), when[key], told, f"sees: {sees}")
    unseen = {"outbound": "inbound", "inbound": "outbound"}.get(str(sees))
    if topic in CLIENTS and when.get("direction") == unseen:
        told = f"{sees}: of {topic} what the client says is read, and the box sees it then"
        yield Problem((*path, "direction"), unseen, told, f"sees: {sees}")


def futile_rule(path: Path, rule: Mapping[str, Any], allows: bool) -> Iterable[Problem]:
    """Find chances of a rule that never come true, or that nobody asks about."""
    chance = rule.get("chance", 1)
    if allows:
        for key, usual in (("chance", 1), ("continue", False)):
            if rule.get(key, usual) != usual:
                told = "nothing beside `allow`: an exception holds always, and for all rules"
                yield Problem((*path, key), rule[key], told)
    hours = chance.get("by_hour") if isinstance(chance, Mapping) else None
    if isinstance(hours, list) and hours and not any(hours):
        told = "at least one hour at which it is not 0"
        yield Problem((*path, "chance", "by_hour"), hours, told)


def _transport_problems(path: Path, when: Mapping[str, Any]) -> Iterable[Problem]:
    """Find what is asked of a transport that does not have it."""
    protocol = when.get("protocol")
    if protocol in ("udp", "icmp"):
        for key in _SEGMENTS:
            if key in when:
                yield Problem((*path, key), when[key], f"protocol: tcp, for {protocol} has none")
    if protocol == "icmp":
        for key in ("client.port", "server.port"):
            if key in when:
                yield Problem((*path, key), when[key], "tcp or udp as protocol: icmp has no ports")


def _sight_problems(
    document: Mapping[str, Any], path: Path, when: Mapping[str, Any]
) -> Iterable[Problem]:
    """Find messages that cannot be read, or cannot be of both kinds that are asked for."""
    versions = section(document, "quic").get("versions", list(_QUIC))
    asked = when.get("quic.version", list(_QUIC))
    if isinstance(versions, list) and isinstance(asked, list):
        readable = {_QUIC.get(str(one), 0) for one in versions}
        hidden = not readable & {
            _QUIC.get(str(one), one) for one in asked if isinstance(one, str | int)
        }
        for key in _SEALED:
            if key in when and hidden:
                known = ", ".join(map(str, versions)) or "it has none"
                told = f"a version that quic.versions has the key of: {known}"
                yield Problem((*path, key), when[key], told)
    methods, relays = when.get("stun.method"), when.get("stun.turn")
    listed = methods if isinstance(methods, list) and isinstance(relays, bool) else []
    if listed and all((str(one) in _PLAIN_STUN) is relays for one in listed):
        known = " or ".join(_PLAIN_STUN)
        told = f"{'others than ' if relays else ''}{known}, for stun.turn is {str(relays).lower()}"
        yield Problem((*path, "stun.method"), methods, told)
    for key, carried in (("signature", SIGNED), ("first.like", _ALIKE)):
        words = when.get(key)
        if not isinstance(words, list):
            continue
        known_over = set(carriers_of(document, key.partition(".")[0]))
        for place, word in enumerate(words):
            over = carried.get(str(word), known_over)
            if known_over and not known_over & set(over):
                told = f"one that {' or '.join(sorted(known_over))} carries"
                yield Problem((*path, key, place), word, told, f"{word} is {' or '.join(over)}'s")


def _port_problems(
    document: Mapping[str, Any], path: Path, asked: object, topic: str
) -> Iterable[Problem]:
    read = section(document, topic).get("ports", _PORTS.get(topic, "any"))
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


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
