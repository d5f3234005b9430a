"""A scenario is resolved whole, or refused with every problem at its place."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scenarios import library, loader
from scenarios.error import ScenarioError
from scenarios.model import Label, Scenario
from topologies.service import Sip, Web

Load = Callable[..., Scenario]
Break = Callable[..., list[str]]


def test_everything_is_resolved(load: Load) -> None:
    scenario = load()
    assert scenario.name == "test/small"
    assert scenario.path.endswith("small.yaml")
    assert scenario.fidelity == "documented"
    assert scenario.vantages == ("bj-cu", "sh-ct", "us")
    assert scenario.plan.boxes[0].node == "border"
    assert scenario.dns["one.net"] == ("66.33.200.1",)
    assert scenario.dns["www.two.net"] == ("88.198.0.1",)
    web, *_, inland = (s for s in scenario.services if isinstance(s, Web))
    assert (web.node, inland.node) == ("servers", "srv-cu")
    (voice,) = (s for s in scenario.services if isinstance(s, Sip))
    assert voice.users == (("bob", "secret"),)
    call = next(t for t in scenario.targets if t.name == "call")
    assert call.public() == {
        "target": "call",
        "kind": "call",
        "registrar": "sip.voice.net",
        "user": "bob",
        "password": "secret",
        "callee": "echo",
        "seconds": 2,
        "media": "pcmu",
    }


def test_truths_and_baselines(load: Load) -> None:
    truths = load().truths
    assert len(truths) == 18
    one = truths["bj-cu", "one"]
    assert one.label == Label("blocked", frozenset({"dns.injection.other"}), "network")
    assert one.baseline == Label("ok")
    geo = truths["sh-ct", "geo"]
    assert geo.label == geo.baseline
    assert geo.baseline.locus == "server_side"
    assert truths["us", "geo"].baseline == Label("ok")
    assert truths["us", "dead"].baseline == Label("down")


def test_a_policy_is_what_the_censor_accepts(load: Load) -> None:
    (censor,) = load().censors
    assert (censor.name, censor.node) == ("gfw", "border")
    (rule,) = censor.policy["rules"]
    assert "at" not in censor.policy
    assert "targets" not in rule
    assert "202.106.0.0/16" in rule["when"]["client.address"]
    assert censor.policy["pools"] == {"pool": ["8.7.198.45", "59.24.3.173"]}


def test_all_errors_of_all_kinds_are_told_at_once(broken: Break) -> None:
    found = broken(
        ("title: A small one", "titel: A small one"),
        ("position: on-path\n    latency: 2 ms", "position: on-path\n    latency: 50 ms"),
        ("at: border", "at: border\n    limits: {idle: 60}"),
        ("then: {inject: dns-answer, addresses: pool", "then: {drop: packet, addresses: pool"),
        ("targets: one\n", "targets: onee\n"),
        ("mechanisms: [dns.injection.other]", "mechanisms: [dns.injected]"),
        ("  - {target: dead, verdict: down}\n", "  - {target: one, from: us, verdict: ok}\n"),
        ("delay: 20 ms}", "delay: 20}"),
    )
    places = [line.split("  ")[1].split(":")[0] for line in found]
    assert set(places) >= {
        *("(the whole file)", "titel", "topology.delay", "targets.dead", "censors.gfw.latency"),
        *("censors.gfw.limits.idle", "censors.gfw.rules[0].targets", "truth[0].mechanisms[0]"),
        *("censors.gfw.rules[0].then.drop", "truth[5]"),
    }
    assert [int(line.split(":")[0]) for line in found] == sorted(
        int(line.split(":")[0]) for line in found
    )


def test_a_name_without_a_file_suggests_one() -> None:
    with pytest.raises(ScenarioError, match=r"did you mean 'dns/pool-2010'\?"):
        loader.load("dns/pool-201")


@pytest.mark.parametrize("data", [b"", b"- a\n- b\n", b"text", b"\xff\xfe", b"5"])
def test_what_is_no_scenario_at_all(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(data)
    with pytest.raises(ScenarioError) as caught:
        loader.load(file)
    assert str(caught.value).startswith(f"{file}:1:1 ")


@pytest.mark.parametrize(
    ("steps", "place", "words"),
    [
        ("[{at: 20 min, enable: gfx}]", "timeline[0].enable", "did you mean 'gfw'"),
        ("[{at: 20 min}]", "timeline[0]", "either enable or disable"),
        ("[{at: 2 s, enable: gfw}, {at: 1 s, disable: gfw}]", "timeline[1].at", "2 s"),
        ("[{at: 1 s, enable: gfw}, {at: 2 s, enable: gfw}]", "timeline[1].enable", "already"),
        ("[{at: 1 s, disable: gfw}, {at: 2 s, disable: gfw}]", "timeline[1].disable", "not"),
        ("[{at: 20, enable: gfw}]", "timeline[0].at", "did you mean '20 ms' or '20 s'"),
    ],
)
def test_timeline_errors(broken: Break, steps: str, place: str, words: str) -> None:
    (problem,) = broken(("truth:\n", f"timeline: {steps}\ntruth:\n"))
    assert f"  {place}: " in problem
    assert words in problem


def test_a_timeline_changes_truths(load: Load) -> None:
    blocked = "verdict: blocked, mechanisms: [dns.injection.other], locus: network"
    scenario = load(
        ("truth:\n", "timeline: [{at: 20 min, enable: gfw}]\ntruth:\n"),
        (
            f"  - {{target: one, from: inside, {blocked}}}\n",
            f"  - {{target: one, from: inside, {blocked}, during: [20 min]}}\n"
            "  - {target: one, from: inside, verdict: ok, during: [0 s, 20 min]}\n",
        ),
    )
    assert scenario.timeline == ({"at": 1200.0, "enable": "gfw"},)
    assert scenario.truths["bj-cu", "one"].label.verdict == "ok"
    ((start, later),) = scenario.changes["bj-cu", "one"]
    assert (start, later.label.verdict) == (1200.0, "blocked")
    assert ("us", "one") not in scenario.changes


def test_during_needs_a_timeline(broken: Break) -> None:
    found = broken(("verdict: down}", "verdict: down, during: [0 s]}"))
    assert len(found) == 1
    assert "truth[5].during" in found[0]


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys; from scenarios import loader; loader.load('dns/pool-2010');"
        "print(*{m.split('.')[0] for m in sys.modules} & "
        "{'mininet', 'scapy', 'netfilterqueue', 'cryptography', 'dns'})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        cwd=library.FOLDER.parents[1],
    )
    assert done.stdout.strip() == ""
