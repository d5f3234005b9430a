"""Connections to an address where nobody is, as curl and a socket live through them.

Scenes run in a fresh sandbox, on the ground of `test_censor_queue.py`; this file is the program.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.live


def _sibling() -> Any:
    """Load the file that knows how to lay the ground."""
    path = Path(__file__).with_name("test_censor_queue.py")
    spec = importlib.util.spec_from_file_location("censor_scenes", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


scenes = _sibling()
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


def policy(position: str) -> dict[str, Any]:
    nobody = {"server.address": [NOBODY, NOBODY6]}
    rules = [
        {"id": name, "when": {**nobody, **when}, "then": {"inject": "impostor", **act}}
        for name, (when, act) in RULES.items()
    ]
    return {"position": position, "rules": rules}


def scene(ground: Any, position: str) -> dict[str, Any]:
    ground.sh("box", f"ip route add {NOBODY}/32 via 24.48.1.2")
    ground.sh("box", f"ip -6 route add {NOBODY6}/128 via 2600:2::2")
    for family in ("ip", "ip -6"):  # nobody is there, and nobody says so
        ground.sh("server", f"{family} route add blackhole {NOBODY6 if '6' in family else NOBODY}")
    with (
        ground.server(),
        ground.program("server", sys.executable, scenes.__file__, "listen", "s0") as ear,
        ground.censor(policy(position)) as censor,
    ):
        assert ear.stdout.readline() == "up\n"
        before = ground.run("client", "curl", "-sS", "-m", "1", f"http://{NOBODY}/")[0]
        idle = len((ground.folder / "wire").read_text().split())
        censor.ask("active")
        told = ["-v", "--stderr", "-"]
        curl = ["curl", "-sSk", "-m", "5"]
        found = {
            "reset": ground.run("client", *curl, *told, f"https://{NOBODY}/"),
            "page": ground.run("client", *curl, "-w", "%{http_code}", f"http://{NOBODY}/"),
            "nothing": ground.run("client", sys.executable, "-c", SILENT),
            "free": ground.curl("free.example"),
            "left": ground.sh("client", "cat /proc/net/tcp /proc/net/tcp6"),
        }
        found = ground.finish(censor, **found)
        wire = (ground.folder / "wire").read_text().split()[idle:]
        return {**found, "before": before, "beyond": wire}


def main() -> None:
    result = scene(scenes.Ground(), sys.argv[1])
    Path(os.environ["STAGE"], "result.json").write_text(json.dumps(result))


# --- what pytest runs ------------------------------------------------------------------------


@pytest.mark.parametrize("position", ["in-path", "on-path"])
def test_clients_talk_with_nobody(tmp_path: Path, position: str) -> None:
    done = subprocess.run(
        [*scenes.UNSHARE, sys.executable, __file__, position],
        env={**os.environ, "STAGE": str(tmp_path), "PYTHONPATH": str(scenes.ROOT)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "result.json").read_text())
    scenes.assert_clean(result)
    assert result["before"] == 28  # curl: timeout
    status, said = result["reset"]
    assert status == 35  # curl: the TLS handshake failed
    assert f"Connected to {NOBODY} " in said  # a tool that only connects finds nothing wrong
    assert "reset by peer" in said
    assert result["page"] == [0, BODY + "403"]
    assert result["nothing"] == [0, "silence\nb''\n"]
    assert result["free"] == [0, "genuine\n"]
    states = {line.split()[3] for line in result["left"].splitlines() if NOBODY_HEX in line}
    assert states <= {"06"}, result["left"]  # TIME_WAIT: every FIN was answered
    strays = [packet for packet in result["beyond"] if bytes([59, 24, 3, 174]).hex() in packet]
    assert (strays == []) is (position == "in-path")
    injected = [event["rule"] for event in result["events"] if event["event"] == "injected"]
    assert injected.count("reset") == 2  # a handshake's half, and a single RST
    assert set(injected) == set(RULES)


#: As /proc/net/tcp writes the address.
NOBODY_HEX = bytes([59, 24, 3, 174])[::-1].hex().upper()


if __name__ == "__main__":
    main()
