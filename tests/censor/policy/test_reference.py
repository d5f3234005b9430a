"""docs/reference.md is what the code says: every match, action and imperfection, and its source."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import BaseModel

from censor.policy import action, clause
from censor.policy.document import PolicyDocument
from censor.policy.provenance import SOURCES
from censor.policy.reference import reference

PAGE = Path(__file__).parents[3].joinpath("docs", "reference.md")


def keys(model: type[BaseModel], prefix: str = "") -> set[str]:
    return {prefix + (field.alias or name) for name, field in model.model_fields.items()}


def test_the_page_is_what_the_code_says() -> None:
    cure = "write it anew: python -P -m censor reference > docs/reference.md"
    assert PAGE.read_text("utf-8") == reference(), cure


def test_it_has_every_key() -> None:
    rows = set(re.findall(r"^\| `([a-z0-9_.]+)` \|", reference(), re.MULTILINE))
    wanted = keys(clause.When).union(*map(keys, action.ACTS.values()), keys(action.Residual))
    for name, field in PolicyDocument.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            wanted |= keys(field.annotation, f"{name}.")
    assert rows == wanted
    assert len(wanted) > 100


def test_sources_are_of_keys_that_there_are() -> None:
    there = keys(clause.When) | keys(action.Residual, "residual.")
    for word, model in action.ACTS.items():
        there |= keys(model) | keys(model, f"{word}.")
    for name, field in PolicyDocument.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            there |= keys(field.annotation, f"{name}.")
    assert set(SOURCES) - there == set()
    told = [one for sources in SOURCES.values() for one in sources]
    assert all(re.fullmatch(r"RFC \d+|[a-z0-9]+(-[a-z0-9]+)+", one) for one in told)


def test_values_are_told_as_an_author_writes_them() -> None:
    page = reference()
    for row in (
        "| `tls.sni` | names |  | RFC 6066, cn-sni-rst |",
        '| `direction` | `outbound` `inbound` `both` | `"both"` |  |',
        "| `thin` | 0 to 1 | required |  |",
        "| `not` | a nested `when` |  |  |",
    ):
        assert row in page
