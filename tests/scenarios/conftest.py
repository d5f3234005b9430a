"""A small scenario with everything in it, and the ways to break it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from scenarios import loader
from scenarios.error import ScenarioError
from scenarios.model import Scenario

#: In a national topology, so that cities, carriers and both sides can be named.
TEXT = """\
scenario: test/small
title: A small one
period: 2010-12
story: Something happens.
tags: [dns]
sources: [{title: A paper, url: "https://example.org/paper", year: 2010}]
topology: {use: national, cities: [beijing, shanghai], carriers: [unicom, telecom], delay: 20 ms}
vantages:
  bj-cu: {city: beijing, carrier: unicom}
  sh-ct: {city: shanghai, carrier: telecom}
  us: {abroad: true}
services:
  one: {kind: web, names: [www.one.net, one.net], addresses: [66.33.200.1]}
  two: {kind: web, names: [www.two.net]}
  geo:
    kind: web
    names: [www.geo.net]
    geo: [{from: [CN], status: 403}]
  voice: {kind: sip, names: [sip.voice.net], users: {bob: secret}, callees: [echo]}
  inland: {kind: web, carrier: unicom, names: [www.inland.cn], addresses: [202.108.12.68]}
targets:
  one: {kind: web, url: "http://www.one.net/"}
  two: {kind: web, url: "https://www.two.net/"}
  geo: {kind: web, url: "http://www.geo.net/", baseline: {inside: {status: 403}}}
  dead: {kind: web, url: "http://dead.example.net/", baseline: dead-name}
  call: {kind: call, registrar: sip.voice.net}
  inland: {kind: web, url: "http://www.inland.cn/"}
pools: {pool: [8.7.198.45, 59.24.3.173]}
censors:
  gfw:
    at: border
    position: on-path
    latency: 2 ms
    rules:
      - id: one-dns
        targets: one
        when: {dns.name: {suffix: [one.net]}, client.address: [beijing, sh-ct]}
        then: {inject: dns-answer, addresses: pool, answer_ttl: {random: [30, 255]}}
        fidelity: documented
        source: 0
truth:
  - {target: one, from: inside, verdict: blocked, mechanisms: [dns.injection.other], locus: network}
  - {target: one, from: us, verdict: ok}
  - {target: [two, call, inland], verdict: ok}
  - target: geo
    from: [unicom, shanghai]
    verdict: blocked
    mechanisms: [http.error.geo]
    locus: server_side
  - {target: geo, from: abroad, verdict: ok}
  - {target: dead, verdict: down}
"""

Edit = tuple[str, str]
Load = Callable[..., Scenario]
Break = Callable[..., list[str]]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load the small scenario with parts of its text replaced."""

    def loaded(*edits: Edit) -> Scenario:
        text = TEXT
        for before, after in edits:
            assert before in text, f"nothing to replace: {before!r}"
            text = text.replace(before, after, 1)
        file = tmp_path / "small.yaml"
        file.write_text(text, "utf-8")
        return loader.load(file)

    return loaded


@pytest.fixture
def broken(load: Load) -> Break:
    """Return what is said of the small scenario with parts replaced, as `LINE:COLUMN  words`."""

    def told(*edits: Edit) -> list[str]:
        with pytest.raises(ScenarioError) as caught:
            load(*edits)
        return [str(p).removeprefix(f"{p.file}:") for p in caught.value.problems]

    return told
