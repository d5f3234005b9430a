"""The live censor between a real client and a real server: what it lets pass, forges and says."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.live.stage import (
    PATIENCE,
    SERVER,
    SERVER6,
    Ground,
    Play,
    assert_clean,
    policy,
    said,
)

pytestmark = pytest.mark.live

POISON = policy(
    (
        {"dns.name": {"suffix": ["blocked.example"]}},
        {"inject": "dns-answer", "addresses": "pool", "ttl": {"random": [30, 255]},
         "ip_id": 0, "df": False},
    ),
    position="on-path", latency="2 ms", pools={"pool": ["8.7.198.45", "2001:db8:7::45"]},
)  # fmt: skip
RESET = policy(
    (
        {"http.host": {"suffix": ["blocked.example"]}},
        {"inject": "reset", "count": 3, "offsets": [0, 1460, 4380], "residual": {"seconds": 3}},
    ),
    position="on-path",
    latency="2 ms",
)


# --- what runs in the sandbox ---------------------------------------------------------------


def scene_poison(ground: Ground) -> dict[str, Any]:
    with ground.server(), ground.censor(POISON) as censor:
        before = ground.dig("www.blocked.example")
        active = censor.ask("active")
        found = {
            "blocked": [ground.dig("wWw.bLocked.example") for _ in range(5)],
            "free": ground.dig("www.free.example"),
            "six": ground.dig("www.blocked.example", "AAAA", at=SERVER6),
            "mail": ground.dig("www.blocked.example", "MX"),
        }
        idle = censor.ask("idle")
        after = ground.dig("www.blocked.example")
        return ground.finish(censor, before=before, after=after, active=active, idle=idle, **found)


def scene_reset(ground: Ground) -> dict[str, Any]:
    with ground.server(), ground.censor(RESET) as censor:
        before = ground.curl("www.blocked.example")
        censor.ask("active")
        found = {
            "free": ground.curl("free.example"),
            "blocked": ground.curl("www.blocked.example"),
            "residual": ground.curl("free.example"),
            "elsewhere": ground.curl("free.example", port=8080),
        }
        ground.logged(censor, "forgotten")
        found["after"] = ground.curl("free.example")
        return ground.finish(censor, before=before, **found)


def scene_wire(ground: Ground) -> dict[str, Any]:
    """What the client sees on its wire of what was forged for it."""
    (poison,), (reset,) = POISON["rules"], RESET["rules"]
    both = {**POISON, "rules": [poison, {**reset, "id": "r1"}]}
    with ground.server(), ground.ear("client", "c0") as heard, ground.censor(both) as censor:
        censor.ask("active")
        ground.dig("www.blocked.example")
        ground.dig("www.blocked.example", "AAAA", at=SERVER6)
        ground.curl("blocked.example")
        return {**ground.finish(censor), "wire": heard()}


def scene_overflow(ground: Ground) -> dict[str, Any]:
    """More packets than the queue holds, while the censor sleeps."""
    flood = f"""
import socket
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for n in range(9000):
    sock.sendto(b"x", ("{SERVER}", 9))
"""
    with ground.server(), ground.censor(RESET, "--no-offload") as censor:
        censor.ask("active")
        censor.child.send_signal(signal.SIGSTOP)
        ground.run("client", sys.executable, "-c", flood)
        censor.child.send_signal(signal.SIGCONT)
        stats = censor.ask("stats")
        return ground.finish(censor, stats=stats)


def scene_page(ground: Ground) -> dict[str, Any]:
    page = {"inject": "block-page", "status": 403, "body": "forbidden\n" * 300}
    away = {"inject": "block-page", "status": 302, "location": "http://warning.example/"}
    rules = policy(
        ({"http.host": {"suffix": ["blocked.example"]}}, page),
        ({"http.host": {"suffix": ["moved.example"]}}, {**away, "then": "reset"}),
    )
    code = ["-w", "%{http_code} %{redirect_url}"]
    with ground.server(), ground.censor(rules) as censor:
        censor.ask("active")
        found = {
            "free": ground.curl("free.example", *code),
            "blocked": ground.curl("blocked.example", *code),
            "moved": ground.curl("moved.example", *code),
        }
        hosts = Path(ground.folder, "hosts").read_text().split()
        return ground.finish(censor, hosts=hosts, **found)


def scene_drop(ground: Ground) -> dict[str, Any]:
    rules = {
        "position": "in-path",
        "rules": [
            {"id": "six", "when": {"server.address": [SERVER6]}, "then": {"drop": "packet"}},
            {"id": "port", "when": {"server.port": [8080]},
             "then": {"drop": "packet", "toward": "client"}},
            {"id": "query", "when": {"dns.name": {"exact": ["gone.example"]}},
             "then": {"drop": "packet"}},
            {"id": "host", "when": {"http.host": {"exact": ["blocked.example"]}},
             "then": {"drop": "flow"}},
            {"id": "friends", "when": {"http.host": {"exact": ["blocked.example"]},
             "client.address": ["24.48.0.0/16"], "server.port": [81]}, "then": {"allow": True}},
        ],
    }  # fmt: skip
    with ground.server(), ground.censor(rules) as censor:
        censor.ask("active")
        found = {
            "six": ground.dig("www.free.example", at=SERVER6),
            "four": ground.dig("www.free.example"),
            "gone": ground.dig("gone.example"),
            "port": ground.curl("free.example", port=8080),
            "host": ground.curl("blocked.example"),
            "free": ground.curl("free.example"),
        }
        return ground.finish(censor, **found)


def scene_killed(ground: Ground) -> dict[str, Any]:
    with ground.server(), ground.censor(RESET) as censor:
        censor.ask("active")
        alive = ground.curl("free.example")
        censor.child.kill()
        censor.child.wait(PATIENCE)
        return {"alive": alive, "dead": ground.curl("free.example")}


def scene_broken(ground: Ground) -> dict[str, Any]:
    """A censor that fails on a packet lets none pass, and says so."""
    with ground.server(), ground.censor(RESET, "--outside", "lo") as censor:
        fetched = ground.curl("free.example")
        status = censor.child.wait(PATIENCE)
        lines = [json.loads(line) for line in (ground.folder / "events.jsonl").open()]
        return {"fetched": fetched, "status": status, "lines": lines}


def scene_first(ground: Ground) -> dict[str, Any]:
    """Forge toward a server that has said nothing yet, over both versions of IP."""
    act = {"inject": "reset", "toward": "server", "ip_id": 0, "df": False}
    shut = policy(({"server.port": [9]}, act), position="on-path")
    script = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], 9), timeout=5)
except ConnectionRefusedError:
    print("refused")
"""
    with ground.ear("server", "s0") as heard, ground.censor(shut) as censor:
        censor.ask("active")
        answers = [ground.run("client", sys.executable, "-c", script, to)
                   for to in (SERVER, SERVER6)]  # fmt: skip
        return ground.finish(censor, answers=answers, wire=heard())


# --- what pytest runs -----------------------------------------------------------------------


def acts(result: Mapping[str, Any]) -> list[str]:
    words = ("matched", "injected", "dropped", "residual", "forgotten")
    return [event["event"] for event in result["events"] if event["event"] in words]


def test_poisons_and_only_while_active(play: Play) -> None:
    result = play(scene_poison)
    assert_clean(result)
    assert result["before"] == result["after"] == [SERVER]
    assert result["blocked"] == [["8.7.198.45"]] * 5
    assert result["free"] == [SERVER]
    assert result["six"] == ["2001:db8:7::45"]
    assert result["mail"] == []
    assert acts(result) == ["matched", "injected"] * 7
    assert result["stopped"]["late"]["count"] == 7  # how late is what the bench measures


def test_resets_and_remembers(play: Play) -> None:
    result = play(scene_reset)
    assert_clean(result)
    for name in ("before", "free", "elsewhere", "after"):
        assert result[name] == [0, "genuine\n"], name
    assert result["blocked"][0] == 56  # curl: connection reset
    assert result["residual"][0] == 56
    assert acts(result)[:4] == ["matched", "injected", "injected", "residual"]
    hit = [event for event in result["events"] if event.get("residual")]
    assert hit[0]["trigger"] == {"http.host": "free.example"}
    assert acts(result)[-1] == "forgotten"


def test_forgeries_arrive_as_the_log_says(play: Play) -> None:
    result = play(scene_wire)
    assert_clean(result)
    forged = [
        packet
        for event in result["events"]
        if event["event"] == "injected" and event["toward"] == "client"
        for packet in event["packets"]
    ]
    assert len(forged) == 2 + 3
    assert forged[0][8:16] == "00000000"[:8]  # identification 0, no flags: as the policy says
    assert [packet for packet in result["wire"] if packet in forged] == forged


def test_lost_packets_are_said(play: Play) -> None:
    result = play(scene_overflow)
    lost = result["stats"]["queue_dropped"] + result["stats"]["user_dropped"]
    assert lost > 0
    assert result["stopped"]["n"] < 9000
    events = [event for event in result["events"] if event["event"] == "overflowed"]
    assert events[-1]["queue_dropped"] + events[-1]["user_dropped"] == lost
    assert result["replay"][0] == 0  # what reached the engine is still the same


def test_block_pages_stand_for_the_answer(play: Play) -> None:
    result = play(scene_page)
    assert_clean(result)
    assert result["free"] == [0, "genuine\n200 "]
    assert result["blocked"] == [0, "forbidden\n" * 300 + "403 "]
    assert result["moved"] == [0, "302 http://warning.example/"]
    assert result["hosts"] == ["free.example"]


def test_drops_what_the_policy_says(play: Play) -> None:
    result = play(scene_drop)
    assert_clean(result)
    assert result["four"] == [SERVER]
    assert result["six"] == result["gone"] == []
    assert result["port"][0] == 28  # curl: timeout
    assert result["host"][0] == 28
    assert result["free"] == [0, "genuine\n"]
    dropped = {e["rule"]: e["toward"] for e in result["events"] if e["event"] == "dropped"}
    assert dropped["port"] == "client"
    assert set(dropped) == {"six", "port", "query", "host"}


def test_a_dead_censor_stops_traffic(play: Play) -> None:
    result = play(scene_killed)
    assert result["alive"] == [0, "genuine\n"]
    assert result["dead"][0] == 28


def test_a_censor_that_fails_stops_traffic_and_says_why(play: Play) -> None:
    result = play(scene_broken)
    assert result["fetched"][0] == 28
    assert result["status"] == 1
    assert [line["event"] for line in result["lines"]] == ["started", "policy", "failed", "stopped"]
    assert "came in on b1" in result["lines"][2]["error"]


def test_the_first_packet_toward_a_server_is_forged_to_the_byte(play: Play) -> None:
    result = play(scene_first)
    assert_clean(result)
    assert result["answers"] == [[0, "refused\n"]] * 2
    forged = [one for event in said(result, "injected") for one in event["packets"]]
    assert [packet[0] for packet in forged] == ["4", "6"]
    assert forged[0][8:16] == "00000000"  # identification and DF
    assert [packet for packet in result["wire"] if packet in forged] == forged
