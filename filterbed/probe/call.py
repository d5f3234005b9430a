"""Place one SIP call by the real client sipp, with G.711 media, and count it at both ends.

sipp does the signalling, toward a socket of ours on loopback; what it says is passed on to the
registrar from another, and what comes back is passed on to it: so each message is seen with its
sender, its time and its TTL. The media socket is ours too: RTP is counted packet by packet,
because sipp's exit status says nothing about media. docs/voip.md says what the numbers mean.

Wire:    RFC 3261 section 13; RFC 3550; PCMU or PCMA in packets of 20 ms (RFC 3551).
Limits:  UDP and IPv4 or IPv6 literal media addresses; no SRTP, and of ICE only that candidates are
         gathered; RTCP only where the other end takes it on the media's port.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import select
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from filterbed.probe import datagram, path, sdp, ways
from filterbed.probe.address import family, shown
from filterbed.probe.dialog import Dialog
from filterbed.probe.errors import MachineError, TargetError
from filterbed.probe.media import PACKET, PAYLOADS, Audio
from filterbed.probe.sip import Account
from filterbed.probe.stream import Flow, Row, elapsed, outcome

SCENARIO: Final = Path(__file__).with_name("invite.xml")
LOOPBACK: Final = "127.0.0.1"
#: sipp is told a free port; somebody else may take it first.
TRIES: Final = 3
#: Seconds between the last packet and our BYE, so that the one does not overtake the other.
TAIL: Final = 0.06
#: Seconds to wait for what may still come: media after the end; a second answer to a refused call.
GRACE: Final = 0.35
WINDOW: Final = 0.4
_NAME: Final = re.compile(r"[A-Za-z0-9._+\-]{1,64}")


@dataclass(slots=True)
class _Line:
    """One call in the making: sipp inside, the registrar outside, the audio beside."""

    account: Account
    inside: socket.socket
    outside: socket.socket
    audio: Audio
    path: path.Path
    seconds: float
    timeout: float
    dialog: Dialog = field(default_factory=Dialog)
    sipp: tuple[str, int] | None = None
    ticks: list[float] = field(default_factory=list)
    silenced: int = 0  # packets not sent because the call was over

    def outward(self) -> None:
        """Pass on what sipp says."""
        with contextlib.suppress(OSError):  # sipp has ended meanwhile
            while got := datagram.receive(self.inside):
                self.sipp = (got.address, got.port)
                self.dialog.sent(got.data, time.time())
                self._pass_on(got.data)

    def _pass_on(self, data: bytes) -> None:
        """Send; an ICMP error about an earlier message is noted, and does not lose this one."""
        for _ in range(2):
            try:
                self.outside.sendto(data, (self.account.address, self.account.port))
                return
            except OSError as error:
                self._failed(error)

    def _failed(self, error: OSError) -> None:
        if self.dialog.code is None:
            self.dialog.refused = outcome(error)

    def inward(self) -> None:
        """Pass on to sipp what the network says."""
        try:
            while got := datagram.receive(self.outside):
                self.dialog.received(got)
                if self.sipp:
                    with contextlib.suppress(OSError):
                        self.inside.sendto(got.data, self.sipp)
        except OSError as error:
            self._failed(error)

    def talk(self, now: float) -> None:
        """Send the packets that are due; the last is followed by a report that says so."""
        while self.ticks and self.ticks[0] <= now:
            self.ticks.pop(0)
            self.audio.send()
            if not self.ticks:
                self.audio.report(bye="done")

    def up(self) -> float:
        """Begin to talk, once the call is answered; return when it must be over."""
        assert self.dialog.answered is not None
        offer = sdp.read(self.dialog.answered.body)
        now = time.monotonic()
        if offer:
            self.audio.peer, self.audio.mux = (offer.address, offer.port), offer.mux
            self.path.reach(self.audio.peer)
            now = time.monotonic()
            self.ticks = [now + PACKET * n for n in range(int(self.seconds / PACKET))]
        return now + self.seconds + TAIL + 2 * self.timeout + GRACE


def place(
    account: Account,
    callee: str,
    *,
    seconds: float,
    timeout: float,
    flows: list[Flow],
    codec: str = "PCMU",
    helpers: path.Help | None = None,
    aside: list[Flow] | None = None,
) -> Row:
    """Call `callee` and talk for `seconds`; return the `sip.call` part of a measurement.

    `helpers` are asked how media can reach us (`filterbed.probe.path`); `aside` takes the flows to
    them.

    `timeout` seconds are given for the answer to INVITE (2 s more once it was provisionally
    answered), and again for the answer to BYE.
    """
    program = shutil.which("sipp")
    if program is None:
        raise MachineError("sipp is not installed; calls need it: apt install sip-tester")
    for word in (account.user, callee, account.domain):
        if not _NAME.fullmatch(word):
            raise TargetError(f"{word!r:.80}: expected letters, digits and . _ + - in a call")
    if codec not in PAYLOADS:
        raise TargetError(f"codec {codec!r:.40}: expected one of {', '.join(PAYLOADS)}")
    began = time.monotonic()
    for _ in range(TRIES):
        with _wired(account, codec, seconds, timeout, helpers or path.Help()) as line:
            said = _attempt(line, [program, *_options(line, callee)])
            _note(line, flows, aside if aside is not None else flows)
            row = ways.row(line.dialog, line.audio, silenced=line.silenced)
            row["path"] = line.path.row
        if line.dialog.tries:
            return row | {"seconds": elapsed(began)}
    raise MachineError(f"sipp sent no INVITE, {TRIES} times: {said}")


@contextlib.contextmanager
def _wired(
    account: Account, codec: str, seconds: float, timeout: float, helpers: path.Help
) -> Iterator[_Line]:
    """Open a call's sockets, and ask the helpers; the registrar is sent no packet."""
    kind = family(account.address)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as inside,
        socket.socket(kind, socket.SOCK_DGRAM) as outside,
        socket.socket(kind, socket.SOCK_DGRAM) as sound,
    ):
        local = _local(account)
        inside.bind((LOOPBACK, 0))
        for sock in (outside, sound):
            sock.bind((local, 0))
        for sock in (inside, outside, sound):
            datagram.prepare(sock)
        with path.find(sound, local, helpers, timeout=timeout) as found:
            audio = Audio(found.sock, codec)
            yield _Line(account, inside, outside, audio, found, seconds, timeout)


def _local(account: Account) -> str:
    """Return our address toward the registrar; no packet is sent."""
    with socket.socket(family(account.address), socket.SOCK_DGRAM) as sock:
        sock.connect((account.address, account.port))
        return str(sock.getsockname()[0])


def _free_port() -> int:
    """Let the kernel choose a port for sipp, which wants to be told one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((LOOPBACK, 0))
        return int(sock.getsockname()[1])


def _options(line: _Line, callee: str) -> list[str]:
    account, (local, port) = line.account, line.outside.getsockname()[:2]
    keys = {
        "domain": account.domain,
        "user": account.user,
        "callee": callee,
        "nonce": secrets.token_hex(8),
        "here": f"{shown(local)}:{port}",
        "audio_ip": line.path.offered[0],
        "ip": "6" if ":" in local else "4",
        "audio_port": str(line.path.offered[1]),
        "payload": str(PAYLOADS[line.audio.codec][0]),
        "codec": line.audio.codec,
    }
    limit = f"{int(line.seconds + 3 * line.timeout + 3)}s"
    return [
        *("-sf", str(SCENARIO), "-m", "1", "-r", "100", "-nostdin"),
        *("-i", LOOPBACK, "-p", str(_free_port()), "-mp", str(_free_port())),
        *("-au", account.user, "-ap", account.password, "-auth_uri", account.domain),
        *("-d", str(int(1000 * (line.seconds + TAIL)))),
        *("-recv_timeout", str(int(line.timeout * 1000)), "-timeout", limit, "-timeout_error"),
        *(word for key, value in keys.items() for word in ("-key", key, value)),
        *("-cid_str", f"{keys['nonce']}-%u@%s"),
        f"{LOOPBACK}:{line.inside.getsockname()[1]}",
    ]


def _attempt(line: _Line, argv: list[str]) -> str:
    """Run sipp once, beside its media; return its last words."""
    with tempfile.TemporaryDirectory() as at:
        log = Path(at, "errors")
        with (
            log.open("wb") as errors,
            subprocess.Popen(
                argv,
                cwd=at,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            ) as process,
        ):
            ended = os.pidfd_open(process.pid)
            try:
                _follow(line, ended)
            finally:
                os.close(ended)
                process.kill()
        return log.read_text("utf-8", "replace").strip()[-300:]


def _follow(line: _Line, ended: int) -> None:
    """Carry the call until it is over, and listen a little longer for what belongs to it."""
    dialog, deadline = line.dialog, time.monotonic() + 2 * line.timeout + 2.0
    while not (dialog.ended or dialog.cut or dialog.refused):
        if line.audio.peer is None and dialog.answered and not dialog.hung_up:
            deadline = line.up()
        if _step(line, deadline, ended):
            break
    line.silenced, line.ticks = len(line.ticks), []
    if dialog.refused:
        return
    until = time.monotonic() + (WINDOW if dialog.outcome() == "rejected" else GRACE)
    while _awaited(line) and time.monotonic() < until:
        _step(line, until)


def _awaited(line: _Line) -> bool:
    """Whether anything may still come that would change the picture."""
    dialog = line.dialog
    if dialog.answered is None:
        return dialog.outcome() == "rejected"
    if dialog.cut:
        return True
    sent = dialog.told.sent if dialog.told else None
    return sent is not None and line.audio.count() < sent


def _step(line: _Line, deadline: float, ended: int | None = None) -> bool:
    """Wait for the next thing and do it; whether sipp has ended or the time is over."""
    now = time.monotonic()
    if now >= deadline:
        return True
    watched: list[Any] = [line.inside, line.outside, line.audio.sock]
    watched += [ended] if ended is not None else []
    wake = min(deadline, line.ticks[0] if line.ticks else deadline)
    ready, _, _ = select.select(watched, [], [], max(0.0, wake - now))
    line.outward()
    line.inward()
    line.audio.receive()
    line.talk(time.monotonic())
    return ended in ready and line.inside not in ready and line.outside not in ready


def _note(line: _Line, flows: list[Flow], aside: list[Flow]) -> None:
    """Note the sockets that spoke to the network."""
    if line.dialog.tries:
        local = line.outside.getsockname()[:2]
        flows.append(["udp", *local, line.account.address, line.account.port])
        flows += line.path.flows
        aside += line.path.aside
