"""Proxies and portals on access networks: what they do, and who takes them for a censor."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.live
PROJECT = Path(__file__).parents[2]
SCENARIO = """
scenario: test/access
title: A proxy, a portal, and a box behind both
period: 2020
story: Whose doing is it?
topology: {use: line, delay: 10 ms}
vantages:
  home: {nat: cone, proxy: true}
  hotel: {nat: symmetric, portal: {voucher: tea}}
  cafe: {nat: cone, portal: {status: 511, dns: answers}}
services:
  check: {kind: web, names: [connectivitycheck.gstatic.com], status: 204}
  news: {kind: web, names: [news.example.net]}
  closed: {kind: web, names: [closed.example.net], manner: refused}
  bad: {kind: web, names: [bad.example.net]}
targets:
  news: {kind: web, url: "http://news.example.net/", baseline: {hotel: portal, cafe: portal}}
  closed:
    kind: web
    url: "http://closed.example.net/"
    baseline: {home: {status: 503}, hotel: portal, cafe: portal, else: refused}
  bad: {kind: web, url: "http://bad.example.net/", baseline: {hotel: portal, cafe: portal}}
  worse: {kind: dns, name: worse.example.net, baseline: {cafe: portal, else: dead-name}}
  name: {kind: dns, name: bad.example.net, qtype: A, baseline: {cafe: portal, else: answers}}
censors:
  box:
    at: censor
    position: in-path
    rules:
      - id: bad
        when: {http.host: {suffix: [bad.example.net]}}
        then: {drop: flow}
        fidelity: modelled
      - id: worse
        when: {dns.name: {exact: [worse.example.net]}}
        then: {drop: packet}
        fidelity: modelled
truth:
  - {target: news, from: home, verdict: ok}
  - {target: [news, closed, bad], from: [hotel, cafe], verdict: down}
  - {target: closed, from: home, verdict: down}
  - {target: bad, from: home, verdict: blocked, mechanisms: [http.timeout], locus: network}
  - target: worse
    from: [home, hotel]
    verdict: blocked
    mechanisms: [dns.timeout]
    locus: network
  - {target: [worse, name], from: cafe, verdict: down}
  - {target: name, from: [home, hotel], verdict: ok}
"""
#: Calls blocked whatever differs from the control, as a tool does that knows of no access networks.
NAIVE = """
import http.client, json, os, urllib.error, urllib.request

class Still(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None

def here(url):
    try:
        return urllib.request.build_opener(Still).open(url, timeout=3).status
    except urllib.error.HTTPError as error:
        return error.code
    except (OSError, http.client.HTTPException):
        return None

def there(target):
    control = http.client.HTTPConnection(os.environ["FILTERBED_CONTROL"], timeout=9)
    control.request("POST", "/measure", json.dumps(target))
    rows = json.loads(control.getresponse().read())["http"]
    return rows[0]["status"] if rows else None

for target in json.load(open(os.environ["FILTERBED_TARGETS"])):
    if target["kind"] == "web":
        same = here(target["url"]) == there(target)
        verdict = {"verdict": "ok"} if same else {"verdict": "blocked", "locus": "network"}
        print(json.dumps({"target": target["target"], **verdict}), flush=True)
"""


def filterbed(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "filterbed", *words],
        capture_output=True,
        text=True,
        timeout=180,
        cwd=PROJECT,
    )


@pytest.fixture
def scenario(tmp_path: Path) -> str:
    path = tmp_path / "access.yaml"
    path.write_text(SCENARIO)
    return str(path)


def test_webcheck_tells_a_box_from_what_stands_before_it(scenario: str, tmp_path: Path) -> None:
    done = filterbed("run", scenario, "--out", str(tmp_path / "runs"), "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = json.loads(done.stdout)["runs"]
    assert run["valid"]
    (log,) = Path(run["dir"]).glob("logs/proxy-*.log")
    assert "bad.example.net" in log.read_text()


def test_a_naive_reading_calls_what_nobody_filters_blocked(scenario: str, tmp_path: Path) -> None:
    """What runs is valid, so the testbed vouches for it; the tool's claims are false."""
    tool = tmp_path / "naive.py"
    tool.write_text(NAIVE)
    out = tmp_path / "runs"
    words = ("--out", str(out), "--name", "naive", "--", sys.executable, str(tool))
    done = filterbed("run", scenario, "--vantage", "home", "--vantage", "hotel", *words)
    assert done.returncode == 1, done.stdout + done.stderr
    score: Any = json.loads((out / "test/access/score.json").read_text())
    wrong = {
        (row["vantage"], row["target"])
        for row in score["rows"]
        if row["observed"]["verdict"] == "blocked" != row["expected"]["verdict"]
    }
    assert wrong == {("home", "closed"), ("hotel", "news"), ("hotel", "closed"), ("hotel", "bad")}
    assert score["summary"]["naive"]["false_positive"] == 4


def test_the_proxy_says_that_it_is_there_and_opens_what_is_closed(scenario: str) -> None:
    ask = "curl -si http://{}.example.net/ | tr -d '\\r' | grep -iE '^(HTTP|Via|Server)'"
    both = "; ".join(ask.format(name) for name in ("news", "closed"))
    done = filterbed("exec", scenario, "--at", "home", "--idle", "--", "sh", "-c", both)
    lines = done.stdout.splitlines()
    assert lines[0] == "HTTP/1.1 200 OK", done.stdout + done.stderr
    assert "Server: nginx" in lines
    assert any(line.startswith("HTTP/1.1 503") for line in lines)
    assert sum(line.startswith("Via: ") and "gw1 (squid" in line for line in lines) == 2


LOGIN = """
ask() { curl -s -m 3 -o /dev/null -w '%{http_code} ' "$1" || true; }
ask http://news.example.net/
ask https://news.example.net/
ask "http://192.168.2.1/login?voucher=coffee"
ask http://news.example.net/
ask "http://192.168.2.1/login?voucher=tea"
ask http://news.example.net/
ask https://news.example.net/
"""


def test_who_has_logged_in_is_let_through(scenario: str) -> None:
    done = filterbed("exec", scenario, "--at", "hotel", "--idle", "--", "sh", "-c", LOGIN)
    assert done.stdout.split() == ["302", "000", "403", "302", "200", "200", "200"], done.stderr


def test_a_tool_that_logs_in_leaves_nothing_to_the_next_pass(scenario: str, tmp_path: Path) -> None:
    login = ("curl", "-s", "-o", "/dev/null", "http://192.168.2.1/login?voucher=tea")
    words = ("--out", str(tmp_path / "runs"), "--vantage", "hotel", "--json", "--", *login)
    done = filterbed("run", scenario, *words)
    (run,) = json.loads(done.stdout)["runs"]
    assert run["valid"], run["invalid_because"]
    assert "logged in" in (Path(run["dir"]) / "logs/gw2-portal.log").read_text()
