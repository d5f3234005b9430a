"""Connections to an address where nobody is, as curl and a socket live through them.

Scenes run in a fresh sandbox (tests/live/stage.py).
"""

from __future__ import annotations

import sys
from typing import Any

import pytest

from tests.live.stage import Ground, Play, assert_clean, wait_for

pytestmark = pytest.mark.live

NOBODY, NOBODY6 = "59.24.3.174", "2001::3b18:3ae"
BODY = "<iframe src='http://10.10.34.36'></iframe>" + "x" * 40_000
RULES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "reset": ({"server.port": [443]}, {"profile": "gfw-forged-address", "chance": 1}),
    "page": ({"server.port": [80]}, {"data": "page", "status": 403, "body": BODY}),
    "nothing": ({"server.port": [9]}, {"data": "nothing"}),
}
#: Send much, more than one window; then close one's own side, and read to the end.
SILENT = f"""
import socket
sock = socket.create_connection(("{NOBODY6}", 9), 5)
sock.sendall(bytes(300_000))
sock.settimeout(0.3)
try:
    print("heard", sock.recv(9))
except TimeoutError:
    print("silence")
sock.settimeout(5)
sock.shutdown(socket.SHUT_WR)
print(sock.recv(9))
"""


def impostors(position: str) -> dict[str, Any]:
    nobody = {"server.address": [NOBODY, NOBODY6]}
    rules = [
        {"id": name, "when": {**nobody, **when}, "then": {"inject": "impostor", **act}}
        for name, (when, act) in RULES.items()
    ]
    return {"position": position, "rules": rules}


def scene(ground: Ground, position: str) -> dict[str, Any]:
    ground.sh("box", f"ip route add {NOBODY}/32 via 24.48.1.2")
    ground.sh("box", f"ip -6 route add {NOBODY6}/128 via 2600:2::2")
    for family in ("ip", "ip -6"):  # nobody is there, and nobody says so
        ground.sh("server", f"{family} route add blackhole {NOBODY6 if '6' in family else NOBODY}")
    rules = impostors(position)
    with ground.server(), ground.ear("server", "s0") as heard, ground.censor(rules) as censor:
        before = ground.run("client", "curl", "-sS", "-m", "1", f"http://{NOBODY}/")[0]
        idle = len(heard())
        censor.ask("active")
        told = ["-v", "--stderr", "-"]
        curl = ["curl", "-sSk", "-m", "5"]
        found = {
            "reset": ground.run("client", *curl, *told, f"https://{NOBODY}/"),
            "page": ground.run("client", *curl, "-w", "%{http_code}", f"http://{NOBODY}/"),
            "nothing": ground.run("client", sys.executable, "-c", SILENT),
            "free": ground.curl("free.example"),
        }
        wait_for(lambda: states(ground) <= {"06"}, "TIME_WAIT everywhere: every FIN, answered,")
        return {**ground.finish(censor, **found), "before": before, "beyond": heard()[idle:]}


def states(ground: Ground) -> set[str]:
    """Return the states of the client's connections with nobody."""
    table = ground.sh("client", "cat /proc/net/tcp /proc/net/tcp6").splitlines()
    hexed = bytes([59, 24, 3, 174])[::-1].hex().upper()
    return {line.split()[3] for line in table if hexed in line}


# --- what pytest runs ------------------------------------------------------------------------


@pytest.mark.parametrize("position", ["in-path", "on-path"])
def test_clients_talk_with_nobody(play: Play, position: str) -> None:
    result = play(scene, position)
    assert_clean(result)
    assert result["before"] == 28  # curl: timeout
    status, said = result["reset"]
    assert status == 35  # curl: the TLS handshake failed
    assert f"Connected to {NOBODY} " in said  # a tool that only connects finds nothing wrong
    assert "reset by peer" in said
    assert result["page"] == [0, BODY + "403"]
    assert result["nothing"] == [0, "silence\nb''\n"]
    assert result["free"] == [0, "genuine\n"]
    strays = [packet for packet in result["beyond"] if bytes([59, 24, 3, 174]).hex() in packet]
    assert (strays == []) is (position == "in-path")
    injected = [event["rule"] for event in result["events"] if event["event"] == "injected"]
    assert injected.count("reset") == 2  # a handshake's half, and a single RST
    assert set(injected) == set(RULES)
