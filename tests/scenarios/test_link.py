"""`links:` of a scenario file: what it becomes, and errors at their lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenarios import loader
from scenarios.error import ScenarioError
from topologies.plan import Way

FILE = """
scenario: test/links
title: Links
period: 2020
story: What do links do?
topology: {{use: hops, hops: 4, censor: 2}}
vantages: {{client: {{}}}}
links:
{links}
services: {{news: {{kind: web, names: [news.example.net]}}}}
targets: {{news: {{kind: web, url: "http://news.example.net/"}}}}
censors:
  box: {{at: censor, position: on-path, latency: {latency}, rules: [{rule}]}}
truth: [{{target: news, {truth}}}]
"""
#: The line on which the first link stands.
FIRST = 9


def write(directory: Path, *links: str, **more: str) -> Path:
    said = {"latency": "2 ms", "rule": "", "truth": "verdict: ok"} | more
    file = directory / "links.yaml"
    file.write_text(FILE.format(links="\n".join(f"  - {{{link}}}" for link in links), **said))
    return file


def test_every_key_reaches_the_plan(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "from: r4, to: r3, delay: 30 ms, jitter: 5 ms, loss: 2 %, burst: 3, reorder: 1 %",
        "from: r3, to: r4, rate: 64 kbit/s, queue: 300 ms, duplicate: 0.5 %",
        "between: [client, r1], mtu: 1400, too-big: silent",
    )
    plan = loader.load(file).plan
    by = {tuple(end.node for end in link.ends): link for link in plan.links}
    far = by.get(("r3", "r4")) or by["r4", "r3"]
    place = [end.node for end in far.ends].index("r4")
    assert far.ways[place] == Way(jitter=0.005, loss=0.02, burst=3.0, reorder=0.01)
    assert far.ways[1 - place] == Way(rate=64_000, queue=0.3, duplicate=0.005)
    assert (far.delays[place], far.delays[1 - place]) == (0.03, 0.0)
    access = by["r1", "client"]
    assert (access.mtu, access.silent) == (1400, True)


@pytest.mark.parametrize(
    ("link", "at", "text"),
    [
        ("between: [r3, r4], loss: 2", "2", "found 2; expected a share from 0 % to 100 %"),
        ("between: [r3, r4], rate: 64 kbps", "64 kbps", "did you mean '64 kbit/s'"),
        ("between: [r3, r4], rate: 64", "64", "a rate above 0 with its unit"),
        ("between: [r3, r4], jiter: 2 ms", "jiter", "unknown key 'jiter'"),
        ("between: [r3, r4], mtu: 900", "900", "1280"),
        ("between: [r3, r4], burst: 7", "7", "`loss` beside it"),
        ("between: [r3, r4], queue: 7 s", "7 s", "`rate` beside it"),
        ("between: [r3, r4], loss: 50 %, burst: 1", "1", "at least 2"),
        ("between: [r3, r4], too-big: silent", "silent", "an `mtu` that something is too big"),
        ("from: r3, to: r4, mtu: 1400", "1400", "`between`, for this holds in both directions"),
        ("from: r3, loss: 1 %", "", "either `between: [HOST, HOST]`, or `from` and `to`"),
        ("between: [r3, r5], loss: 1 %", "r5", "a host that `show` lists"),
        ("between: [r1, r4], loss: 1 %", "r4", "a neighbour of r1: censor, client"),
    ],
)
def test_an_error_stands_at_its_place(tmp_path: Path, link: str, at: str, text: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        loader.load(write(tmp_path, link))
    assert text in str(caught.value)
    (problem,) = caught.value.problems
    column = len("  - {") + 1 + link.rindex(at) if at else len("  - {")
    assert (problem.line, problem.column) == (FIRST, column)


def test_a_race_counts_the_way_behind_the_box_as_the_links_say(tmp_path: Path) -> None:
    rule = (
        "{id: a, targets: news, when: {http.host: {exact: [news.example.net]}}, "
        "then: {inject: reset, toward: both}, fidelity: modelled}"
    )
    truth = "verdict: blocked, mechanisms: [http.reset.host], locus: network"
    blocked = {"rule": rule, "truth": truth, "latency": "9 ms"}
    loader.load(write(tmp_path, "from: r3, to: censor, delay: 0 ms", **blocked))
    with pytest.raises(ScenarioError, match="less than 8 ms, the way behind the box and back"):
        loader.load(write(tmp_path, "between: [r3, censor], delay: 4 ms", **blocked))
