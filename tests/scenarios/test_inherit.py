"""A scenario can change another; problems stand in the file that wrote what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scenarios import inherit, loader
from scenarios.error import ScenarioError

CHILD = "scenario: my/own\nextends: dns/nxdomain\ntitle: Mine\n"


def child(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "own.yaml"
    file.write_text(text, "utf-8")
    return file


def told(file: Path) -> str:
    with pytest.raises(ScenarioError) as caught:
        loader.load(file)
    return str(caught.value)


@pytest.mark.parametrize(
    ("above", "own", "result"),
    [
        ({"a": 1, "b": 2}, {"b": 3}, {"a": 1, "b": 3}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": None}}, {"a": {"c": 2}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": "x"}, {"a": {"b": None, "c": 1}}, {"a": {"c": 1}}),
        ({"a": {"b": 1}}, {"a": "x"}, {"a": "x"}),
    ],
)
def test_merge_patch(above: Any, own: Any, result: Any) -> None:
    assert inherit.patched(above, own) == result


def test_what_is_not_said_is_inherited(tmp_path: Path) -> None:
    text = CHILD + "targets: {debian-name: null}\ntruth:\n"
    text += "  - {target: [youtube, youtube-name, piratebay], verdict: blocked,"
    text += " mechanisms: [dns.nxdomain], locus: network}\n"
    text += "  - {target: [wikipedia, dawn], verdict: ok}\n  - {target: dead, verdict: down}\n"
    scenario = loader.load(child(tmp_path, text))
    assert (scenario.name, scenario.title) == ("my/own", "Mine")
    assert scenario.period == "2012..2013-04"
    assert [t.name for t in scenario.targets][-2:] == ["dawn", "dead"]


def test_problems_stand_in_the_file_that_wrote_them(tmp_path: Path) -> None:
    message = told(child(tmp_path, CHILD + "targets: {dead: null}\ncolour: red\n"))
    own, inherited = message.splitlines()
    if "nxdomain.yaml" in own:
        own, inherited = inherited, own
    assert "own.yaml:5:1  colour: " in own
    assert "dns/nxdomain.yaml:" in inherited
    assert "truth[2].target: found 'dead'" in inherited


def test_a_scenario_beside_the_file_can_be_extended(tmp_path: Path) -> None:
    source = Path(loader.load("dns/nxdomain").path)
    (tmp_path / "base.yaml").write_bytes(source.read_bytes())
    text = "scenario: my/own\nextends: base.yaml\n"
    assert loader.load(child(tmp_path, text)).name == "my/own"


@pytest.mark.parametrize(
    ("parent", "words"),
    [
        ("dns/nxdomains", "did you mean 'dns/nxdomain'?"),
        ("china-2010/announced", "does not itself extend"),
        ("5", "a scenario's name"),
        ("none.yaml", "readable file"),
    ],
)
def test_what_cannot_be_extended(tmp_path: Path, parent: str, words: str) -> None:
    assert words in told(child(tmp_path, f"scenario: a\nextends: {parent}\n"))


def test_lists_in_files_lie_beside_the_file_that_names_them(tmp_path: Path) -> None:
    source = Path(loader.load("dns/nxdomain").path).read_text("utf-8")
    names = "suffix: [youtube.com, thepiratebay.se]"
    assert names in source
    (tmp_path / "base").mkdir()
    listed = tmp_path / "base" / "names.txt"
    listed.write_text("youtube.com  # since 2012\nthepiratebay.se\n", "utf-8")
    parent = source.replace(names, "suffix: {file: names.txt}")
    (tmp_path / "base" / "parent.yaml").write_text(parent, "utf-8")
    own = child(tmp_path, "scenario: my/own\nextends: base/parent.yaml\n")
    (rule,) = loader.load(own).censors[0].policy["rules"]
    assert rule["when"] == {"dns.name": {"suffix": ["youtube.com", "thepiratebay.se"]}}
    listed.unlink()
    line = parent[: parent.index("file: names")].count("\n") + 1
    message = told(own)
    assert f"parent.yaml:{line}:" in message
    assert 'dns.name"].suffix.file: found' in message
    assert f"{listed}: No such file" in message
