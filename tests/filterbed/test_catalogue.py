"""What `list` and `show` print is the library, in the contract's form."""

from __future__ import annotations

import json

import pytest

from filterbed import catalogue
from scenarios import library
from scenarios.loader import load


def test_the_list_is_the_whole_library(capsys: pytest.CaptureFixture[str]) -> None:
    catalogue.show_list(as_json=True)
    rows = json.loads(capsys.readouterr().out)
    assert [row["scenario"] for row in rows] == library.names()
    assert all(
        set(row) == {"scenario", "title", "period", "fidelity", "tags"} and row["title"]
        for row in rows
    )


def test_the_list_for_people_has_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    catalogue.show_list(as_json=False)
    lines = capsys.readouterr().out.splitlines()
    there, packs = lines[: lines.index("")], lines[lines.index("Packs") + 1 :]
    assert [line.split()[0] for line in there] == library.names()
    assert [line.split()[0] for line in packs] == list(library.PACKS)
    assert packs[0].endswith(f"({len(library.names())} scenarios)")


@pytest.mark.parametrize("name", library.names())
def test_show_says_everything(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    scenario = load(name)
    catalogue.show_one(scenario, as_json=False)
    text = capsys.readouterr().out
    assert text.startswith(f"{scenario.name}: {scenario.title}\n=")
    for node in scenario.plan.nodes:
        assert node.name in text
    for target in scenario.targets:
        assert f"  {target.name} ({target.kind})" in text
    for source in scenario.sources:
        assert str(source["title"]) in text
    assert all(vantage in text for vantage in scenario.vantages)
    for censor in scenario.censors:
        assert f"Censor {censor.name} at {censor.node}, {censor.policy['position']}" in text
        for rule in censor.policy["rules"]:
            assert f"\n  {rule['id']}: {rule['fidelity']}\n" in text


def test_show_tells_a_truth_for_those_it_holds_for(capsys: pytest.CaptureFixture[str]) -> None:
    catalogue.show_one(load("china-2010/december"), as_json=False)
    text = capsys.readouterr().out
    assert "bj-cu, gz-ct, sh-ct: blocked dns.injection.other (network)" in text
    assert "us: ok" in text
    catalogue.show_one(load("tls/rst-sni-residual"), as_json=False)
    assert "if the box's log says so, else ok" in capsys.readouterr().out


def test_the_json_of_show_holds_truth_for_every_pair(capsys: pytest.CaptureFixture[str]) -> None:
    scenario = load("dns/pool-2010")
    catalogue.show_one(scenario, as_json=True)
    found = json.loads(capsys.readouterr().out)
    pairs = {(row["vantage"], row["target"]) for row in found["truth"]}
    assert pairs == {(v, t.name) for v in scenario.vantages for t in scenario.targets}
    assert {host["host"] for host in found["hosts"]} == {n.name for n in scenario.plan.nodes}
    assert next(h for h in found["hosts"] if h["host"] == "client")["addresses"]
