"""How baresip is started and told; the real one calls in tests/live."""

from __future__ import annotations

import select
import shlex
import socket
import sys
import wave
from pathlib import Path

import pytest

from filterbed.probe import baresip
from filterbed.probe.errors import MachineError, TargetError
from filterbed.probe.sip import Account

ACCOUNT = Account("sip.site.net", "alice", "s3cr=t", "2001:db8::5", 5070)
#: Listens where its configuration says, prints what it is told, and goes when that is "hangup".
LISTENS = """
import pathlib, re, socket, sys
text = pathlib.Path(sys.argv[2], "config").read_text()
port = int(re.search(r"ctrl_tcp_listen 127.0.0.1:([0-9]+)", text)[1])
server = socket.create_server(("127.0.0.1", port))
peer, _ = server.accept()
said = b""
while b"hangup" not in said:
    said += peer.recv(4096)
    peer.sendall(b"25:" + b"x" * 25 + b",")
print(said.decode(), flush=True)
"""
FAILS = "import sys; sys.exit('no such port')"


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Put a folder of modules where it is looked for."""
    found = tmp_path / "lib/x86_64-linux-gnu/baresip/modules"
    found.mkdir(parents=True)
    (found / "ctrl_tcp.so").touch()
    monkeypatch.setattr(baresip, "MODULES", (str(tmp_path / "none"), str(tmp_path / "lib")))
    return found


def pretend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> None:
    program = tmp_path / "bin/baresip"
    program.parent.mkdir()
    (tmp_path / "program.py").write_text(text)
    words = shlex.join([sys.executable, "-P", str(tmp_path / "program.py")])
    program.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")


def test_its_files(installed: Path) -> None:
    files = baresip.files(ACCOUNT, "2001:db8::9", (4000, 5000), 4444, "PCMA", Path("/tmp/home"))
    assert files["accounts"] == (
        "<sip:alice@sip.site.net;transport=udp>;auth_pass=s3cr=t;regint=60"
        ';outbound="sip:[2001:db8::5]:5070;transport=udp";audio_codecs=PCMA/8000/1\n'
    )
    lines = files["config"].splitlines()
    assert "sip_listen [2001:db8::9]:4000" in lines
    assert "ctrl_tcp_listen 127.0.0.1:4444" in lines
    assert "rtp_ports 5000-5002" in lines
    assert f"module_path {installed}" in lines


@pytest.mark.parametrize("password", ['a"b', "a;b", "a<b", "a\nb"])
def test_password_that_would_end_its_field(password: str) -> None:
    account = Account("sip.site.net", "alice", password, "192.0.2.1")
    with pytest.raises(TargetError, match="password"):
        baresip.files(account, "192.0.2.9", (4000, 5000), 4444, "PCMU", Path("/tmp/home"))


def test_it_is_told_in_netstrings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend(monkeypatch, tmp_path, LISTENS)
    with baresip.started(ACCOUNT, "127.0.0.1", (4000, 5000), "PCMU", 2) as phone:
        home = phone.log.parent
        with wave.open(str(home / "tone.wav")) as tone:
            assert (tone.getframerate(), tone.getnchannels()) == (8000, 1)
            assert tone.getnframes() > 2 * 8000
        phone.listen()
        phone.dial("sip:echo@sip.site.net")
        phone.hang_up()
        assert select.select([phone.ended], [], [], 10)[0]
        phone.listen()
        assert phone.last_words() == (
            '54:{"command": "dial", "params": "sip:echo@sip.site.net"},'
            '35:{"command": "hangup", "params": ""},'
        )
        phone.hang_up()  # nobody is there any more
    assert not home.exists()


def test_one_that_ends_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend(monkeypatch, tmp_path, FAILS)
    with (
        pytest.raises(baresip.StartError, match="no such port"),
        baresip.started(ACCOUNT, "127.0.0.1", (4000, 5000), "PCMU", 2),
    ):
        pass


def test_not_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(MachineError, match="apt install baresip-core"):
        baresip.program()
    monkeypatch.setattr(baresip, "MODULES", (str(tmp_path / "none"),))
    with pytest.raises(MachineError, match="modules are not in"):
        baresip.modules()


def test_free_ports() -> None:
    port = baresip.free("127.0.0.1", socket.SOCK_STREAM)
    with socket.create_server(("127.0.0.1", port)):
        assert 0 < baresip.free("127.0.0.1", socket.SOCK_DGRAM) < 65536
    own, sound = baresip.free_pair("127.0.0.1")
    assert own != sound
    assert sound % 2 == 0
