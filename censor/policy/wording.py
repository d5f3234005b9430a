"""Find lists and patterns of a policy document that cannot be used: unreadable, or not linear."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, get_args

from censor.policy import clause, listing, vocabulary
from censor.policy.complaint import Path, Problem
from censor.policy.listing import ListError
from censor.rule.lexicon import shape
from censor.rule.pattern import PatternError, Patterns

_LISTS: Final = ("exact", "prefix", "suffix", "substring", "regex")
_ADDRESSES: Final = ("client.address", "server.address")

#: Texts, whose patterns are searched for whatever their shape.
_TEXTS: Final = frozenset(
    field.alias
    for field in clause.When.model_fields.values()
    if vocabulary.Texts in get_args(field.annotation)
)

#: Names, and which of their lists `listing.names` reads: a check reads the set a rule will use.
_NAMED: Final = frozenset(
    field.alias
    for field in clause.When.model_fields.values()
    if vocabulary.Names in get_args(field.annotation)
)
_WHOLE: Final = ("exact", "suffix")

#: What the box can see the case of; of other names only the lower case is kept.
_CASED: Final = ("http.host", "sip.uri", "sip.user_agent", "tls.issuer")


def wordings(when: object, path: Path) -> Iterable[Problem]:
    """Find what is wrong with the lists of a `when`."""
    if not isinstance(when, Mapping):
        return
    for key, value in when.items():
        where: Path = (*path, str(key))
        if not isinstance(value, Mapping):
            continue
        if key == "not":
            yield from wordings(value, where)
        elif key == "http.header":
            for name, texts in value.items():
                if isinstance(texts, Mapping):
                    yield from _lists(texts, (*where, str(name)), shapes=False)
        elif key in _ADDRESSES:
            yield from _prefixes(value, where)
        else:
            yield from _lists(value, where, shapes=key not in _TEXTS, named=key in _NAMED)
            cased = key in _CASED or str(key).partition(".")[0] == "http"
            if value.get("case") is True and not cased:
                yield Problem(
                    (*where, "case"), True, "false", "only HTTP's hosts are kept in their case"
                )


def _lists(
    value: Mapping[Any, Any], where: Path, *, shapes: bool, named: bool = False
) -> Iterable[Problem]:
    """Find lists that cannot be read; `named`: whole ones are compiled as names."""
    for kind in _LISTS:
        listed = value.get(kind)
        at: Path = (*where, kind)
        found = listed
        if isinstance(listed, Mapping) and isinstance(listed.get("file"), str):
            at = (*at, "file")
            try:
                if named and kind in _WHOLE:
                    listing.names(listed["file"], lower=value.get("case") is not True)
                else:
                    found = listing.read(listed["file"])
            except ListError as fault:
                yield Problem(at, listed["file"], f"a list that can be read: {fault}")
                continue
        if kind == "regex" and isinstance(found, list) and all(isinstance(x, str) for x in found):
            ignore_case = value.get("case") is not True
            yield from _patterns(found, at, ignore_case, shapes=shapes)


def _patterns(texts: list[str], at: Path, ignore_case: bool, *, shapes: bool) -> Iterable[Problem]:
    """Find patterns that are refused, each by itself, then the list as a whole.

    `shapes`: names are looked up, where a pattern has the shape of one, and need no automaton.
    """
    rest = []
    for index, text in enumerate(texts):
        if shapes and shape(text) is not None:
            continue
        try:
            Patterns([text], ignore_case=ignore_case)
        except PatternError as fault:
            yield Problem((*at, index), text, f"a pattern without: {fault}")
        else:
            rest.append(text)
    try:
        Patterns(rest, ignore_case=ignore_case)
    except PatternError as fault:
        yield Problem(at, f"{len(rest)} patterns", f"a shorter list: {fault}")


def _prefixes(value: Mapping[Any, Any], where: Path) -> Iterable[Problem]:
    if isinstance(value.get("file"), str):
        try:
            for _ in listing.prefixes(value["file"]):
                pass
        except ListError as fault:
            yield Problem((*where, "file"), value["file"], f"a list of prefixes: {fault}")
