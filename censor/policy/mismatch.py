"""Find acts that nothing which triggers them could bear."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any, Final

from censor.policy.action import act_word
from censor.policy.carrier import borne, carriers_of
from censor.policy.clause import followed
from censor.policy.complaint import Path, Problem
from censor.policy.futility import ANSWERS, CLIENTS
from censor.policy.quantity import seconds

#: Acts upon segments alone.
_TCP_ACTS: Final = ("reset", "fin", "syn-ack", "probe", "rewrite reset")
#: What `rewrite: packet` may change.
_FIELDS: Final = ("ttl", "ip_id", "window", "flags", "spoil", "bad_checksum")
#: The flag that makes a segment what its act says.
_MUST: Final[Mapping[str, str]] = {"reset": "R", "rewrite reset": "R", "fin": "F"}
#: How long a domain name is at most, as text; Source: RFC 1035 section 2.3.4.
_NAME: Final = 253


def futile_act(
    document: Mapping[str, Any], path: Path, act: Mapping[str, Any], when: object, topics: set[str]
) -> Iterable[Problem]:
    """Find acts that nothing which triggers them could bear."""
    kind = act_word(act) or ""
    place = next((word for word in ("inject", "rewrite", kind) if word in act), kind)
    asked = when if isinstance(when, Mapping) else {}
    carriers = {one for topic in topics for one in borne(document, topic, asked)}
    if asked.get("protocol") in ("udp", "icmp"):
        carriers = {str(asked["protocol"])}
    if carriers and "tcp" not in carriers:
        yield from _segment_problems(path, act, kind)
    if kind in _TCP_ACTS and carriers and "tcp" not in carriers:
        yield Problem((*path, place), act[place], "a rule about tcp", "it is a segment of TCP")
    if kind == "rewrite packet" and all(
        act.get(key) is None or act[key] is False for key in _FIELDS
    ):
        yield Problem((*path, place), act[place], f"at least one of {', '.join(_FIELDS)} beside it")
    said = topics <= CLIENTS and topics and not any(key in asked for key in ANSWERS)
    alone = act.get("residual") is None and not _reads_servers(document, carriers)
    if act.get("drop") == "packet" and act.get("toward") == "client" and said and alone:
        told = "server or both: what triggers is on its way to the server"
        yield Problem((*path, "toward"), "client", told)
    spoken = act.get("over_tcp", "nothing") != "nothing"
    if spoken and topics == {"dns"} and "tcp" not in carriers_of(document, "dns"):
        yield Problem((*path, "over_tcp"), act["over_tcp"], "nothing, or dns.over with tcp")
    name = act.get("cname")
    if isinstance(name, str) and len(name.rstrip(".")) > _NAME:
        yield Problem((*path, "cname"), name, f"a name of at most {_NAME} characters")
    yield from _call_problems(path, act, kind, asked)
    yield from _takeover_problems(document, path, kind, asked)
    flags, wanted = act.get("flags"), _MUST.get(kind, "")
    if isinstance(flags, str) and wanted not in flags:
        yield Problem(
            (*path, "flags"), flags, f"flags with {wanted}, for it is a {kind.split()[-1]}"
        )
    if kind in ("block-page", "impostor") and "R" not in str(act.get("reset_flags", "R")):
        yield Problem((*path, "reset_flags"), act["reset_flags"], "flags with R, for it is a reset")
    yield from _duration_problems(path, act, kind)
    listed = act.get("from") if kind == "icmp-unreachable" else None
    families = [_family(one) for one in listed] if isinstance(listed, list) else []
    if len(set(families)) < len(families):
        yield Problem((*path, "from"), act["from"], "one address a family: IPv4, IPv6")


def _reads_servers(document: Mapping[str, Any], carriers: set[str]) -> bool:
    """Say whether the box takes what servers send over TCP for what clients say."""
    tcp = document.get("tcp")
    both = isinstance(tcp, Mapping) and followed(tcp).get("reads") == "both"
    return both and (not carriers or "tcp" in carriers)


def _segment_problems(path: Path, act: Mapping[str, Any], kind: str) -> Iterable[Problem]:
    """Find what is said of segments of TCP by acts upon other packets."""
    if kind == "rewrite packet":
        for key in ("window", "flags"):
            if act.get(key) is not None:
                yield Problem((*path, key), act[key], "nothing: only segments of tcp have one")
    residual = act.get("residual")
    then = residual.get("then") if isinstance(residual, Mapping) else None
    for place, one in enumerate(then if isinstance(then, list) else [then]):
        word = act_word(one) if isinstance(one, Mapping) else None
        if isinstance(one, Mapping) and word in _TCP_ACTS:
            inner = (*path, "residual", "then", *((place,) if isinstance(then, list) else ()))
            told = "drop, for a memory is of the protocol that left it"
            yield Problem((*inner, "inject"), word, told, "it is a segment of TCP")


def _call_problems(
    path: Path, act: Mapping[str, Any], kind: str, asked: Mapping[str, Any]
) -> Iterable[Problem]:
    """Find acts upon a call whose messages do not bear them; Source: RFC 3261 sections 9.1, 17."""
    methods = asked.get("sip.method")
    known = {str(one).upper() for one in methods} if isinstance(methods, list) else set()
    if kind == "sip-cancel" and known and "INVITE" not in known:
        told = "a rule whose sip.method has INVITE, for nothing else is cancelled"
        yield Problem((*path, "inject"), kind, told)
    if kind == "sip-response" and known == {"ACK"}:
        told = "a rule about another sip.method, for nobody answers an ACK"
        yield Problem((*path, "inject"), kind, told)


def _takeover_problems(
    document: Mapping[str, Any], path: Path, kind: str, asked: Mapping[str, Any]
) -> Iterable[Problem]:
    """Find connections that are to be taken over when it is too late, or half unseen."""
    if kind != "intercept":
        return
    if document.get("sees", "both") != "both":
        told = "a box that sees both: it goes on where both ends are"
        yield Problem((*path, "intercept"), "tls", told, f"sees: {document['sees']}")
    for key in ANSWERS:
        if key in asked:
            told = f"a rule without {key}: the ClientHello has passed when it is known"
            yield Problem((*path, "intercept"), "tls", told)


def _duration_problems(path: Path, act: Mapping[str, Any], kind: str) -> Iterable[Problem]:
    """Find what is over as soon as it begins."""
    residual = act.get("residual")
    if isinstance(residual, Mapping) and _instant(residual.get("seconds")):
        told = "more than 0: a memory lasts"
        yield Problem((*path, "residual", "seconds"), residual["seconds"], told)
    if _instant(act.get("for")):
        yield Problem((*path, "for"), act["for"], "more than 0, or nothing: to the flow's end")
    if kind == "delay" and _instant(act.get("delay")) and _instant(act.get("jitter", 0)):
        yield Problem((*path, "delay"), act["delay"], "more than 0, or a jitter beside it")


def _instant(value: object) -> bool:
    try:
        return value is not None and seconds(value) == 0
    except (TypeError, ValueError):
        return False


def _family(value: object) -> int:
    try:
        return ip_address(str(value)).version
    except ValueError:
        return 0
