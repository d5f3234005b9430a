"""Whole runs: tools that lie, tools that misbehave, witnesses that are broken, placebos."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.live

PROJECT = Path(__file__).resolve().parents[2]
SCENARIO = "dns/pool-2010"
#: Its truth: three names blocked, four fine, one dead.
BLOCKED = {"facebook", "facebook-name", "twitter"}
TARGETS = ["facebook", "facebook-name", "twitter", "wikipedia", "debian", "python-name",
           "lookalike", "dead"]  # fmt: skip


def filterbed(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "filterbed", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=PROJECT,
        **more,
    )


def run(
    tmp_path: Path, scenario: str, *arguments: str, command: list[str] | None = None
) -> tuple[int, dict[str, Any], dict[str, Any]]:
    """Run one scenario; return exit status, its entry in the JSON report, and score.json."""
    words = ["run", scenario, "--json", "--out", str(tmp_path / "out"), *arguments]
    done = filterbed(*words, *(["--", *command] if command else []))
    try:
        (entry,) = json.loads(done.stdout)["runs"]
    except ValueError:
        pytest.fail(f"exit {done.returncode}: {done.stdout}{done.stderr}")
    score = json.loads((Path(entry["dir"]) / "score.json").read_text())
    return done.returncode, entry, score


def tool(tmp_path: Path, body: str) -> list[str]:
    """Write a tool that has `targets` and `say(target, verdict, ...)`; return its command."""
    path = tmp_path / "tool.py"
    path.write_text(
        "import json, os, signal, sys, time\n"
        "targets = [t['target'] for t in json.load(open(os.environ['FILTERBED_TARGETS']))]\n"
        "def say(target, verdict, mechanisms=(), locus=None):\n"
        "    row = {'target': target, 'verdict': verdict, 'mechanisms': list(mechanisms)}\n"
        "    print(json.dumps(row | ({'locus': locus} if locus else {})), flush=True)\n"
        f"BLOCKED = {BLOCKED!r}\n" + body
    )
    return [sys.executable, str(path)]


def summary(score: dict[str, Any]) -> dict[str, Any]:
    (found,) = score["summary"].values()
    counts = ("true_positive", "false_positive", "true_negative", "false_negative", "unknown")
    rates = ("precision", "recall", "recall_all", "accuracy")
    return {c: found[c] for c in counts} | {r: (found[r]["value"], found[r]["n"]) for r in rates}


FAR = """
scenario: tests/far
title: A server is far away
period: any time
story: The way takes longer than a run takes to end.
topology: {use: line, delay: 250 ms}
vantages: {client: {}}
services: {far: {kind: web, names: [www.far-away.net]}}
targets: {far: {kind: web, url: "http://www.far-away.net/"}}
censors: {box: {at: censor, position: in-path, rules: []}}
truth: [{target: far, verdict: ok}]
"""
LIARS = {
    "ok": (
        "for t in targets: say(t, 'ok')",
        {"true_positive": 0, "false_positive": 0, "true_negative": 5, "false_negative": 3,
         "unknown": 0, "precision": (None, 0), "recall": (0.0, 3), "recall_all": (0.0, 3),
         "accuracy": (0.5, 8)},
        1,
    ),
    "blocked": (
        "for t in targets: say(t, 'blocked')",
        {"true_positive": 3, "false_positive": 5, "true_negative": 0, "false_negative": 0,
         "unknown": 0, "precision": (0.375, 8), "recall": (1.0, 3), "recall_all": (1.0, 3),
         "accuracy": (0.375, 8)},
        1,
    ),
    "wrong layer": (
        "for t in targets:\n"
        "    if t in BLOCKED: say(t, 'blocked', ['http.reset.host'], 'network')\n"
        "    else: say(t, 'down' if t == 'dead' else 'ok')",
        {"true_positive": 3, "false_positive": 0, "true_negative": 5, "false_negative": 0,
         "unknown": 0, "precision": (1.0, 3), "recall": (1.0, 3), "recall_all": (1.0, 3),
         "accuracy": (0.625, 8)},
        1,
    ),
    "prefix": (
        "for t in targets:\n"
        "    if t in BLOCKED: say(t, 'blocked', ['dns'], 'network')\n"
        "    else: say(t, 'down' if t == 'dead' else 'ok')",
        {"true_positive": 3, "false_positive": 0, "true_negative": 5, "false_negative": 0,
         "unknown": 0, "precision": (1.0, 3), "recall": (1.0, 3), "recall_all": (1.0, 3),
         "accuracy": (1.0, 8)},
        0,
    ),
    "silent": (
        "pass",
        {"true_positive": 0, "false_positive": 0, "true_negative": 0, "false_negative": 0,
         "unknown": 8, "precision": (None, 0), "recall": (None, 0), "recall_all": (0.0, 3),
         "accuracy": (0.0, 8)},
        1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LIARS)
def test_a_lying_tool_is_scored_as_the_contract_says(tmp_path: Path, name: str) -> None:
    body, expected, status = LIARS[name]
    code, entry, score = run(tmp_path, SCENARIO, "--name", "liar", command=tool(tmp_path, body))
    assert (entry["valid"], entry["invalid_because"]) == (True, [])
    assert code == status
    assert summary(score) == expected
    assert [row["target"] for row in score["rows"]] == TARGETS


MECHANISM = {"wrong layer": (0.0, 0.0, 0, 0), "prefix": (1.0, 1 / 3, 0, 3)}


@pytest.mark.parametrize("name", MECHANISM)
def test_mechanisms_are_scored_over_their_ancestors(tmp_path: Path, name: str) -> None:
    _, _, score = run(tmp_path, SCENARIO, "--name", "liar", command=tool(tmp_path, LIARS[name][0]))
    (found,) = score["summary"].values()
    got = found["mechanism"]
    precision, recall, exact, under = MECHANISM[name]
    assert got["precision"]["value"] == pytest.approx(precision)
    assert got["recall"]["value"] == pytest.approx(recall)
    assert (got["exact"], got["under"]) == (exact, under)


NUISANCES = {
    "hangs, ignores SIGTERM, forks daemons": """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
say('wikipedia', 'ok')
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            while True: time.sleep(1)
        os._exit(0)
while True: time.sleep(1)
""",
    "crashes": "say('wikipedia', 'ok'); os.kill(os.getpid(), signal.SIGSEGV)",
    "daemon outlives it": """
say('wikipedia', 'ok')
if os.fork() == 0:
    os.setsid()
    while True: time.sleep(1)
""",
    "floods": """
say('wikipedia', 'ok')
line = b'x' * 65535 + b'\\n'
for _ in range(600): os.write(1, line)
for _ in range(600): os.write(2, line)
""",
    "prints what cannot be read": """
say('wikipedia', 'ok')
say('nobody-asked', 'ok')
say('debian', 'fine')
say('facebook', 'blocked', ['dns.sorcery'])
os.write(1, b'{"target": "twitter", "verdict": "\\xff\\xfe"}\\n[1]\\nnull\\n{"a"\\n')
os.write(1, b'{"target": "python-name", "verdict": "o')
""",
}


@pytest.mark.parametrize("name", NUISANCES)
def test_a_tool_that_misbehaves_gets_unknown_with_the_reason(tmp_path: Path, name: str) -> None:
    code, entry, score = run(
        tmp_path, SCENARIO, "--timeout", "1 s", command=tool(tmp_path, NUISANCES[name])
    )
    assert (entry["valid"], entry["invalid_because"]) == (True, [])
    assert code == 1
    verdicts = {row["target"]: row["observed"]["verdict"] for row in score["rows"]}
    assert verdicts == {t: "ok" if t == "wikipedia" else "unknown" for t in TARGETS}
    notes = [json.loads(line) for line in (Path(entry["dir"]) / "observations.jsonl").open()]
    reasons = [o["reason"] for o in notes if o["kind"] == "observation"]
    assert sum(reason is not None for reason in reasons) == len(TARGETS) - 1


def test_the_placebo_has_no_positive_truth(tmp_path: Path) -> None:
    code, entry, score = run(tmp_path, SCENARIO, "--idle")
    assert (entry["valid"], entry["invalid_because"], code) == (True, [], 0)
    expected = {row["target"]: row["expected"]["verdict"] for row in score["rows"]}
    assert expected == {t: "down" if t == "dead" else "ok" for t in TARGETS}
    events = (Path(entry["dir"]) / "events.jsonl").read_text()
    assert '"event": "injected"' not in events


def broken(tmp_path: Path, name: str, old: str, new: str) -> str:
    """Copy a scenario of the library with some text replaced, once; it must be there."""
    text = (PROJECT / "scenarios" / "library" / f"{name}.yaml").read_text()
    assert old in text
    path = tmp_path / "broken.yaml"
    path.write_text(text.replace(old, new, 1))
    return str(path)


#: Scenario, what is replaced, by what, and what a witness says of it.
BREAKS: dict[str, tuple[str, str, str, str]] = {
    "a list without one of its names": (
        "dns/pool-2010", "suffix: [facebook.com, twitter.com]", "suffix: [facebook.com]",
        "proof: twitter from client is declared blocked",
    ),
    "a list of other names": (
        "dns/nxdomain", "suffix: [youtube.com, thepiratebay.se]", "suffix: [elsewhere.org]",
        "draws no act",
    ),
    "a list that hits an innocent": (
        "dns/pool-2010", "suffix: [facebook.com, twitter.com]",
        "suffix: [facebook.com, twitter.com, debian.org]",
        "proof: debian from client is declared ok, but the engine acts on it",
    ),
    "another action": (
        "dns/pool-2010", "addresses: pool-2010, answer_ttl: {random: [30, 255]}",
        "rcode: nxdomain",
        "can only be seen as dns.nxdomain",
    ),
    "another name at the reset": (
        "http/rst-host", "suffix: [twitter.com,", "suffix: [twitter.net,",
        "proof: twitter from client is declared blocked",
    ),
    "a residual that nothing sets": (
        "tls/rst-sni-residual", "suffix: [nyt.com, torproject.org]", "suffix: [torproject.org]",
        "proof: nyt from client is declared blocked",
    ),
    "another site's block page": (
        "http/blockpage", "suffix: [twitter.com, vimeo.com]", "suffix: [twitter.com]",
        "proof: vimeo from client is declared blocked",
    ),
    "another address dropped": (
        "ip/drop", "server.address: [74.125.127.100]", "server.address: [74.125.127.101]",
        "proof: youtube from client is declared blocked",
    ),
    "SIP passed by mistake": (
        "voip/two-carriers", "sip.method: [REGISTER, INVITE]", "sip.method: [INVITE]",
        "is declared blocked",
    ),
    "a quiet country that is not": (
        "quiet/third-broken", "rules: []",
        "rules: [{id: x, when: {dns.name: {suffix: [debian.org]}}, "
        "then: {inject: dns-answer, rcode: nxdomain}, fidelity: modelled}]",
        "is declared ok, but the engine acts on it",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BREAKS)
def test_a_scenario_that_does_not_do_what_it_says_is_invalid(tmp_path: Path, name: str) -> None:
    base, old, new, reason = BREAKS[name]
    code, entry, score = run(tmp_path, broken(tmp_path, base, old, new))
    assert code == 4
    assert not entry["valid"]
    assert any(reason in text for text in entry["invalid_because"]), entry["invalid_because"]
    assert (score["rows"], score["summary"]) == ([], None)


def test_a_censor_that_is_too_slow_hits_nobody(tmp_path: Path) -> None:
    """Its resets leave after the page: the log says so, and what was true is that it opened."""
    text = (PROJECT / "scenarios" / "library" / "http" / "rst-host.yaml").read_text()
    for old, new in (
        ("latency: 2 ms", "latency: 60 ms"),
        ("    rules:\n      - id:", "    rules:\n      - race: may-lose\n        id:"),
        ("    locus: network\n", "    locus: network\n    decided-by: log\n"),
    ):
        assert old in text
        text = text.replace(old, new, 1)
    path = tmp_path / "slow.yaml"
    path.write_text(text)
    code, entry, score = run(tmp_path, str(path))
    assert (entry["valid"], entry["invalid_because"], code) == (True, [], 0)
    assert {row["expected"]["verdict"] for row in score["rows"]} == {"ok", "down"}
    assert '"event": "injected"' in (Path(entry["dir"]) / "events.jsonl").read_text()


def test_a_server_that_does_not_answer_as_declared_fails_the_control_pass(tmp_path: Path) -> None:
    path = broken(
        tmp_path,
        "quiet/third-broken",
        "kind: web, names: [www.debian.org]",
        "kind: web, status: 503, names: [www.debian.org]",
    )
    done = filterbed("run", path, "--json", "--out", str(tmp_path / "out"))
    if done.returncode == 2:  # the loader knows better already
        assert "503" in done.stderr
        return
    (entry,) = json.loads(done.stdout)["runs"]
    assert done.returncode == 4
    assert any("control pass" in reason for reason in entry["invalid_because"])


def test_junit_has_a_case_for_every_row(tmp_path: Path) -> None:
    from xml.etree import ElementTree

    done = filterbed(
        "run", SCENARIO, "--out", str(tmp_path / "out"), "--junit", str(tmp_path / "junit.xml"),
        "--target", "facebook", "--target", "debian",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    cases = ElementTree.parse(tmp_path / "junit.xml").getroot().findall(".//testcase")
    assert [case.get("name") for case in cases] == ["facebook", "debian"]


def test_a_run_replays_to_the_same_events(tmp_path: Path) -> None:
    _, entry, _ = run(tmp_path, "tls/rst-sni-residual", "--clock-rate", "30")
    done = filterbed("replay", entry["dir"])
    assert done.returncode == 0, done.stdout + done.stderr
    # And a log that says something else is told.
    path = Path(entry["dir"]) / "events.jsonl"
    path.write_text(path.read_text().replace('"injected"', '"dropped"', 1))
    assert filterbed("replay", entry["dir"]).returncode == 1


def test_a_long_way_is_empty_before_its_witnesses_stop(tmp_path: Path) -> None:
    """What a server said last was on its way when the box stopped: lost, by nobody's doing."""
    path = tmp_path / "far.yaml"
    path.write_text(FAR)
    status, entry, _ = run(tmp_path, str(path))
    assert (status, entry["invalid_because"]) == (0, [])


def test_two_runs_leave_the_first_alone(tmp_path: Path) -> None:
    _, one, _ = run(tmp_path, SCENARIO, "--target", "debian")
    _, two, _ = run(tmp_path, SCENARIO, "--target", "debian")
    assert one["dir"] != two["dir"]
    assert Path(one["dir"]).is_dir()
    assert not [n for n in os.listdir(two["dir"]) if n.startswith(".")]
