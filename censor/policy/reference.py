"""Write down every match, action and imperfection, from the models that validate policies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from censor.policy import action, clause
from censor.policy.document import PolicyDocument
from censor.policy.provenance import SOURCES

_HEAD: Final = """# Every key of a policy

Written by `python -P -m censor reference`; do not edit. What the keys mean is in
[censor.md](censor.md). A source is a fact's id, or the specification of what is read; where there
is none, the key is the testbed's own."""

#: Names of models, as people call what they hold.
_CALLED: Final = {
    "ListFile": "`{file: PATH}`",
    "Names": "names",
    "Texts": "texts",
    "When": "a nested `when`",
    "RandomRange": "`{random: [a, b]}`",
}


def reference() -> str:
    """Return the page."""
    parts = [_HEAD, "## Matches", _table(_rows(clause.When))]
    for word, model in action.ACTS.items():
        parts += [f"## Action: {word}", _table(_rows(model, f"{word}."))]
    parts += ["## Memories", _table(_rows(action.Residual, "residual."))]
    parts += ["## Imperfections", _table(_imperfections())]
    return "\n\n".join(parts) + "\n"


def _imperfections() -> list[str]:
    """Return the rows of how the box reads each protocol, and of its limits."""
    return [
        row
        for name, field in PolicyDocument.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        for row in _rows(field.annotation, f"{name}.", shown=f"{name}.")
    ]


def _table(rows: list[str]) -> str:
    return "\n".join(["| key | value | default | source |", "|---|---|---|---|", *rows])


def _rows(model: type[BaseModel], prefix: str = "", *, shown: str = "") -> list[str]:
    schema = model.model_json_schema()
    known = schema.get("$defs", {})
    if "properties" not in schema:  # of a model that holds itself, as `not` does
        schema = known[model.__name__]
    rows = []
    for name, field in model.model_fields.items():
        key = field.alias or name
        value = "a profile" if key == "profile" else _value(schema["properties"][key], known)
        default = "required" if field.is_required() else _default(field.default)
        sources = SOURCES.get(prefix + key) or SOURCES.get(key, ())
        rows.append(f"| `{shown}{key}` | {value} | {default} | {', '.join(sources)} |")
    return rows


def _default(value: Any) -> str:
    return "" if value is None else f"`{json.dumps(value)}`"


def _value(schema: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    """Say what a JSON Schema allows."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return _CALLED.get(name) or _of(known.get(name, {}), name)
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return " ".join(f"`{one}`" for one in schema["enum"])
    several = schema.get("anyOf") or schema.get("oneOf")
    if several:
        told = [_value(one, known) for one in several if one.get("type") != "null"]
        return " or ".join(dict.fromkeys(told))
    return _plain(schema, known)


def _plain(schema: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if kind == "array":
        return f"list of {_value(schema.get('items', {}), known)}"
    if kind == "object":
        inner = schema.get("additionalProperties")
        return f"mapping to {_value(inner, known)}" if isinstance(inner, Mapping) else "a mapping"
    if kind in ("integer", "number"):
        low, high = (schema.get(key) for key in ("minimum", "maximum"))
        low = schema.get("exclusiveMinimum", low)
        if low is not None and high is not None:
            return f"{low:g} to {high:g}" if high < 1e6 else f"from {low:g}"
        return "a whole number" if kind == "integer" else "a number"
    return {"string": "text", "boolean": "`true` `false`"}.get(str(kind), "see there")


def _of(schema: Mapping[str, Any], name: str) -> str:
    keys = ", ".join(schema.get("properties", ()))
    return f"`{{{keys}}}`" if keys else name.lower()
