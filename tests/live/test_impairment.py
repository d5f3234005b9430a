"""Impaired links on the real kernel: what is measured of them, and that a broken one is told."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.live, pytest.mark.alone]
PROJECT = Path(__file__).parents[2]

SCENARIO = """
scenario: test/impaired
title: Everything that links can do
period: 2020
story: Does a link do as it is told?
topology: {use: hops, hops: 5, censor: 2, delay: 10 ms}
links:
  - {between: [client, r1], rate: 2 Mbit/s, queue: 200 ms}
  - {from: r5, to: r4, loss: 20 %, burst: 4, jitter: 4 ms, delay: 5 ms}
  - {from: r4, to: r5, duplicate: 20 %}
  - {between: [r3, r4], reorder: 10 %, mtu: 1400}
vantages: {client: {}}
services: {news: {kind: web, names: [news.example.net]}}
targets: {news: {kind: tcp, host: news.example.net, port: 80}}
censors:
  censor: {at: censor, position: in-path, rules: []}
truth: [{target: news, verdict: ok}]
"""


def test_every_impairment_is_there_and_recorded(tmp_path: Path) -> None:
    (tmp_path / "impaired.yaml").write_text(SCENARIO)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "filterbed", "run", str(tmp_path / "impaired.yaml"),
         "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=PROJECT,
    )  # fmt: skip
    run = json.loads((tmp_path / "test" / "impaired" / "run.json").read_text())
    links: dict[Any, Any] = {
        (li.get("from", li.get("at")), li.get("to")): li for li in run["links"]
    }
    told = {way: links[way]["measured"] for way in links if "wrong" in links[way]}
    assert {way: links[way]["wrong"] for way in told} == {way: [] for way in told}, done.stderr
    assert {*told} == {
        pair
        for one, two in (("client", "r1"), ("r5", "r4"), ("r3", "r4"))
        for pair in ((one, two), (two, one))
    }
    assert 0.05 < told["r5", "r4"]["loss"] < 0.4
    assert 2 < told["r5", "r4"]["burst"] < 8
    assert told["r5", "r4"]["least"] >= 0.005
    assert told["r5", "r4"]["most"] > 0.007
    assert 0.1 < told["r4", "r5"]["duplicate"] < 0.3
    assert 0.03 < told["r3", "r4"]["reorder"] < 0.2
    assert told["r3", "r4"]["mtu"] == 1400
    assert told["client", "r1"]["rate"] == pytest.approx(2e6, rel=0.2)
    (counts,) = [li for li in run["links"] if str(li.get("at")).startswith("r4-")
                 and li["in"]["lost"] + li["out"]["lost"]]  # fmt: skip
    assert counts["lost"] == 0  # none that was not asked for
