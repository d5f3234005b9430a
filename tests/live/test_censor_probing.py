"""A server that is probed back, and then gone for every client: the prober is the live censor.

The scene runs in a fresh sandbox (tests/live/stage.py).
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.live.stage import CLIENT, ROOT, SERVER, Ground, Play, assert_clean, line

pytestmark = pytest.mark.live

PROBER, OTHER = "24.48.0.77", "24.48.0.3"
#: What one client says first, and the server repeats whoever says it.
SECRET = bytes((7 * n * n + 131 * n + 200) % 256 for n in range(400))
#: Repeats whatever it hears, and writes down from whom it was.
ECHO = f"""
import socket, sys, threading
def serve(sock, peer):
    said = sock.recv(4096)
    print(peer[0], said.hex(), flush=True)
    sock.sendall(said)
    try:
        sock.recv(1)
        print(peer[0], "closed", flush=True)
    except ConnectionResetError:
        print(peer[0], "reset", flush=True)
listener = socket.create_server(("{SERVER}", 8388))
print("up", flush=True)
while True:
    threading.Thread(target=serve, args=listener.accept(), daemon=True).start()
"""
#: Says something from an address of its own; prints what it hears, or why not.
SPEAKER = f"""
import socket, sys
try:
    sock = socket.create_connection(("{SERVER}", 8388), 1.5, (sys.argv[1], 0))
    sock.sendall(bytes.fromhex(sys.argv[2]))
    print(sock.recv(4096).hex())
except OSError as fault:
    print(type(fault).__name__)
"""
POLICY = {
    "position": "in-path",
    "rules": [
        {
            "id": "probe",
            "when": {"first.fully_encrypted": True},
            "then": {
                "inject": "probe",
                "from": [PROBER],
                "residual": {
                    "key": "server",
                    "seconds": "12 h",
                    "on": "any",
                    "then": {"drop": "packet"},
                },
            },
        }
    ],
}


def scene(ground: Ground) -> dict[str, Any]:
    ground.sh("client", f"ip addr add {OTHER}/24 dev c0")

    def speak(address: str, text: bytes) -> str:
        return ground.run("client", sys.executable, "-c", SPEAKER, address, text.hex())[1].strip()

    with (
        ground.server(),
        ground.serving("server", sys.executable, "-c", ECHO) as echo,
        ground.censor(POLICY) as censor,
    ):
        censor.ask("active")
        found: dict[str, Any] = {"plain": speak(CLIENT, b"hello there")}
        found["first"] = speak(CLIENT, SECRET)
        heard: list[str] = []
        while f"{PROBER} reset" not in heard:  # the prober has broken off
            heard.append(line(echo))
        ground.logged(censor, "residual")
        found |= {"again": speak(CLIENT, SECRET), "other": speak(OTHER, b"hello there")}
        found |= {"web": ground.curl("free.example"), "heard": heard}
        return ground.finish(censor, **found)


# --- what pytest runs ------------------------------------------------------------------------


def test_a_server_hears_the_replay_and_is_gone(play: Play) -> None:
    result = play(scene)
    assert_clean(result)  # among it: the recording of the door says the same
    assert result["plain"] == b"hello there".hex()
    assert result["first"] == SECRET.hex()  # the first connection works
    replays = [line for line in result["heard"] if line.startswith(PROBER)]
    assert replays == [f"{PROBER} {SECRET.hex()}", f"{PROBER} reset"]
    assert (result["again"], result["other"]) == ("TimeoutError", "TimeoutError")
    assert result["web"] == [0, "genuine\n"]
    (probed,) = (event for event in result["events"] if event["event"] == "probed")
    assert (probed["outcome"], probed["flow"]["client"]) == ("answered", PROBER)
    first, *_ = (event for event in result["events"] if event["event"] == "injected")
    # 0.28 s after the packet came; the log says when it was decided, which may be a little later.
    assert probed["t"] - first["t"] > 0.2


#: The server that is reset is asked again, in the name of a client whom no answer reaches.
SCENARIO = """
scenario: probed
title: A server is probed back
period: "2020"
tags: [tls]
story: What the box sends and drops for a probe of its own is accounted for.
sources: [{title: x, url: "https://gfw.report/publications/imc20/en/", year: 2020}]
topology: {use: line, delay: 20 ms}
vantages: {client: {}}
services:
  one: {kind: web, names: [www.one.example], addresses: [142.250.72.142]}
  two: {kind: web, names: [www.two.example], addresses: [157.240.22.35]}
targets:
  one: {kind: web, url: "https://www.one.example/"}
  two: {kind: web, url: "https://www.two.example/"}
censors:
  gfw:
    at: censor
    position: in-path
    rules:
      - id: probe
        targets: [one]
        when: {tls.sni: {suffix: [one.example]}}
        then:
          - {inject: reset, toward: client}
          - {inject: probe, after: 20 ms, from: [202.106.45.2]}
        fidelity: modelled
        source: 0
truth:
  - {target: one, verdict: blocked, mechanisms: [tls.reset.sni], locus: network}
  - {target: two, verdict: ok}
"""


def test_a_run_accounts_for_what_the_prober_sends(tmp_path: Path) -> None:
    path = tmp_path / "probed.yaml"
    path.write_text(SCENARIO)
    command = [sys.executable, "-P", "-m", "filterbed", "run", str(path), "--out", str(tmp_path)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT
    )
    found = json.loads((tmp_path / "probed" / "run.json").read_text())
    assert found["invalid_because"] == []
    assert done.returncode == 0, done.stdout
    lines = (tmp_path / "probed" / "events.jsonl").read_text().splitlines()
    probed = [event for event in map(json.loads, lines) if event["event"] == "probed"]
    assert {event["outcome"] for event in probed} == {"answered"}
