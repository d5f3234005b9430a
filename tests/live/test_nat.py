"""Gateways that translate: what a real kernel makes of ports, and whom the judge blames."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from filterbed.header import text
from filterbed.translation import read

pytestmark = pytest.mark.live

PROJECT = Path(__file__).parents[2]
SCENARIO = """
scenario: test/translated
title: Clients behind gateways
period: 2020
story: Whose packet is it?
topology: {use: line, delay: 2 ms}
vantages: {home: {nat: cone}, dorm: {nat: symmetric}, plain: {}}
services:
  helper: {kind: turn, names: [stun.example.net], addresses: [88.198.0.90, 88.198.0.91]}
  news: {kind: web, names: [news.example.net]}
  bad: {kind: web, names: [bad.example.net]}
targets:
  news: {kind: web, url: "http://news.example.net/"}
  bad: {kind: web, url: "http://bad.example.net/"}
  dorms: {kind: dns, name: dorms.example.net, baseline: dead-name}
censors:
  box:
    at: censor
    position: in-path
    rules:
      - id: bad
        when: {http.host: {suffix: [bad.example.net]}}
        then: {inject: reset, toward: both}
        fidelity: modelled
      - id: dorms
        when: {dns.name: {exact: [dorms.example.net]}, client.address: [dorm]}
        then: {drop: packet}
        fidelity: modelled
truth:
  - {target: news, verdict: ok}
  - {target: bad, verdict: blocked, mechanisms: [http.reset.host], locus: network}
  - {target: dorms, from: [home, plain], verdict: down}
  - {target: dorms, from: dorm, verdict: blocked, mechanisms: [dns.timeout], locus: network}
"""


def filterbed(
    tmp_path: Path, *words: str, text: str = SCENARIO
) -> subprocess.CompletedProcess[str]:
    path = tmp_path / "translated.yaml"
    path.write_text(text)
    return subprocess.run(
        [sys.executable, "-P", "-m", "filterbed", words[0], str(path), *words[1:]],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_what_happens_to_translated_flows_is_put_down_to_their_vantages(tmp_path: Path) -> None:
    done = filterbed(tmp_path, "run", "--out", str(tmp_path / "runs"), "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = json.loads(done.stdout)["runs"]
    made = {}
    for gateway in ("gw1", "gw2"):
        log = Path(run["dir"]) / "logs" / f"nat-{gateway}.log"
        made[gateway] = read(log.read_text().splitlines())
    assert all(len(flows) > 10 for flows in made.values())
    kept = {name: [_kept(*pair) for pair in flows.items()] for name, flows in made.items()}
    assert all(kept["gw1"])
    assert sum(kept["gw2"]) < len(kept["gw2"]) / 4


_OWN = "{home: {nat: cone}, dorm: {nat: symmetric}, plain: {}}"
_SHARED = "{dorm: &cgn {nat: symmetric, gateway: cgn}, room: *cgn, home: {nat: cone}}"
SHARED = SCENARIO.replace(_OWN, _SHARED).replace("[home, plain]", "[home]")
SHARED = SHARED.replace("from: dorm", "from: [dorm, room]")


def test_a_gateway_that_several_share_hides_them_behind_one_address(tmp_path: Path) -> None:
    """A rule against one of them hits both: nobody outside can tell them apart."""
    done = filterbed(tmp_path, "run", "--out", str(tmp_path / "runs"), "--json", text=SHARED)
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = json.loads(done.stdout)["runs"]
    log = Path(run["dir"]) / "logs" / "nat-cgn.log"
    flows = read(log.read_text().splitlines())
    inner = {text(address) for flow in flows for address, _ in flow[1:]}
    outer = {text(address) for seen in flows.values() for flow in seen for address, _ in flow[1:]}
    assert {address for address in inner if address.startswith("192.168.")} == {
        "192.168.1.2",
        "192.168.2.2",
    }
    assert len(outer - inner) == 1


def _kept(inner: tuple, seen: tuple) -> bool:  # type: ignore[type-arg]
    """Whether a flow kept its client's port."""
    client = next(port for address, port in inner[1:] if text(address).startswith("192.168."))
    return all(client in (flow[1][1], flow[2][1]) for flow in seen)


#: Asks several servers from one socket.
CLIENT = """
import json, socket, sys
ask = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
ask.bind(("0.0.0.0", 4000))
ask.settimeout(1.0)
seen = []
for server in sys.argv[1:]:
    ask.sendto(b"\\x12\\x34\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\4dorm\\0\\0\\1\\0\\1", (server, 53))
    seen.append(bool(ask.recv(512)))
print(json.dumps(seen))
"""


@pytest.mark.parametrize("host", ["home", "dorm"])
def test_a_client_reaches_servers_over_both_versions(tmp_path: Path, host: str) -> None:
    done = filterbed(
        tmp_path, "exec", "--at", host, "--idle", "--", sys.executable, "-c", CLIENT, "8.8.8.8",
        "198.41.0.4",
    )  # fmt: skip
    assert (done.returncode, done.stdout.strip()) == (0, "[true, true]"), done.stderr
    six = ["dig", "+short", "@2001:4860:4860::8888", "news.example.net"]
    done = filterbed(tmp_path, "exec", "--at", host, "--idle", "--", *six)
    assert (done.returncode, bool(done.stdout.strip())) == (0, True), done.stderr


@pytest.mark.parametrize(
    ("host", "mapping", "filtering"),
    [
        ("home", "Endpoint Independent", "Address and Port Dependent"),
        ("dorm", "Address and Port Dependent", "Address and Port Dependent"),
        ("plain", "Endpoint Independent", "Endpoint Independent"),
    ],
)
def test_a_stun_client_finds_what_is_declared(
    tmp_path: Path, host: str, mapping: str, filtering: str
) -> None:
    """coturn's own client, by the tests of RFC 5780."""
    ask = ["turnutils_natdiscovery", "-m", "-f", "88.198.0.90"]
    done = filterbed(tmp_path, "exec", "--at", host, "--idle", "--", *ask)
    found = (f"{mapping} Mapping!" in done.stdout, f"{filtering} Filtering!" in done.stdout)
    assert found == (True, True), done.stdout + done.stderr


CALLS = [
    f"voip/{name}"
    for name in ("stun-lost", "relay-lost", "translated", "licensed-relays", "telephones")
]


def test_calls_from_behind_gateways_are_judged_rightly_where_the_box_is_idle(
    tmp_path: Path,
) -> None:
    """Mostly waiting, so two at once. With active boxes: tests/live/test_library.py."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "filterbed", "run", *CALLS, "--idle", "--json", "--jobs", "2",
         "--out", str(tmp_path)],
        cwd=PROJECT, env={**os.environ, "PYTHONPATH": str(PROJECT)}, capture_output=True,
        text=True, timeout=400, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    runs = json.loads(done.stdout)["runs"]
    run = next(one for one in runs if one["scenario"] == "voip/translated")
    assert _ways(Path(run["dir"])) == {
        ("home", "helped"): "stun",
        ("dorm", "helped"): "turn",
        ("plain", "helped"): "direct",
        ("home", "unanswered"): "direct",
        ("home", "relayed"): "turn",
    }


def _ways(run: Path) -> dict[tuple[str, str], str]:
    """How some calls of the control pass went, in which no media was lost."""
    wanted = {("home", "helped"), ("dorm", "helped"), ("plain", "helped"), ("home", "unanswered")}
    wanted.add(("home", "relayed"))
    found = {}
    for line in (run / "control-before.jsonl").read_text().splitlines():
        one = json.loads(line)
        if (one["vantage"], one["target"]) in wanted:
            found[one["vantage"], one["target"]] = one["sip"]["call"]["path"]["how"]
    return found


SIX = """
scenario: test/six
title: A relay over the newer version
period: 2020
story: Does it relay?
topology: {use: line, delay: 2 ms}
vantages: {dorm: {nat: symmetric}}
services:
  phone: {kind: sip, names: [six.phone.net], addresses: ["2a01:4f8::10"]}
  relay: {kind: turn, names: [turn.phone.net], addresses: ["2a01:4f8::20", "2a01:4f8::21"]}
  news: {kind: web, names: [news.phone.net]}
targets: {news: {kind: web, url: "http://news.phone.net/"}}
truth: [{target: news, verdict: ok}]
"""


def test_a_relay_over_version_6_and_what_nobody_translates_there(tmp_path: Path) -> None:
    path = tmp_path / "six.yaml"
    path.write_text(SIX)
    call = {"kind": "call", "registrar": "six.phone.net", "callee": "echo", "seconds": 1}
    call |= {"user": "alice", "password": "wonderland", "families": [6]}
    relay = {"turn": "turn.phone.net", "turn_user": "alice", "turn_password": "wonderland"}
    targets = [
        {**call, **relay, "target": "relayed"},
        {**call, "target": "mapped", "stun": "turn.phone.net"},
    ]
    measure = [sys.executable, "-P", "-m", "filterbed.probe.measure"]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "filterbed", "exec", str(path), "--at", "dorm", "--idle", "--",
         *measure],
        input="\n".join(map(json.dumps, targets)), cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT)}, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = {one["target"]: one["sip"]["call"] for one in map(json.loads, done.stdout.splitlines())}
    assert {name: row["path"]["how"] for name, row in rows.items()} == {
        "relayed": "turn",
        "mapped": "direct",
    }
    for row in rows.values():
        assert [(way["lost"], way["received"] > 0) for way in row["media"].values()] == [
            (0, True),
            (0, True),
        ]
