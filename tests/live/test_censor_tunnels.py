"""What the live censor does to tunnels, as their own programs meet it: OpenSSH and OpenVPN.

Scenes run in a fresh sandbox (tests/live/stage.py).
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from tests.live.stage import SERVER, Ground, Play, assert_clean, policy, said, wait_for

pytestmark = pytest.mark.live
TOOLS = ("ssh", "sshd", "ssh-keygen", "openvpn", "openssl")

#: How an OpenVPN connection is protected: what both ends are told, and the server's protocol.
WAYS: Final = {
    "bare": ([], "udp"),
    "tls-auth": (["--tls-auth", "shared.key"], "udp"),
    "tls-crypt": (["--tls-crypt", "shared.key"], "udp"),
    "tcp": ([], "tcp-server"),
}
WELL = "Initialization Sequence Completed"


# --- what runs in the sandbox ----------------------------------------------------------------


@contextmanager
def ssh_server(ground: Ground) -> Iterator[None]:
    """Stand sshd on port 22, as an ordinary user: as root it would ask for more users."""
    folder = ground.folder
    make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "host")]
    subprocess.run(make, check=True)
    settings = ("Port 22", f"ListenAddress {SERVER}", f"HostKey {folder}/host", "PidFile none")
    (folder / "sshd").write_text("\n".join((*settings, "UsePAM no", "")))
    ground.sh("server", "sysctl -qw net.ipv4.ip_unprivileged_port_start=0")
    program = ground.sh("server", "command -v sshd").strip()
    user = ("unshare", "-U", "--map-user=1000", program, "-D", "-e", "-f", str(folder / "sshd"))
    with ground.program("server", "sh", "-c", 'exec "$@" 2>/dev/null', "sh", *user):
        listens = "ss -Hltn sport = 22"
        wait_for(lambda: ground.sh("server", listens), "sshd, listening,")
        yield


def ssh(ground: Ground) -> str:
    """Return the last word of ssh: what it was refused for, or what became of the connection."""
    told = {"StrictHostKeyChecking": "no", "UserKnownHostsFile": "/dev/null", "BatchMode": "yes",
            "ConnectTimeout": "4", "LogLevel": "ERROR"}  # fmt: skip
    options = [part for key, value in told.items() for part in ("-o", f"{key}={value}")]
    command = ["ssh", "-F", "none", *options, f"somebody@{SERVER}", "true"]
    done = subprocess.run(
        ground.argv("client", command), capture_output=True, text=True, check=False, timeout=60
    )
    return done.stderr.strip().splitlines()[-1] if done.returncode else "in"


def scene_ssh(ground: Ground, act: str) -> dict[str, Any]:
    acts = {"drop": {"drop": "flow"}, "reset": {"inject": "reset", "request": "drop"}}
    rules = policy(({"ssh.software": {"prefix": ["OpenSSH"]}}, acts[act]))
    with ssh_server(ground), ground.server(), ground.censor(rules) as censor:
        before = ssh(ground)
        censor.ask("active")
        found = {"before": before, "ssh": ssh(ground), "page": ground.curl("free.example")}
        return ground.finish(censor, **found)


class Vpn:
    """Two ends of OpenVPN that know each other by their fingerprints, and need no device."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.prints = {name: self._certify(name) for name in ("client", "server")}
        make = ["openvpn", "--genkey", "secret", str(ground.folder / "shared.key")]
        subprocess.run(make, check=True, capture_output=True)

    def _certify(self, name: str) -> str:
        base = self.ground.folder / name
        make = ["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-subj", f"/CN={name}"]
        make += ["-pkeyopt", "ec_paramgen_curve:P-256", "-keyout", f"{base}.key"]
        subprocess.run([*make, "-out", f"{base}.pem"], check=True, capture_output=True)
        show = ["openssl", "x509", "-in", f"{base}.pem", "-noout", "-fingerprint", "-sha256"]
        done = subprocess.run(show, check=True, capture_output=True, text=True)
        return done.stdout.partition("=")[2].strip()

    def command(self, name: str, peer: str, way: str) -> list[str]:
        keys, carrier = WAYS[way]
        base = ["openvpn", "--cd", str(self.ground.folder), "--dev", "null", "--verb", "3"]
        base += ["--cert", f"{name}.pem", "--key", f"{name}.key"]
        base += ["--peer-fingerprint", self.prints[peer], *keys, "--proto"]
        if name == "server":
            return [*base, carrier, "--tls-server", "--dh", "none", "--local", SERVER]
        carrier = carrier.replace("server", "client")
        return [*base, carrier, "--tls-client", "--nobind", "--remote", SERVER, "1194"]

    def connect(self, way: str) -> bool:
        """Connect as soon as the server stands, and say whether that came to anything."""
        ground, log = self.ground, Path(self.ground.folder, "vpn.log")
        log.unlink(missing_ok=True)
        serve = self.command("server", "client", way)
        client = [*self.command("client", "server", way), "--log", str(log)]
        listens = f"ss -Hln{'t' if way == 'tcp' else 'u'} sport = 1194"
        with ground.program("server", *serve):
            wait_for(lambda: ground.sh("server", listens), "OpenVPN's server")
            end = ["--hand-window", "6", "--connect-retry-max", "1", "--tls-exit"]
            with ground.program("client", *client, *end) as child:

                def over() -> str | None:
                    text = log.read_text() if log.exists() else ""
                    return text if WELL in text or child.poll() is not None else None

                return WELL in str(wait_for(over, "OpenVPN's handshake, or its end,"))


def scene_openvpn(ground: Ground) -> dict[str, Any]:
    """Every way, first while the censor is idle, then while it drops flows that begin so."""
    rules = policy(({"openvpn.kind": ["client-reset"]}, {"drop": "flow"}))
    vpn = Vpn(ground)
    with ground.server(), ground.censor(rules) as censor:
        before = {way: vpn.connect(way) for way in WAYS}
        censor.ask("active")
        found = {way: vpn.connect(way) for way in WAYS}
        names = ground.dig("free.example"), ground.curl("free.example")
        return ground.finish(censor, before=before, found=found, names=names)


# --- what pytest runs ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("act", "told"),
    [("drop", "timed out|timeout"), ("reset", "reset by peer|closed by remote")],
)
def test_ssh_is_known_by_its_software(play: Play, act: str, told: str) -> None:
    result = play(scene_ssh, act)
    assert_clean(result)
    assert "Permission denied" in result["before"]
    assert re.search(told, result["ssh"], re.IGNORECASE)
    assert result["page"][0] == 0
    (matched,) = said(result, "matched")
    assert matched["flow"]["server_port"] == 22
    assert matched["trigger"]["ssh.software"].startswith("OpenSSH_")
    assert said(result, "dropped")
    assert bool(said(result, "injected")) is (act == "reset")


def test_openvpn_is_known_by_its_first_packet_however_protected(play: Play) -> None:
    result = play(scene_openvpn)
    assert_clean(result)
    assert result["before"] == dict.fromkeys(WAYS, True)
    assert result["found"] == dict.fromkeys(WAYS, False)
    names, page = result["names"]
    assert (names, page[0]) == ([SERVER], 0)
    assert {event["flow"]["server_port"] for event in said(result, "matched")} == {1194}
    carriers = {event["flow"]["protocol"] for event in said(result, "dropped")}
    assert carriers == {"udp", "tcp"}
