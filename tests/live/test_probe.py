"""Real SIP between the probe, Kamailio and sipp, in a network namespace of its own.

Run as a program this file is the inside of that namespace: it starts the servers, waits until they
answer, measures, breaks the network in several ways, measures again, and prints it all as JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from filterbed.baseline import holds
from filterbed.probe.measure import measure
from tests.live.stage import UNSHARE

pytestmark = pytest.mark.live

PROGRAMS = ("kamailio", "sipp", "unshare", "ip", "iptables")
ANSWER = Path(__file__).parents[2] / "topologies" / "services" / "answer.xml"
CONFIG = """#!KAMAILIO
debug=0
log_stderror=yes
children=2
auto_aliases=no
dns=no
listen=udp:127.0.0.1:5060
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
request_route {
  if (is_method("REGISTER")) {
    if ($tU == "banned") { sl_send_reply("403", "Forbidden"); exit; }
    if (!pv_www_authenticate("$fd", "secret", "0")) { auth_challenge("$fd", "1"); exit; }
    save("location");
    exit;
  }
  if (has_totag()) {
    if (loose_route()) { t_relay(); exit; }
    if (is_method("ACK") && t_check_trans()) t_relay();
    exit;
  }
  if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
  if ($rU != "open") {
    if (!pv_proxy_authenticate("$fd", "secret", "0")) { proxy_challenge("$fd", "1"); exit; }
    consume_credentials();
  }
  if ($rU == "busy") { sl_send_reply("486", "Busy Here"); exit; }
  if ($rU == "nobody") { sl_send_reply("404", "Not Found"); exit; }
  if ($rU == "mute") { exit; }
  record_route();
  $du = "sip:127.0.0.1:5070";
  t_relay();
}
"""


def target(callee: str | None = "echo", **more: Any) -> dict[str, Any]:
    one = {"registrar": "127.0.0.1", "user": "alice", "password": "secret", **more}
    if callee is None:
        return {"target": "t", "kind": "sip", **one}
    return {"target": "t", "kind": "call", "callee": callee, "seconds": 1, **one}


#: name: (what is done to the network first, the target)
CASES: dict[str, tuple[str | None, dict[str, Any]]] = {
    "register": (None, target(None)),
    "wrong-password": (None, target(None, password="wrong")),
    "banned": (None, target(None, user="banned")),
    "call": (None, target()),
    "call-unchallenged": (None, target("open")),
    "busy": (None, target("busy")),
    "nobody": (None, target("nobody")),
    "mute": (None, target("mute")),
    "no-media": ("-p udp --sport 30000", target()),
    "half-the-media": (
        "-p udp --sport 30000 -m statistic --mode nth --every 2 --packet 0",
        target(),
    ),
    "no-invite": ("-p udp --dport 5060 -m string --algo bm --string INVITE", target()),
    "no-register": ("-p udp --dport 5060 -m string --algo bm --string REGISTER", target()),
    "closed": ("-p udp --dport 5060 -j REJECT", target()),
}


def inside() -> None:
    """Be the namespace: measure every case and print the lot."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as at, contextlib.ExitStack() as stack:
        started = [subprocess.Popen(argv, **quiet(at)) for argv in servers(Path(at))]
        for process in started:
            stack.callback(process.wait)
            stack.callback(process.kill)
        until_ready(started)
        for name, (rule, one) in CASES.items():
            with broken(rule, at):
                found[name] = measure(one, timeout=1.0)
    print(json.dumps(found))


def quiet(at: str) -> dict[str, Any]:
    return {"cwd": at, "stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": 2}


def servers(at: Path) -> list[list[str]]:
    (at / "kam.cfg").write_text(CONFIG)
    kamailio = ["kamailio", "-DD", "-E", "-m", "32", "-M", "4", "-f", "kam.cfg"]
    kamailio += ["-P", str(at / "pid"), "-Y", str(at), "-w", str(at)]
    sipp = ["sipp", "-sf", str(ANSWER), "-rtp_echo", "-i", "127.0.0.1", "-mi", "127.0.0.1"]
    sipp += ["-key", "here", "127.0.0.1:5070", "-key", "ip", "4", "-key", "audio_ip", "127.0.0.1"]
    return [kamailio, [*sipp, "-mp", "30000", "-p", "5070", "-nostdin"]]


def until_ready(started: list[subprocess.Popen[bytes]]) -> None:
    """Wait until a whole call goes through, or a server has ended."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and all(process.poll() is None for process in started):
        row = measure(target(), timeout=1.0)["sip"]
        if row["call"] and row["call"]["rtp_received"]:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            started[0].wait(0.05)
    raise SystemExit(f"no call: {row}; {[process.poll() for process in started]}")


@contextlib.contextmanager
def broken(rule: str | None, at: str) -> Iterator[None]:
    if rule is None:
        yield
        return
    words = rule.split() if "-j" in rule else [*rule.split(), "-j", "DROP"]
    env = {**os.environ, "XTABLES_LOCKFILE": f"{at}/lock"}
    subprocess.run(["iptables", "-A", "INPUT", *words], check=True, env=env)
    yield
    subprocess.run(["iptables", "-D", "INPUT", *words], check=True, env=env)


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    root = str(Path(__file__).parents[2])
    found = subprocess.run(
        [*UNSHARE, sys.executable, __file__],
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert found.returncode == 0, found.stderr[-3000:]
    rows: dict[str, Any] = json.loads(found.stdout.splitlines()[-1])
    return rows


@pytest.mark.parametrize(
    ("case", "outcome", "code"),
    [
        ("register", "ok", 200),
        ("wrong-password", "rejected", 401),
        ("banned", "rejected", 403),
        ("no-register", "timeout", None),
        ("no-invite", "ok", 200),
    ],
)
def test_register(measured: dict[str, Any], case: str, outcome: str, code: int | None) -> None:
    found = measured[case]["sip"]["register"]
    assert (found["outcome"], found["code"]) == (outcome, code)


@pytest.mark.parametrize(
    ("case", "outcome", "code"),
    [
        ("call", "ok", 200),
        ("call-unchallenged", "ok", 200),
        ("busy", "rejected", 486),
        ("nobody", "rejected", 404),
        ("mute", "timeout", None),
        ("no-invite", "timeout", None),
        ("no-media", "ok", 200),
    ],
)
def test_call(measured: dict[str, Any], case: str, outcome: str, code: int | None) -> None:
    found = measured[case]["sip"]["call"]
    assert (found["outcome"], found["code"]) == (outcome, code)
    assert found["seconds"] < 5


def test_call_is_not_tried_without_a_registration(measured: dict[str, Any]) -> None:
    assert measured["no-register"]["sip"]["call"] is None
    assert measured["closed"]["sip"]["call"] is None
    assert measured["closed"]["sip"]["register"]["outcome"] in ("refused", "unreachable")


def test_media_is_counted_from_what_arrives(measured: dict[str, Any]) -> None:
    whole, none, half = (
        measured[case]["sip"]["call"] for case in ("call", "no-media", "half-the-media")
    )
    assert whole["rtp_sent"] == none["rtp_sent"] == half["rtp_sent"] == 50
    assert whole["rtp_received"] >= 45
    assert none["rtp_received"] == 0
    assert 20 <= half["rtp_received"] <= 30


@pytest.mark.parametrize("case", CASES)
def test_baseline_agrees(measured: dict[str, Any], case: str) -> None:
    problems = holds("answers", measured[case], CASES[case][1], ("127.0.0.1",))
    assert (problems == []) == (case in ("register", "call", "call-unchallenged")), problems


def test_every_socket_is_a_flow(measured: dict[str, Any]) -> None:
    flows = measured["call"]["flows"]
    assert [(flow[0], flow[3], flow[4]) for flow in flows] == [
        ("udp", "127.0.0.1", 5060),
        ("udp", "127.0.0.1", 5060),
        ("udp", "127.0.0.1", 30000),
    ]
    assert len({flow[2] for flow in flows}) == 3


if __name__ == "__main__":
    inside()
