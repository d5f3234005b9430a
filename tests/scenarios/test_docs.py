"""docs/scenarios.md names every key of the schema and no other, and its example loads."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from scenarios import loader, schema
from scenarios.value import BASELINES
from topologies.picture import picture

PAGE = (Path(__file__).parents[2] / "docs" / "scenarios.md").read_text("utf-8")
EXPORTED = json.loads(schema.exported())
MODELS = {"Document": EXPORTED, **EXPORTED["$defs"]}
#: Model -> the heading of its table, where that is not the model's own name.
HEADINGS = {"Document": "The file"}


def table(model: str) -> set[str]:
    """Return the keys in the first column of the model's table."""
    heading = HEADINGS.get(model, model)
    start = re.search(rf"^#+ {heading}$", PAGE, re.MULTILINE)
    assert start, f"docs/scenarios.md has no heading {heading!r}"
    rest = PAGE[start.end() :]
    end = re.search(r"^#", rest, re.MULTILINE)
    rows = re.findall(r"^\|(.*?)\|", rest[: end.start() if end else None], re.MULTILINE)
    return {key for row in rows for key in re.findall(r"`([^`]+)`", row)}


@pytest.mark.parametrize("model", [m for m in MODELS if not m.endswith("Target")])
def test_every_key_is_described(model: str) -> None:
    assert table(model) == set(MODELS[model]["properties"])


@pytest.mark.parametrize("model", [m for m in MODELS if m.endswith("Target")])
def test_every_kind_of_target_is_described(model: str) -> None:
    (row,) = re.findall(rf"^\| `(\w+)` \({model}\) \|(.*)\|$", PAGE, re.MULTILINE)
    keys = set(MODELS[model]["properties"]) - {"kind", "baseline"}
    if model == "CallTarget":
        keys -= set(MODELS["SipTarget"]["properties"])  # "the same, and"
    assert row[0] == MODELS[model]["properties"]["kind"]["const"]
    assert keys <= set(re.findall(r"`(\w+)`", row[1]))


def test_every_baseline_is_described() -> None:
    for word in BASELINES:
        assert f"`{word}`" in PAGE or f"`{{{word}}}`" in PAGE


def test_the_example_loads(tmp_path: Path) -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    file = tmp_path / "example.yaml"
    file.write_text(block, "utf-8")
    scenario = loader.load(file)
    assert scenario.fidelity == "effect-only"
    assert scenario.truths["client", "news"].label.locus == "network"


VOIP = (Path(__file__).parents[2] / "docs" / "voip.md").read_text("utf-8")
PICTURES = re.findall(r"<!-- picture: (\S+) -->\n```text\n(.*?)\n```", VOIP, re.DOTALL)


def test_pictures_of_calls_are_drawn_from_their_scenarios() -> None:
    assert PICTURES
    for name, drawn in PICTURES:
        assert drawn == picture(loader.load(name).plan)
