"""Run baresip, a softphone, and tell it whom to call.

It is told over ctrl_tcp (JSON in netstrings), at a port of loopback. It speaks a tone from a file
and writes what it hears to another, so it needs no sound hardware.

Limits:  tried with baresip 1.0.0 (Debian 12). Its exit status and its own statistics are not read.
Source:  baresip's wiki, "Configuration" and "Accounts"; its module ctrl_tcp.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import socket
import subprocess
import tempfile
import time
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from filterbed.probe.address import family, shown
from filterbed.probe.errors import MachineError, TargetError
from filterbed.probe.sip import Account

LOOPBACK: Final = "127.0.0.1"
#: Where Debian and others keep its modules: it does not know it by itself.
MODULES: Final = ("/usr/lib", "/usr/local/lib", "/usr/lib64")
#: Seconds it may take until it can be told something, and between two looks at whether it can.
STARTING: Final = 5.0
LOOK: Final = 0.01
#: Seconds of tone beyond what is to be said: where the file ends, baresip hangs up.
SPARE: Final = 30
RATE: Final = 8000
#: What would end a field of an account's line.
_SPECIAL: Final = frozenset('";<>\r\n')
_CONFIG: Final = """\
sip_listen {here}:{port}
call_local_timeout 120
call_max_calls 1
audio_source aufile,{home}/tone.wav
audio_player aufile,{home}/heard.wav
audio_alert aufile,/dev/null
ausrc_srate {rate}
auplay_srate {rate}
ausrc_channels 1
auplay_channels 1
rtp_ports {sound}-{beyond}
rtcp_mux yes
jitter_buffer_type fixed
jitter_buffer_delay 1-5
rtp_stats yes
statmode_default off
module_path {modules}
module g711.so
module aufile.so
module_tmp uuid.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen {loopback}:{control}
"""
_ACCOUNT: Final = (
    "<sip:{user}@{domain};transport=udp>;auth_pass={password};regint=60"
    ';outbound="sip:{registrar}:{at};transport=udp";audio_codecs={codec}/8000/1\n'
)


class StartError(MachineError):
    """It ended before it could be told anything: somebody may have taken its ports."""


@dataclass(slots=True)
class Baresip:
    """One that runs: its SIP goes by `port`, and `ended` is readable once it is gone."""

    port: int
    ended: int
    control: socket.socket
    log: Path

    def dial(self, uri: str) -> None:
        """Have it call."""
        self._tell("dial", uri)

    def hang_up(self) -> None:
        """Have it end the call there is."""
        self._tell("hangup")

    def _tell(self, command: str, about: str = "") -> None:
        said = json.dumps({"command": command, "params": about}).encode()
        with contextlib.suppress(OSError):  # it has ended meanwhile
            self.control.sendall(b"%d:%s," % (len(said), said))

    def listen(self) -> None:
        """Throw away what it tells, or it would have to wait for us."""
        with contextlib.suppress(OSError):
            while self.control.recv(65536):
                pass

    def last_words(self) -> str:
        """Return the end of what it printed."""
        return _end(self.log)


def program() -> str:
    """Return where baresip is; MachineError where it is not."""
    found = shutil.which("baresip")
    if found is None:
        raise MachineError(
            "baresip is not installed; calls with client: baresip need it: apt install baresip-core"
        )
    return found


def modules() -> Path:
    """Return the folder of its modules; MachineError where there is none."""
    for root in MODULES:
        for found in (Path(root, "baresip/modules"), *Path(root).glob("*/baresip/modules")):
            if (found / "ctrl_tcp.so").is_file():
                return found
    raise MachineError(
        f"baresip's modules are not in {', '.join(MODULES)}: apt install baresip-core"
    )


@contextlib.contextmanager
def started(
    account: Account, own: str, ports: tuple[int, int], codec: str, seconds: float
) -> Iterator[Baresip]:
    """Run it at our address `own`, registering at once; StartError where it did not come up.

    `ports` are those of its SIP and of its audio, which is even.
    """
    argv = [program(), "-f"]
    with tempfile.TemporaryDirectory() as at:
        home = Path(at)
        control = free(LOOPBACK, socket.SOCK_STREAM)
        for name, text in files(account, own, ports, control, codec, home).items():
            (home / name).write_text(text)
        _tone(home / "tone.wav", int(seconds) + SPARE)
        with (
            (home / "log").open("wb") as log,
            subprocess.Popen(
                [*argv, at],
                cwd=at,
                env={**os.environ, "HOME": at},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            ) as process,
        ):
            ended = os.pidfd_open(process.pid)
            try:
                ear = _reach(control, ended)
                if ear is None:
                    raise StartError(f"baresip did not come up: {_end(home / 'log')}")
                with ear:
                    yield Baresip(ports[0], ended, ear, home / "log")
            finally:
                os.close(ended)
                process.kill()


def files(
    account: Account, own: str, ports: tuple[int, int], control: int, codec: str, home: Path
) -> dict[str, str]:
    """Write its files; TargetError for a password that its account's line cannot hold."""
    if _SPECIAL & set(account.password):
        raise TargetError("a password for baresip cannot hold any of \" ; < > or a line's end")
    fields: dict[str, Any] = {
        "here": shown(own), "port": ports[0], "sound": ports[1], "beyond": ports[1] + 2,
        "control": control, "home": home, "rate": RATE,
        "modules": modules(), "loopback": LOOPBACK, "user": account.user, "codec": codec,
        "domain": shown(account.domain), "password": account.password, "at": account.port,
        "registrar": shown(account.address),
    }  # fmt: skip
    return {"config": _CONFIG.format(**fields), "accounts": _ACCOUNT.format(**fields)}


def _end(log: Path) -> str:
    return log.read_text("utf-8", "replace").strip()[-300:]


def _tone(path: Path, seconds: int) -> None:
    """Write a square tone of 500 Hz, in 16 bits."""
    wavelength = [4000 if n < 8 else -4000 for n in range(16)]
    samples = b"".join(value.to_bytes(2, "little", signed=True) for value in wavelength)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples * (seconds * RATE // 16))


def _reach(port: int, ended: int) -> socket.socket | None:
    """Connect to ctrl_tcp once it listens; None where baresip ended, or never listened."""
    deadline = time.monotonic() + STARTING
    while time.monotonic() < deadline:
        try:
            found = socket.create_connection((LOOPBACK, port))
        except OSError:
            if select.select([ended], [], [], LOOK)[0]:
                return None
            continue
        found.setblocking(False)
        return found
    return None


def free(address: str, kind: socket.SocketKind) -> int:
    """Let the kernel choose a port, for a program that wants to be told one."""
    with socket.socket(family(address), kind) as sock:
        sock.bind((address, 0))
        return int(sock.getsockname()[1])


def free_pair(address: str) -> tuple[int, int]:
    """Let the kernel choose a port for SIP, and an even one for audio."""
    sound = 1
    while sound % 2:
        sound = free(address, socket.SOCK_DGRAM)
    return free(address, socket.SOCK_DGRAM), sound
