"""The shipped JSON Schema is current, and knows what the loader knows."""

from __future__ import annotations

import json
from pathlib import Path

from scenarios import schema


def test_the_shipped_schema_is_current() -> None:
    shipped = Path(schema.__file__).with_name("schema.json")
    assert shipped.read_text("utf-8") == schema.exported(), "run: python -m scenarios.schema"


def test_it_speaks_the_keys_of_the_file() -> None:
    exported = json.loads(schema.exported())
    assert set(exported["properties"]) >= {
        *("scenario", "title", "period", "story", "tags", "sources", "topology", "vantages"),
        *("services", "targets", "censors", "truth", "timeline", "pools", "extends"),
    }
    truth = exported["$defs"]["Truth"]["properties"]
    assert {"target", "from", "decided-by", "during"} <= set(truth)
    assert exported["additionalProperties"] is False
