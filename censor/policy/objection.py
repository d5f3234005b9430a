"""Find acts of a policy document that are well formed and still make no sense."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from censor.policy.action import act_word, filled
from censor.policy.clause import followed
from censor.policy.complaint import Path, Problem, guess
from censor.policy.profile import PROFILES

#: Which acts want a message of which protocol, by a key of the rule's `when`.
_TOPICS: Final = {
    "dns-answer": ("dns", "dns.name"),
    "rewrite dns-answer": ("dns", "dns.name"),
    "block-page": ("http", "http.host"),
    "intercept": ("tls", "tls.sni"),
    **dict.fromkeys(("sip-response", "sip-bye", "sip-cancel"), ("sip", "sip.method")),
}
_SEGMENTS: Final = ("reset", "fin", "syn-ack")
#: What only a page has.
_PAGE: Final = ("status", "body", "location", "headers", "then")
#: Acts upon a request of SIP.
_ANSWERS: Final = ("sip-response", "sip-cancel")
#: What only a box in the path may do, by the word for it; the others drop.
_DOES: Final = {
    "rewrite": "rewrite",
    "delay": "delay",
    "shape": "delay",
    "intercept": "stand in for the server",
}
#: Keys of a `when` that are about one packet.
_PACKET: Final = ("tcp.header_length", "tcp.flags")


def objections(
    document: Mapping[str, Any],
    path: Path,
    act: Mapping[str, Any],
    topics: set[str],
    rule: Mapping[str, Any],
    on_path: bool,
) -> Iterable[Problem]:
    """Find what is well formed in an act and still makes no sense."""
    kind = act_word(act) or ""
    yield from _position_problems(path, act, kind, on_path)
    yield from _profile_problems(path, act, kind)
    waits = kind in ("rewrite dns-answer", "sip-bye", "probe") or act.get("when") in (
        "with",
        "after",
    )
    if waits and document.get("sees", "both") != "both":
        told = "an act that does not wait for the other direction"
        yield Problem(
            (*path, "when" if "when" in act else "inject"), kind, told, f"sees: {document['sees']}"
        )
    topic, key = _TOPICS.get(kind, ("", ""))
    if topic and topic not in topics:
        where = next(word for word in ("rewrite", "inject", kind) if word in act)
        yield Problem((*path, where), act[where], f"a rule with {key} in its `when`")
    if topic == "dns":
        yield from _answer_problems(document, path, filled(act))
    when = rule.get("when")
    if (
        kind in (*_SEGMENTS, "impostor", "probe")
        and isinstance(when, Mapping)
        and when.get("protocol") in ("udp", "icmp")
    ):
        yield Problem((*path, "inject"), kind, "a rule about tcp", "it is a segment of TCP")
    if kind == "syn-ack" and topics and "residual" not in path:
        told = "a memory, or a rule without keys of a protocol"
        yield Problem((*path, "inject"), kind, told, "a SYN carries no message")
    if kind == "probe":
        yield from _probe_problems(path, act, topics)
    if kind == "impostor":
        yield from _impostor_problems(path, act, topics, rule)
    if kind in _ANSWERS and isinstance(when, Mapping) and "sip.status" in when:
        yield Problem((*path, "inject"), kind, "a rule about requests", "nobody answers a response")
    cut = act.get("cut")
    if isinstance(cut, Mapping) and not any(value is not None for value in cut.values()):
        yield Problem((*path, "cut"), dict(cut), "at least one of packets, bytes and seconds")
    residual = act.get("residual")
    if isinstance(residual, Mapping):
        yield from _residual_problems(document, path, residual, kind, topics, on_path)


def _probe_problems(path: Path, act: Mapping[str, Any], topics: set[str]) -> Iterable[Problem]:
    if not topics:
        told = "a rule with keys of a protocol, such as first.fully_encrypted"
        yield Problem((*path, "inject"), "probe", told, "it repeats the payload that matched")
    residual = act.get("residual")
    if isinstance(residual, Mapping) and residual.get("key") != "server":
        told = "server, for the client that is answered is the prober"
        yield Problem((*path, "residual", "key"), residual.get("key"), told)


def _impostor_problems(
    path: Path, act: Mapping[str, Any], topics: set[str], rule: Mapping[str, Any]
) -> Iterable[Problem]:
    if topics:
        told = "a rule without keys of a protocol"
        yield Problem((*path, "inject"), "impostor", told, "a SYN carries no message")
    chance = rule.get("chance", 1)
    per = chance.get("per", "match") if isinstance(chance, Mapping) else "match"
    if chance != 1 and per == "match":
        told = "a chance decided once: the act's own, or one `per` flow, pair or ecmp"
        yield Problem((*path, "inject"), "impostor", told, "it answers every packet, or none")
    for key in _PAGE:
        if key in act and act.get("data") != "page":
            yield Problem((*path, key), act[key], "`data: page`, which it is about")


def sight_objections(document: Mapping[str, Any]) -> Iterable[Problem]:
    """Find what is asked of TCP that contradicts itself, or what the box sees."""
    given = document.get("tcp")
    tcp = {"adopt": ["syn"], **(followed(given) if isinstance(given, Mapping) else {})}
    resync, teardown = (_words(tcp.get(key)) for key in ("resync", "teardown"))
    for key, other in (("resync", "adopt"), ("teardown", "resync")):
        for word in sorted(_words(tcp.get(key)) & _words(tcp.get(other))):
            told = f"words that are not in tcp.{other} too, for it cannot do both"
            yield Problem(("tcp", key), word, told)
    given = document.get("ip")
    ip = given if isinstance(given, Mapping) else {}
    if ip.get("fragments") == "drop" and document.get("position") == "on-path":
        told = "first, ignore or reassemble, for the position is on-path"
        yield Problem(("ip", "fragments"), "drop", told, "an in-path box may drop")
    if ip.get("fragments", "as-they-come") != "as-they-come" and _intercepts(document):
        told = "as-they-come beside an act that intercepts: the kernel joins fragments to do that"
        yield Problem(("ip", "fragments"), ip["fragments"], told)
    for key in ("overlap", "most", "wait"):
        if key in ip and ip.get("fragments") != "reassemble":
            yield Problem(("ip", key), ip[key], "ip.fragments: reassemble, which it is about")
    if tcp.get("ends_at", "any") != "any" and not (resync | teardown) & {"rst", "fin"}:
        told = "rst or fin in tcp.teardown or tcp.resync, which it is about"
        yield Problem(("tcp", "ends_at"), tcp["ends_at"], told)
    if "resync_at" in tcp and not resync:
        yield Problem(("tcp", "resync_at"), tcp["resync_at"], "tcp.resync, which it is about")
    if tcp.get("reads") == "both" and tcp.get("reassemble", True) is not False:
        told = "client, or tcp.reassemble: false: only single segments are read in both directions"
        yield Problem(("tcp", "reads"), "both", told)
    if document.get("sees", "both") != "both" and tcp.get("require_handshake") is True:
        told = "syn, either or false, for a handshake takes both directions"
        yield Problem(("tcp", "require_handshake"), True, told, f"sees: {document['sees']}")


def _intercepts(document: Mapping[str, Any]) -> bool:
    """Say whether any act takes connections over."""
    rules = document.get("rules")
    acts = [
        act
        for rule in (rules if isinstance(rules, list) else ())
        if isinstance(rule, Mapping)
        for act in (rule["then"] if isinstance(rule.get("then"), list) else [rule.get("then")])
    ]
    return any(isinstance(act, Mapping) and "intercept" in act for act in acts)


def _words(value: object) -> set[str]:
    return {str(word) for word in value} if isinstance(value, list) else set()


def packet_objections(path: Path, when: Any, allows: bool) -> Iterable[Problem]:
    """Find conditions on the very packet where only a whole flow can be meant."""
    if not isinstance(when, Mapping):
        return
    for key in _PACKET:
        if key in when and allows:
            told = "nothing: an exception, or `not`, is for flows, not for some of their packets"
            yield Problem((*path, key), when[key], told)
    for key in ("sip.host", "sip.uri"):
        if key in when and "sip.status" in when:
            yield Problem((*path, key), when[key], "nothing beside sip.status: responses have none")
    yield from packet_objections((*path, "not"), when.get("not"), True)


def _position_problems(
    path: Path, act: Mapping[str, Any], kind: str, on_path: bool
) -> Iterable[Problem]:
    cure = "an act that only injects, for the position is on-path"
    injects = "inject" in act
    if on_path and kind not in ("", "allow") and not injects:
        where = "rewrite" if "rewrite" in act else kind
        does = _DOES.get(where, "drop")
        yield Problem((*path, where), act[where], cure, f"an in-path box may {does}")
    if on_path and act.get("request") == "drop":
        yield Problem((*path, "request"), "drop", "pass, for the position is on-path")
    if act.get("request") == "drop" and act.get("when") in ("with", "after"):
        told = f"pass, for the answer comes {act['when']} the real one"
        yield Problem((*path, "request"), "drop", told)


def _profile_problems(path: Path, act: Mapping[str, Any], kind: str) -> Iterable[Problem]:
    known = PROFILES.get(str(act.get("profile")))
    word = kind.removeprefix("rewrite ")
    if known is not None and known.act != word:
        own = [name for name, one in PROFILES.items() if one.act == word]
        expected = f"a profile of {word}: {', '.join(own) or 'there are none'}"
        yield Problem((*path, "profile"), act["profile"], expected)


def _residual_problems(
    document: Mapping[str, Any],
    path: Path,
    residual: Mapping[str, Any],
    kind: str,
    topics: set[str],
    on_path: bool,
) -> Iterable[Problem]:
    then = residual.get("then")
    if then is None and kind not in ("drop", *_SEGMENTS):
        yield Problem(
            (*path, "residual"),
            None,
            "`then`: what the memory does",
            "only drop and reset go on by themselves",
        )
    for index, one in enumerate(then if isinstance(then, list) else [then]):
        if not isinstance(one, Mapping):
            continue
        inner: Path = (*path, "residual", "then")
        inner = (*inner, index) if isinstance(then, list) else inner
        if one.get("residual") is not None:
            yield Problem((*inner, "residual"), "...", "nothing: use `renew`")
        yield from objections(document, inner, one, topics, {}, on_path)


def _answer_problems(
    document: Mapping[str, Any], path: Path, act: Mapping[str, Any]
) -> Iterable[Problem]:
    said = [key for key in ("addresses", "rcode", "empty") if act.get(key) is not None]
    if len(said) != 1 and not (act.get("cname") is not None and not said):
        yield Problem(path, said, "exactly one of addresses, rcode and empty")
    if act.get("cname") is not None and said in (["rcode"], ["empty"]):
        yield Problem((*path, "cname"), act["cname"], "addresses beside it, or nothing")
    pools = document.get("pools")
    names = pools if isinstance(pools, Mapping) else {}
    pool = act.get("addresses")
    if isinstance(pool, str) and pool not in names:
        expected = (
            f"a list of addresses or a pool: {', '.join(map(str, names)) or 'there are none'}"
        )
        yield Problem((*path, "addresses"), pool, expected, guess(pool, map(str, names)))
