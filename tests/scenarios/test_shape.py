"""Wrong keys, types and words are told in an author's words, at their place."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios import library, loader, shape, yaml12
from scenarios.error import Problem, ScenarioError
from scenarios.model import Scenario
from scenarios.places import Places

Load = Callable[..., Scenario]
Break = Callable[..., list[str]]

# what is replaced, by what, where the problem stands, and what it must say
CASES = [
    ("title:", "titel:", "2:1  titel", "did you mean 'title'?"),
    ("title: A small one\n", "", "1:1  (the whole file)", "the key 'title'"),
    ("title: A small one", "title: 5", "2:8  title", "found 5; expected text"),
    ("period: 2010-12", "period: [2010]", "3:9  period", "found [2010]; expected text"),
    ("year: 2010", "year: '2010'", "6:68  sources[0].year", "a whole number"),
    ("year: 2010", "year: 1066", "6:68  sources[0].year", "at least 1990"),
    ("tags: [dns]", "tags: dns", "5:7  tags", "expected a list"),
    ("scenario: test/small", "scenario: Test", "1:11  scenario", "a name like group/name"),
    ("use: national", "use: nationl", "7:17  topology.use", "did you mean 'national'?"),
    ("use: national, ", "", "7:1  topology", "the key 'use', one of "),
    ("delay: 20 ms", "delay: 20", "7:92  topology.delay", "did you mean '20 ms' or '20 s'?"),
    ("abroad: true", "abroad: yes", "11:16  vantages.us.abroad", "true or false"),
    ("us: {abroad: true}", "us: abroad", "11:7  vantages.us", "expected a mapping"),
    ("kind: web, names: [www.one", "kin: web, names: [www.one", "13:3  services.one", "'kind'"),
    ("one.net]", "One.net]", "13:41  services.one.names[1]", "did you mean 'one.net'?"),
    ("66.33.200.1]", "66.33.200.300]", "13:63  services.one.addresses[0]", "IPv4 or IPv6"),
    ("66.33.200.1]", "192.0.2.7]", "13:63  services.one.addresses[0]", "looks public"),
    ("66.33.200.1]", "240.0.0.1]", "13:63  services.one.addresses[0]", "looks public"),
    ("66.33.200.1]", "'2001:db8::1']", "13:63  services.one.addresses[0]", "looks public"),
    ("status: 403}]", "status: 200}]", "18:32  services.geo.geo[0].status", "at least 300"),
    ("  one: {kind: web, url", "  One: {kind: web, url", "22:3  targets.One", "mean 'one'?"),
    ("kind: call", "kind: cal", "26:16  targets.call.kind", "did you mean 'call'?"),
    ("http://www.one.net/", "www.one.net/", "22:25  targets.one.url", "'http://www.one.net/'"),
    ("http://www.one.net/", "http://a.b:81/", "22:25  targets.one.url", "the usual port"),
    ("http://www.one.net/", "http:///", "22:25  targets.one.url", "whose host"),
    ("http://www.one.net/", "http://[::1/", "22:25  targets.one.url", "a URL ("),
    ("baseline: dead-name", "baseline: deadname", "25:64  targets.dead.baseline", "dead-name,"),
    ("{inside: {status: 403}}", "{inside: 403}", "24:67  targets.geo.baseline.inside", "status: N"),
    ("8.7.198.45", "8.7.198", "28:16  pools.pool[0]", "IPv4 or IPv6"),
    ("latency: 2 ms", "latency: 2", "33:14  censors.gfw.latency", "did you mean '2 ms'"),
    ("at: border\n", "a: border\n", "30:3  censors.gfw", "the key 'at'"),
    ("fidelity: documented", "fidelity: document", "39:19  censors.gfw.rules[0].fidelity", "mean"),
    ("        fidelity: documented\n", "", "35:9  censors.gfw.rules[0]", "the key 'fidelity'"),
    ("dead, verdict: down", "dead, verdict: unknown", "51:29  truth[5].verdict", "ok,"),
    ("target: dead, verdict", "target: 5, verdict", "51:14  truth[5].target", "list of"),
    ("from: us", "from: []", "43:25  truth[1].from", "a name or a list of names"),
    ("locus: network", "locus: net", "42:93  truth[0].locus", "did you mean"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "place", "words"), CASES)
def test_told_at_its_place(broken: Break, before: str, after: str, place: str, words: str) -> None:
    found = [line for line in broken((before, after)) if line.startswith(f"{place}: ")]
    assert found, broken((before, after))
    assert any(words in line for line in found)


@pytest.mark.parametrize(("before", "after", "place", "words"), CASES)
def test_nothing_else_is_told_that_only_follows(
    broken: Break, before: str, after: str, place: str, words: str
) -> None:
    assert len(broken((before, after))) <= 4


def test_indices_stay_those_of_the_file_when_items_are_left_out(broken: Break) -> None:
    found = broken(
        ("{target: one, from: us, verdict: ok}", "{target: one, from: us, verdict: okay}"),
        ("{target: geo, from: abroad, verdict: ok}", "{target: geo, from: abroard, verdict: ok}"),
    )
    assert found[1].startswith("43:38  truth[1].verdict: found 'okay'")
    assert any(line.startswith("50:25  truth[4].from: found 'abroard'") for line in found)


def document(name: str) -> tuple[dict[str, Any], Places]:
    raw, places = yaml12.load_file(library.locate(name))
    return raw, places


NAMES = [name for name in library.names() if name != "china-2010/announced"]
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-10, 70_000),
    st.floats(allow_nan=True),
    st.text(max_size=8),
    st.sampled_from(["border", "ok", "20 ms", "status: 403", "10.0.0.0/8", "reset", "web"]),
    st.lists(st.one_of(st.none(), st.integers(0, 5), st.text(max_size=3)), max_size=3),
    st.dictionaries(st.text(max_size=4), st.integers(0, 5), max_size=2),
)


def spots(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """List every place in a document but its root."""
    if not isinstance(value, dict | list):
        return []
    found = []
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        found += [(*path, key), *spots(inner, (*path, key))]
    return found


def mutated(raw: Any, data: st.DataObject) -> Any:
    """Delete something, replace something, or add a key."""
    changed = copy.deepcopy(raw)
    for _ in range(data.draw(st.integers(1, 3))):
        *above, last = data.draw(st.sampled_from(spots(changed)))
        parent = changed
        for step in above:
            parent = parent[step]
        deed = data.draw(st.sampled_from(["delete", "replace", "add"]))
        if deed == "delete":
            del parent[last]
        elif deed == "replace" or isinstance(parent, list):
            parent[last] = data.draw(JUNK)
        else:
            parent[data.draw(st.text(alphabet="abcde.", min_size=1, max_size=5))] = data.draw(JUNK)
        if not spots(changed):
            break
    return changed


@settings(max_examples=300, deadline=None)
@given(name=st.sampled_from(NAMES), data=st.data())
def test_a_spoilt_scenario_loads_or_tells_where(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    raw, _ = document(name)
    file = tmp_path_factory.getbasetemp() / "spoilt.yaml"
    file.write_text(yaml.safe_dump(mutated(raw, data), allow_unicode=True, sort_keys=False))
    problems = told(file)
    assert problems is None or problems
    for problem in problems or ():
        assert problem.line >= 1
        assert problem.column >= 1
        assert problem.expected


def told(file: Path) -> tuple[Problem, ...] | None:
    try:
        loader.load(file)
    except ScenarioError as error:
        return error.problems
    return None


def test_a_right_document_is_taken_as_it_is() -> None:
    raw, places = document("dns/pool-2010")
    checked = shape.validate(raw, places)
    assert checked.raw is raw
    assert not checked.problems
    assert not checked.lost
