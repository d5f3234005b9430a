"""What the live censor does to packets, as curl and dig see it: rewritten, held, policed, cut.

Scenes run in a fresh sandbox (tests/live/stage.py).
"""

from __future__ import annotations

import subprocess
import sys
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
    wait_for,
)

pytestmark = pytest.mark.live

HOST = {"http.host": {"suffix": ["blocked.example"]}}
NAME = {"dns.name": {"suffix": ["blocked.example"]}}
DATA = ["-o", "/dev/null", "-w", "%{size_download} %{time_total} %{time_connect}"]


#: Ask one port of a host where nobody listens, twice from the same socket: first about a name that
#: is free, then, once told that the port is unreachable, about one that is not.
ASKER = """
import socket, sys, dns.message
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.connect((sys.argv[1], 53))
sock.settimeout(10)
sock.send(dns.message.make_query("free.example", "A").to_wire())
try:
    sock.recv(512)
except ConnectionRefusedError:
    print("refused")
sock.send(dns.message.make_query("www.blocked.example", "A").to_wire())
"""


# --- what runs in the sandbox ----------------------------------------------------------------


def scene_rewrite(ground: Ground) -> dict[str, Any]:
    reset = {"rewrite": "reset", "toward": "client", "for": "75 s"}
    answer = {"rewrite": "dns-answer", "addresses": ["10.10.34.36"]}
    spoilt = {"rewrite": "packet", "bad_checksum": True, "toward": "client"}
    rules = policy((HOST, reset), (NAME, answer), ({"server.port": [8080]}, spoilt))
    with ground.server(), ground.ear("client", "c0") as heard, ground.censor(rules) as censor:
        censor.ask("active")
        found = {
            "blocked": ground.curl("www.blocked.example"),
            "free": ground.curl("free.example"),
            "dns": [ground.dig("www.blocked.example"), ground.dig("free.example")],
            "spoilt": ground.curl("free.example", port=8080),
        }
        return {**ground.finish(censor, **found), "wire": heard()}


def scene_error(ground: Ground) -> dict[str, Any]:
    with ground.censor(policy((NAME, {"drop": "packet"}))) as censor:
        censor.ask("active")
        said = ground.run("client", sys.executable, "-c", ASKER, SERVER)
        ground.logged(censor, "dropped")
        return ground.finish(censor, said=said)


def scene_hold(ground: Ground) -> dict[str, Any]:
    late = {"delay": "300 ms", "toward": "client"}
    shape = {"shape": "2 Mbit/s", "burst": "20 kB", "queue": "2 s", "toward": "client"}
    rules = policy((NAME, late), (HOST, shape))
    timed = ["-o", "/dev/null", "-w", "%{time_total}"]
    with ground.server(), ground.censor(rules) as censor:
        censor.ask("active")
        query = "+noall", "+answer", "+stats"
        found = {
            "late": ground.run("client", "dig", *query, f"@{SERVER}", "a.blocked.example"),
            "soon": ground.run("client", "dig", *query, f"@{SERVER}", "free.example"),
            "slow": ground.curl("blocked.example", *timed, "-m", "20", path="/size/500000"),
            "fast": ground.curl("free.example", *timed, path="/size/500000"),
        }
        return ground.finish(censor, **found)


def scene_withdrawn(ground: Ground) -> dict[str, Any]:
    """What is to be forged later is not, once the policy is over."""
    act = {"inject": "dns-answer", "addresses": ["8.7.198.45"], "latency": "1 s"}
    rules = {**policy((NAME, act), position="on-path"), "latency": "1 ms"}
    with ground.server(), ground.ear("client", "c0") as heard, ground.censor(rules) as censor:
        censor.ask("active")
        said = ground.dig("www.blocked.example")
        idle = censor.ask("idle")
        over = idle["t"] + 1.2  # the time at which it would have left
        wait_for(lambda: censor.ask("stats")["t"] > over, "the end of its time")
        return {**ground.finish(censor, said=said), "wire": heard()}


def scene_idle(ground: Ground) -> dict[str, Any]:
    """What is held when the policy ends goes at once."""
    rules = policy(({"server.port": [53]}, {"delay": "1.5 s", "toward": "client"}))
    with ground.server(), ground.censor(rules) as censor:
        censor.ask("active")
        dig = ground.argv("client", ["dig", "+tries=1", "+time=5", f"@{SERVER}", "x.example"])
        with subprocess.Popen(dig, stdout=subprocess.PIPE, text=True) as asking:
            ground.logged(censor, "held")
            censor.ask("idle")
            said = asking.communicate(timeout=PATIENCE)[0]
        return ground.finish(censor, said=said)


def scene_police(ground: Ground) -> dict[str, Any]:
    police = {"police": "140 kbit/s", "burst": "10 kB"}
    cut = {"cut": {"bytes": "16 KiB"}, "counting": "client"}
    rules = policy((HOST, police), ({"server.port": [8080]}, cut))
    with ground.server(), ground.censor(rules) as censor:
        censor.ask("active")
        found = {
            "slow": ground.curl("blocked.example", *DATA, "-m", "6", path="/size/2000000"),
            "fast": ground.curl("free.example", *DATA, path="/size/2000000"),
            "small": ground.curl("free.example", *DATA, port=8080, path="/size/8000"),
            "cut": ground.curl("free.example", *DATA, port=8080, path="/size/100000"),
        }
        return ground.finish(censor, **found)


def scene_moments(ground: Ground) -> dict[str, Any]:
    """Three injectors at once, and one that comes after the real answer."""
    pool = ["8.7.198.45"]
    three = [{"inject": "dns-answer", "addresses": pool, "profile": f"gfw-dns-{n}"}
             for n in (1, 2, 3)]  # fmt: skip
    after = {"inject": "dns-answer", "addresses": pool, "when": "after"}
    rules = policy((NAME, three), ({"dns.name": {"suffix": ["late.example"]}}, after),
                   position="on-path")  # fmt: skip
    with ground.server(), ground.ear("client", "c0") as heard, ground.censor(rules) as censor:
        censor.ask("active")
        found = {"three": ground.dig("a.blocked.example"), "late": ground.dig("late.example")}
        return {**ground.finish(censor, **found), "wire": heard()}


def scene_unreachable(ground: Ground) -> dict[str, Any]:
    host = {"inject": "icmp-unreachable", "code": "host"}
    rules = policy(({"server.port": [8080]}, host),
                   ({"server.address": [SERVER6]}, {**host, "code": "port"}))  # fmt: skip
    script = f"""
import errno, socket
for family, kind, end in ((2, 1, ("{SERVER}", 8080)), (10, 2, ("{SERVER6}", 53)),
                          (2, 1, ("{SERVER}", 80))):
    sock = socket.socket(family, kind)
    sock.settimeout(5)
    try:
        sock.connect(end)
        if kind == 2:
            sock.send(b"x")
            sock.recv(9)
        print("connected")
    except OSError as error:
        print(errno.errorcode.get(error.errno, error))
"""
    with ground.server(), ground.censor(rules) as censor:
        censor.ask("active")
        said = ground.run("client", sys.executable, "-c", script)[1].split()
        return ground.finish(censor, said=said)


# --- what pytest runs ------------------------------------------------------------------------


def test_packets_are_rewritten_where_they_stand(play: Play) -> None:
    result = play(scene_rewrite)
    assert_clean(result)
    assert result["blocked"][0] == 56  # curl: connection reset
    assert result["free"] == [0, "genuine\n"]
    assert result["dns"] == [["10.10.34.36"], [SERVER]]
    assert result["spoilt"][0] == 28  # wrong checksums: the handshake never ends
    rewritten = [packet for event in said(result, "rewritten") for packet in event["packets"]]
    assert len(rewritten) > 3
    for packet in rewritten:
        assert packet in result["wire"]
    first = bytes.fromhex(rewritten[0])
    assert (len(first) - 20 - 32, first[8], first[33]) == (0, 63, 0x14)  # the server's own TTL


def test_an_error_about_a_flow_does_not_settle_it(play: Play) -> None:
    """The kernel keeps one mark for a connection and the ICMP errors about it."""
    result = play(scene_error)
    assert_clean(result)
    assert result["said"] == [0, "refused\n"]
    names = [event["trigger"]["dns.name"] for event in said(result, "dropped")]
    assert names == ["www.blocked.example"]


@pytest.mark.alone
def test_packets_are_held_and_leave_at_their_time(play: Play) -> None:
    result = play(scene_hold)
    assert_clean(result)
    times = {}
    for name in ("late", "soon"):
        (line,) = (x for x in result[name][1].splitlines() if "Query time" in x)
        times[name] = int(line.split()[3]) / 1000
    assert 0.4 <= times["late"] < 0.52  # 0.1 s are the server's own
    assert times["soon"] < 0.2
    assert result["slow"][0] == 0
    assert 1.7 < float(result["slow"][1]) < 3.0  # half a megabyte at 2 Mbit/s, headers counted
    assert float(result["fast"][1]) < 1
    assert len(said(result, "held")) > 100


def test_what_is_to_be_forged_later_is_not_once_the_policy_is_over(play: Play) -> None:
    result = play(scene_withdrawn)
    assert_clean(result)
    assert result["said"] == [SERVER]
    (injected,), (withdrawn,) = said(result, "injected"), said(result, "withdrawn")
    assert withdrawn["packets"] == injected["packets"]
    assert withdrawn["inside"] is True
    assert not set(withdrawn["packets"]) & set(result["wire"])
    assert result["stopped"]["withdrawn"] == 1
    assert result["stopped"]["sent"] == 0


def test_what_is_held_goes_when_the_policy_ends(play: Play) -> None:
    result = play(scene_idle)
    assert_clean(result)
    assert SERVER in result["said"]
    (line,) = (x for x in result["said"].splitlines() if "Query time" in x)
    assert int(line.split()[3]) < 1400


def test_policers_and_cuts_leave_what_they_let_pass(play: Play) -> None:
    result = play(scene_police)
    assert_clean(result)
    status, text = result["slow"]
    size, seconds, _ = (float(x) for x in text.split())
    assert status == 28  # curl: timeout
    assert 60_000 < size * 8 / seconds < 160_000
    assert result["fast"][0] == result["small"][0] == 0
    assert result["cut"][0] == 28
    assert 8000 < float(result["cut"][1].split()[0]) <= 16384
    assert {event["rule"] for event in said(result, "dropped")} == {"r0", "r1"}


def test_injectors_side_by_side_and_after_the_answer(play: Play) -> None:
    result = play(scene_moments)
    assert_clean(result)
    assert result["three"] == ["8.7.198.45"]
    assert result["late"] == [SERVER]
    forged = [packet for event in said(result, "injected") for packet in event["packets"]]
    assert len(forged) == 4
    assert [packet for packet in result["wire"] if packet in forged] == forged
    real = [packet for packet in result["wire"] if packet not in forged
            and bytes.fromhex(packet)[9:10] == b"\x11" and "046c61746507" in packet]  # fmt: skip
    assert result["wire"].index(real[-1]) < result["wire"].index(forged[3])


def test_unreachable_is_what_clients_are_told(play: Play) -> None:
    result = play(scene_unreachable)
    assert_clean(result)
    assert result["said"] == ["EHOSTUNREACH", "ECONNREFUSED", "connected"]
