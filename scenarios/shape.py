"""Check a document's shape against the schema, and put pydantic's errors into an author's words."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import ValidationError

from scenarios.error import Path, Problem, ScenarioError, either, nearest, show, spell
from scenarios.places import Places
from scenarios.schema import Document

#: pydantic's error type -> what was expected, from the error's context.
_EXPECTED: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "string_type": lambda c: "text",
    "int_type": lambda c: "a whole number",
    "int_from_float": lambda c: "a whole number",
    "float_type": lambda c: "a number",
    "bool_type": lambda c: "true or false",
    "list_type": lambda c: "a list",
    "dict_type": lambda c: "a mapping",
    "model_type": lambda c: "a mapping",
    "model_attributes_type": lambda c: "a mapping",
    "literal_error": lambda c: str(c["expected"]).replace("'", ""),
    "too_short": lambda c: f"at least {c['min_length']} of them",
    "too_long": lambda c: f"at most {c['max_length']} of them",
    "greater_than_equal": lambda c: f"at least {c['ge']}",
    "less_than_equal": lambda c: f"at most {c['le']}",
    "quantity": lambda c: str(c["expected"]),
    "wrong": lambda c: str(c["expected"]),
    "union_tag_invalid": lambda c: str(c["expected_tags"]).replace("'", ""),
}


#: What stands in for a required key that is missing, so that the rest can be checked too.
_STAND_INS: Mapping[str, Any] = {
    **dict.fromkeys(("title", "period", "story"), ""),
    "scenario": "unnamed",
    "id": "unnamed",
    "fidelity": "modelled",
}


@dataclass(frozen=True, slots=True)
class Checked:
    """A document of the right shape, as models and as read.

    `problems` is what was wrong, and is mended here by leaving it out. `touched` holds the entries
    that lost something, as (section, name or index); `lost` the names of those that went whole.
    """

    document: Document
    raw: Mapping[str, Any]
    problems: tuple[Problem, ...] = ()
    touched: frozenset[Path] = frozenset()
    lost: frozenset[str] = frozenset()


def validate(raw: Any, places: Places) -> Checked:
    """Check a document's shape; what can be mended is, so that its meaning can be checked too.

    Raises: ScenarioError, where the shape is so wrong that no more can be said.
    """
    if not isinstance(raw, dict):
        keys = ", ".join(k for k, f in Document.model_fields.items() if f.is_required())
        problem = places.problem((), f"a mapping with the keys {keys}", found=_kind(raw))
        raise ScenarioError([problem])
    try:
        return Checked(Document.model_validate(raw), raw)
    except ValidationError as error:
        errors: list[Any] = error.errors(include_url=False)
    problems = tuple(_problem(e, raw, places) for e in errors)
    mender = _Mender(raw, places)
    if not mender.mend(errors):
        raise ScenarioError(problems)
    document = Document.model_validate(mender.raw)
    touched, lost = frozenset(mender.touched), frozenset(mender.lost)
    return Checked(document, mender.raw, problems, touched, lost)


class _Mender:
    """Takes out of a document what is wrong with it, until it validates."""

    def __init__(self, raw: Mapping[str, Any], places: Places) -> None:
        self.raw: dict[str, Any] = copy.deepcopy(dict(raw))
        self.places = places
        self.touched: set[Path] = set()
        self.lost: set[str] = set()

    def mend(self, errors: list[Any]) -> bool:
        """Leave in `raw` what validates; False where too little is left."""
        while errors:
            paths = {_path(tuple(e["loc"]), self.raw): e for e in errors}
            for path in sorted(paths, key=_order, reverse=True):
                if not self.without(path, paths[path]):
                    return False
            try:
                Document.model_validate(self.raw)
                errors = []
            except ValidationError as error:
                errors = list(error.errors(include_url=False))
        return True

    def without(self, path: Path, error: Mapping[str, Any]) -> bool:
        """Take out one wrong thing, or stand in for a missing one."""
        missing = error["type"] == "missing"
        if missing and error["loc"][-1] in _STAND_INS:
            _at(self.raw, path)[error["loc"][-1]] = _STAND_INS[error["loc"][-1]]
            return True
        if not path:
            return False
        parent, last = _at(self.raw, path[:-1]), path[-1]
        if error["type"] != "extra_forbidden":
            self.touched.add(self.places.written(path[:2]))
        if len(path) == 2:
            self.lost.add(str(last))
        if path[0] == "truth" and len(path) == 2:
            named = parent[last].get("target") if isinstance(parent[last], dict) else None
            names = named if isinstance(named, list) else [named]
            self.lost |= {str(name) for name in names}
        if isinstance(parent, list):
            kept = self.places.kept.setdefault(
                self.places.written(path[:-1]), list(range(len(parent)))
            )
            del kept[int(last)]
        del parent[last]
        return True


def _order(path: Path) -> tuple[tuple[int, str], ...]:
    """Sort list items by number, so that taking them out from the end shifts no other."""
    return tuple((step, "") if isinstance(step, int) else (-1, step) for step in path)


def _problem(error: Mapping[str, Any], document: Any, places: Places) -> Problem:
    kind, loc, context = error["type"], tuple(error["loc"]), error.get("ctx", {})
    path = _path(loc, document)
    if kind == "extra_forbidden":
        known = [k for k in _keys(loc[:-1]) if k not in (_at(document, path[:-1]) or {})]
        return places.problem(
            path, f"one of the keys {either(known)}", key=True,
            found=f"the unknown key {path[-1]!r}", hint=nearest(path[-1], known),
        )  # fmt: skip
    if kind == "missing":
        return places.problem(path, f"the key {loc[-1]!r} in {spell(path)}", key=True)
    if kind == "union_tag_not_found":
        tag = str(context["discriminator"]).strip("'")
        return places.problem(path, f"the key {tag!r}, one of {_tags(loc)}", key=True)
    at_key = bool(loc) and loc[-1] == "[key]"
    found = path[-1] if at_key else error["input"]
    if kind == "union_tag_invalid":
        path = (*path, str(context["discriminator"]).strip("'"))
        found = context["tag"]
    expected = _EXPECTED[kind](context) if kind in _EXPECTED else str(error["msg"])
    hint = context.get("hint") or _meant(kind, found, expected)
    return places.problem(path, expected, found=show(found), hint=hint, key=at_key)


def _meant(kind: str, found: Any, expected: str) -> str:
    if kind not in ("literal_error", "union_tag_invalid"):
        return ""
    return nearest(found, expected.replace(" or ", ", ").split(", "))


def _kind(value: Any) -> str:
    return "a list" if isinstance(value, list) else show(value)


def _path(loc: tuple[str | int, ...], document: Any) -> Path:
    """Follow pydantic's location through the document; what is not there is a tag of a union."""
    path: list[str | int] = []
    here: Any = document
    for step in loc:
        known: Any = range(len(here)) if isinstance(here, list) else here
        if isinstance(known, dict | range) and step in known:
            path.append(step)
            here = here[step]
    return tuple(path)


def _at(here: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        here = here[step]
    return here


@cache
def _schema() -> Mapping[str, Any]:
    return Document.model_json_schema(by_alias=True)


def _follow(loc: tuple[str | int, ...]) -> Mapping[str, Any]:
    """Find the part of the JSON Schema a pydantic location speaks of; tags choose in unions."""
    here: Any = _schema()
    for step in loc:
        here = _resolve(here)
        if "discriminator" in here:
            here = {"$ref": here["discriminator"]["mapping"].get(step, "")}
        elif "properties" in here:
            here = here["properties"].get(step, {})
        elif isinstance(step, int):
            here = here.get("items", {})
        else:
            here = here.get("additionalProperties", {})
    return _resolve(here)


def _resolve(part: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in part:
        part = _schema()["$defs"].get(part["$ref"].rpartition("/")[2], {})
    return part


def _keys(loc: tuple[str | int, ...]) -> list[str]:
    return list(_follow(loc).get("properties", {}))


def _tags(loc: tuple[str | int, ...]) -> str:
    return either(_follow(loc).get("discriminator", {}).get("mapping", {}))
