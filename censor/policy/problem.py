"""Find everything that is wrong with a policy document, and say it in the document's own terms."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from censor.policy import action, clause, vocabulary
from censor.policy import document as doc
from censor.policy.complaint import Path, Problem, guess
from censor.policy.disuse import disused_keys, disused_sections
from censor.policy.document import PolicyDocument
from censor.policy.futility import futile_rule, futile_when
from censor.policy.mismatch import futile_act
from censor.policy.objection import objections, packet_objections, sight_objections
from censor.policy.precedence import overtaken
from censor.policy.quantity import Varied
from censor.policy.wording import wordings
from censor.rule.rules import topic


def problems(document: object) -> list[Problem]:
    """Return everything that is wrong with a document, in the order of its places."""
    found = []
    try:
        PolicyDocument.model_validate(document)
    except ValidationError as error:
        found = _deepest(document, error)
    if isinstance(document, Mapping):
        known = {problem.path for problem in found}
        found += [one for one in _contradictions(document) if one.path not in known]
    return sorted(_joined(found), key=lambda one: [_rank(part) for part in one.path])


def _rank(part: str | int) -> tuple[bool, int, str]:
    return (True, part, "") if isinstance(part, int) else (False, 0, part)


def _deepest(document: object, error: ValidationError) -> list[Problem]:
    """Say pydantic's errors; of a union, the member that fits best is the one that got deepest."""
    told = [(str(item["type"]), _problem(document, item)) for item in error.errors()]
    paths = {problem.path for _, problem in told}
    return [
        problem
        for kind, problem in told
        if not (kind in _WHOLE and any(_within(path, problem.path) for path in paths))
    ]


def _within(path: Path, outer: Path) -> bool:
    return len(path) > len(outer) and path[: len(outer)] == outer


def _joined(found: Iterable[Problem]) -> Iterable[Problem]:
    """Make one problem of what each member of a union has against the same value."""
    places: dict[Path, Problem] = {}
    for one in found:
        old = places.get(one.path)
        if old is None:
            places[one.path] = one
        elif one.expected not in old.expected:
            expected = f"{old.expected}, or {one.expected}"
            places[one.path] = Problem(one.path, one.found, expected, old.hint or one.hint)
    return places.values()


def _problem(document: object, error: Mapping[str, Any]) -> Problem:
    """Say one of pydantic's errors in the document's own terms."""
    path, value = _walk(document, error["loc"])
    kind, expected = error["type"], str(error["msg"])
    if kind == "value_error":
        return Problem(path, value, expected.removeprefix("Value error, "))
    if kind == "missing":
        return Problem((*path, error["loc"][-1]), None, "this key, which is required")
    if kind == "extra_forbidden":
        known = _keys(document, path[:-1])
        return Problem(path, value, f"one of {', '.join(sorted(known))}", guess(path[-1], known))
    if kind == "literal_error":
        words = str(error["ctx"]["expected"])
        return Problem(path, value, words, guess(value, re.findall("'([^']*)'", words)))
    if kind == "act":
        return Problem(path, value, expected, _guess_act(value))
    if kind == "too_short":
        least = int(error["ctx"]["min_length"])
        return Problem(path, value, f"at least {least} entr{'y' if least == 1 else 'ies'}")
    return Problem(path, value, _PLAIN.get(kind, expected[:1].lower() + expected[1:]))


def _walk(document: object, loc: Iterable[str | int]) -> tuple[Path, object]:
    """Follow an error's place through the document, past the names of union members in it."""
    path: list[str | int] = []
    value = document
    for part in loc:
        if isinstance(value, Mapping | list):
            try:
                value = value[part]  # type: ignore[index]
            except (KeyError, IndexError, TypeError):
                continue
            path.append(part)
    return tuple(path), value


_PLAIN: Final = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}

#: What says only that a value is not of a kind at all.
_WHOLE: Final = frozenset({*_PLAIN, "literal_error"})

_MODELS: Final[Mapping[str, type[BaseModel]]] = {
    "ip": clause.IpBehaviour,
    "tcp": clause.TcpBehaviour,
    "dns": clause.DnsBehaviour,
    "http": clause.HttpBehaviour,
    "tls": clause.TlsBehaviour,
    "quic": clause.QuicBehaviour,
    "dtls": clause.DtlsBehaviour,
    "sip": clause.SipBehaviour,
    "stun": clause.StunBehaviour,
    "rtp": clause.RtpBehaviour,
    "first": clause.FirstBehaviour,
    "signature": clause.SignatureBehaviour,
    "ssh": clause.SshBehaviour,
    "socks": clause.SocksBehaviour,
    "openvpn": clause.OpenvpnBehaviour,
    "wireguard": clause.WireguardBehaviour,
    "limits": doc.LimitsDocument,
    "clock": doc.Clock,
    "chance": doc.Chance,
    "when": clause.When,
    "not": clause.When,
    "residual": action.Residual,
    **dict.fromkeys(
        ("dns.name", "http.host", "tls.sni", "quic.sni", "dtls.sni", "sip.host", "socks.host"),
        vocabulary.Names,
    ),
    **dict.fromkeys(
        (
            "http.path",
            "http.query",
            "http.keyword",
            "http.header",
            "sip.uri",
            "sip.user_agent",
            "ssh.software",
        ),
        vocabulary.Texts,
    ),
    **dict.fromkeys(("client.address", "server.address"), vocabulary.ListFile),
    **dict.fromkeys(("exact", "prefix", "suffix", "substring", "regex"), vocabulary.ListFile),
    "cut": action.After,
}


def _keys(document: object, path: Path) -> list[str]:
    """Return the keys that may stand at a place."""
    words = [part for part in path if isinstance(part, str)]
    if not words:
        model: type[BaseModel] = PolicyDocument
    elif words[-1] == "rules":
        model = doc.Rule
    elif words[-1] == "then":
        word = action.act_word(_walk(document, path)[1]) or "reset"
        model = action.ACTS.get(word, action.Reset)
    else:
        model = _MODELS.get(words[-1], Varied)
    return [field.alias or name for name, field in model.model_fields.items()]


def _guess_act(value: object) -> str | None:
    if not isinstance(value, Mapping):
        return guess(value, action.ACTS)
    for kind, before in action.KINDS.items():
        if kind in value:
            known = (word.removeprefix(before) for word in action.ACTS if word.startswith(before))
            return guess(value[kind], known)
    words = [*action.WORDS, *action.KINDS]
    return next(filter(None, (guess(word, words) for word in value)), None)


def _contradictions(document: Mapping[str, Any]) -> Iterable[Problem]:
    """Find what is well formed and still makes no sense."""
    yield from sight_objections(document)
    yield from disused_sections(document)
    seen: dict[str, int] = {}
    on_path = document.get("position") == "on-path"
    listed = document.get("rules")
    every = enumerate(listed if isinstance(listed, list) else ())
    rules = [(index, rule) for index, rule in every if isinstance(rule, Mapping)]
    yield from overtaken(rules)
    for index, rule in rules:
        path: Path = ("rules", index)
        name = str(rule.get("id"))
        if name in seen:
            first = f"rules[{seen[name]}] has it already"
            yield Problem((*path, "id"), name, "an id of its own", first)
        seen.setdefault(name, index)
        topics = _topics(rule.get("when"))
        if len(topics) > 1:
            told = " and ".join(sorted(topics))
            yield Problem(
                (*path, "when"), told, "one protocol a rule", "write one rule for each of them"
            )
        yield from futile_when(document, (*path, "when"), rule.get("when"), topics)
        chance = rule.get("chance")
        if isinstance(chance, Mapping) and ("of" in chance) is ("by_hour" in chance):
            yield Problem((*path, "chance"), dict(chance), "either `of` or `by_hour`")
        yield from wordings(rule.get("when"), (*path, "when"))
        then = rule.get("then")
        acts = then if isinstance(then, list) else [then]
        allows = any(isinstance(act, Mapping) and act.get("allow") for act in acts)
        yield from packet_objections((*path, "when"), rule.get("when"), allows)
        yield from futile_rule(path, rule, allows)
        for place, act in enumerate(acts):
            if isinstance(act, Mapping):
                where = (*path, "then", place) if isinstance(then, list) else (*path, "then")
                yield from objections(document, where, act, topics, rule, on_path)
                yield from futile_act(document, where, act, rule.get("when"), topics)
                yield from disused_keys(document, where, act, rule.get("when"))
                if act.get("allow") and len(acts) > 1:
                    yield Problem(where, dict(act), "an exception alone, without other acts")


def _topics(when: object) -> set[str]:
    if not isinstance(when, Mapping):
        return set()
    own = {found.value for key in when if (found := topic(str(key))) is not None}
    return own | _topics(when.get("not"))
