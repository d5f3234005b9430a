"""Find keys of a policy document that mean nothing beside what else it says.

A key that nothing heeds promises what the box does not do: whoever wrote it meant something else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from censor.policy.action import act_word, filled
from censor.policy.clause import followed
from censor.policy.complaint import Path, Problem
from censor.policy.profile import PROFILES

#: A mapping of the document, as far as it is one.
Said = Mapping[str, Any]
#: Says whether keys mean something: by the document, and by the section or act they stand in.
Heeded = Callable[[Said, Said], bool]

#: Act that stands in a packet which is not forged from nothing.
_IN_PLACE: Final = "rewrite dns-answer"


def _follows(_: Said, tcp: Said) -> bool:
    said = followed(tcp)
    return said.get("reassemble", True) is not False and bool(said.get("window") != 0)


def _behaves(_: Said, rtp: Said) -> bool:
    by = rtp.get("by")
    return not isinstance(by, list) or "behaviour" in by


def _encrypted(document: Said, _: Said) -> bool:
    return any("first.fully_encrypted" in when for when in _whens(document))


def _hourly(document: Said, _: Said) -> bool:
    return any(_mapping(rule.get("chance")).get("by_hour") for rule in _rules(document))


def _datagrams(_: Said, stun: Said) -> bool:
    over = stun.get("over")
    return not isinstance(over, list) or "udp" in over


#: By section: keys, what must hold for them to mean anything, and that in words.
_SECTIONS: Final[Mapping[str, tuple[tuple[str, ...], Heeded, str]]] = {
    "tcp": (
        ("overlap",),
        _follows,
        "tcp.reassemble: true, and a tcp.window other than 0: else no byte is looked at twice",
    ),
    "rtp": (
        ("need", "window", "consecutive", "steady"),
        _behaves,
        "rtp.by with behaviour, which it is about",
    ),
    "first": (
        ("sparse", "dense", "prefix", "fraction", "run", "tls_minor"),
        _encrypted,
        "a rule with first.fully_encrypted, which it is about",
    ),
    "clock": (("start", "hour"), _hourly, "a rule with chance.by_hour, which it is about"),
    "stun": (("relayed",), _datagrams, "stun.over with udp: a relay's datagrams are looked into"),
}


def _answers(_: Said, act: Said) -> bool:
    return act.get("addresses") is not None


def _records(_: Said, act: Said) -> bool:
    return any(act.get(key) is not None for key in ("addresses", "cname"))


def _resets(_: Said, act: Said) -> bool:
    """Say whether a page, or who poses as a server, ends with a RST."""
    data = act.get("data", "reset") if act.get("inject") == "impostor" else "page"
    return bool(data == "reset" or (data == "page" and act.get("then", "fin") != "fin"))


def _weighs(_: Said, act: Said) -> bool:
    cut = _mapping(act.get("cut"))
    return any(cut.get(key) is not None for key in ("packets", "bytes"))


def _leaves(_: Said, act: Said) -> bool:
    return act.get("residual") is not None


def _never(_: Said, __: Said) -> bool:
    return False


def _over_tcp(_: Said, act: Said) -> bool:
    return bool(act.get("over_tcp", "nothing") != "nothing")


#: Acts, their keys, what must hold for these to mean anything, and that in words.
_ACTS: Final[tuple[tuple[tuple[str, ...], tuple[str, ...], Heeded, str], ...]] = (
    (
        ("dns-answer", _IN_PLACE),
        ("pick", "otherwise"),
        _answers,
        "`addresses`, of which it chooses",
    ),
    (
        ("dns-answer", _IN_PLACE),
        ("answer_ttl",),
        _records,
        "`addresses` or `cname`, whose TTL it is",
    ),
    (
        (_IN_PLACE,),
        ("ttl", "ip_id", "df", "request"),
        _never,
        "nothing: the real answer's packet is kept, and its query passed",
    ),
    ((_IN_PLACE,), ("latency",), _over_tcp, "over_tcp: answer; over UDP the real packet is kept"),
    (
        ("block-page", "impostor"),
        ("reset_flags",),
        _resets,
        "an act that ends with a RST: `then: reset` or `fin-reset`",
    ),
    (("cut",), ("counting", "data_only"), _weighs, "cut.packets or cut.bytes, which it counts"),
    (("probe",), ("confirm",), _leaves, "`residual`, which is left if the outcome is one of these"),
)


def disused_sections(document: Said) -> Iterable[Problem]:
    """Find keys about how the box reads that nothing in the policy heeds."""
    for name, (keys, heeded, told) in _SECTIONS.items():
        section = _mapping(document.get(name))
        for key in keys:
            if key in section and not heeded(document, section):
                yield Problem((name, key), section[key], told)
    rtp, first = _mapping(document.get("rtp")), _mapping(document.get("first"))
    need, window = _count(rtp.get("need", 3)), _count(rtp.get("window", 32))
    if need is not None and window is not None and need > window and _behaves(document, rtp):
        key, value = ("need", need) if "need" in rtp else ("window", window)
        told = "rtp.need at most rtp.window: so many must agree among so many"
        yield Problem(("rtp", key), value, told)
    sparse, dense = _number(first.get("sparse", 3.4)), _number(first.get("dense", 4.6))
    if sparse is not None and dense is not None and sparse >= dense:
        limit = "sparse" if "sparse" in first else "dense"
        told = "first.sparse below first.dense: what is not between them is exempt"
        yield Problem(("first", limit), first[limit], told)


def disused_keys(document: Said, path: Path, act: Said, when: object) -> Iterable[Problem]:
    """Find keys of an act that mean nothing beside its others, and its rule's `when`."""
    kind, whole = act_word(act) or "", filled(act)
    for kinds, keys, heeded, told in _ACTS:
        for key in keys:
            if kind in kinds and act.get(key) is not None and not heeded(document, whole):
                yield Problem((*path, key), act[key], told)
    offsets = act.get("offsets")
    known = PROFILES.get(str(act.get("profile")))
    count = _count(act.get("count", None if known is None else known.keys.get("count")))
    if isinstance(offsets, list) and count is not None and count < len(offsets):
        place = "count" if "count" in act else "offsets"
        told = f"a count of at least {len(offsets)}, or fewer offsets: segment by segment they are"
        yield Problem((*path, place), act[place], f"{told} used in turn")
    yield from _choice_problems(document, path, whole, _mapping(when))


def _choice_problems(document: Said, path: Path, act: Said, when: Said) -> Iterable[Problem]:
    """Find answers that choose more, or others, than there is to choose from."""
    listed = act.get("addresses")
    if isinstance(listed, str):
        listed = _mapping(document.get("pools")).get(listed)
    if not isinstance(listed, list) or not listed:
        return
    six = sum(":" in str(one) for one in listed)
    four = len(listed) - six
    most, pick, otherwise = max(six, four), _count(act.get("pick")), act.get("otherwise")
    if pick is not None and pick > most:
        told = f"at most {most}, for there are no more addresses of a family"
        yield Problem((*path, "pick"), pick, told)
    if otherwise == "a" and not four:
        told = "empty or nothing, or an IPv4 address among `addresses`"
        yield Problem((*path, "otherwise"), "a", told)
    asked = when.get("dns.qtype")
    kinds = {str(one).upper() for one in asked} if isinstance(asked, list) else {"A", "AAAA"}
    answered = ({"A", "1"} if four else set()) | ({"AAAA", "28"} if six else set())
    if otherwise == "nothing" and not kinds & answered:
        told = "empty or a, or addresses of the family that dns.qtype asks for"
        yield Problem((*path, "otherwise"), "nothing", told)


def _rules(document: Said) -> Iterable[Said]:
    rules = document.get("rules")
    return [_mapping(rule) for rule in rules] if isinstance(rules, list) else ()


def _whens(document: Said) -> Iterable[Said]:
    """Return every `when`, the negated ones too."""
    found = [_mapping(rule.get("when")) for rule in _rules(document)]
    for when in found:
        if when.get("not"):
            found.append(_mapping(when["not"]))
    return found


def _mapping(value: object) -> Said:
    return value if isinstance(value, Mapping) else {}


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: object) -> float | None:
    good = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if good else None  # type: ignore[arg-type]
