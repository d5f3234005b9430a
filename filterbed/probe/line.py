"""Carry one call: a real client inside, the registrar outside, its audio beside.

The client says its signalling toward a socket of ours on loopback; it is passed on to the registrar
from another, and what comes back is passed on to the client: so each message is seen with its
sender, its time and its TTL.

Limits:  one call at a time; SIP over UDP.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from filterbed.probe import datagram, path, sdp
from filterbed.probe.address import family, shown
from filterbed.probe.dialog import Dialog
from filterbed.probe.media import PACKET, PAYLOADS, Audio
from filterbed.probe.sip import Account
from filterbed.probe.stream import Flow, outcome

LOOPBACK: Final = "127.0.0.1"
#: Seconds between the last packet and our BYE, so that the one does not overtake the other.
TAIL: Final = 0.06
#: Seconds to wait for what may still come: media after the end; a second answer to a refused call.
GRACE: Final = 0.35
WINDOW: Final = 0.4


@dataclass(slots=True)
class Line:
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
    patience: float | None = None  # seconds until the call is up; None: as a caller waits
    silenced: int = 0  # packets not sent because the call was over

    def options(self, port: int) -> list[str]:
        """Return how sipp is told to listen at a port of loopback, when to give up, and who we are.

        Its keys: domain, user, here (our address and port as the network sees them), ip (4 or 6),
        audio_ip, audio_port, payload, codec.
        """
        account, (own, number) = self.account, self.outside.getsockname()[:2]
        keys = {
            "domain": account.domain,
            "user": account.user,
            "here": f"{shown(own)}:{number}",
            "ip": "6" if ":" in own else "4",
            "audio_ip": self.path.offered[0],
            "audio_port": str(self.path.offered[1]),
            "payload": str(PAYLOADS[self.audio.codec][0]),
            "codec": self.audio.codec,
        }
        limit = f"{int(self.seconds + 3 * self.timeout + 3)}s"
        return [
            *("-m", "1", "-nostdin", "-i", LOOPBACK, "-p", str(port), "-mp", str(free_port())),
            *("-d", str(int(1000 * (self.seconds + TAIL)))),
            *("-recv_timeout", str(int(self.timeout * 1000)), "-timeout", limit, "-timeout_error"),
            *(word for key, value in keys.items() for word in ("-key", key, value)),
        ]

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


@contextlib.contextmanager
def wired(
    account: Account, codec: str, seconds: float, timeout: float, helpers: path.Help
) -> Iterator[Line]:
    """Open a call's sockets, and ask the helpers; the registrar is sent no packet."""
    kind = family(account.address)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as inside,
        socket.socket(kind, socket.SOCK_DGRAM) as outside,
        socket.socket(kind, socket.SOCK_DGRAM) as sound,
    ):
        own = toward(account)
        inside.bind((LOOPBACK, 0))
        for sock in (outside, sound):
            sock.bind((own, 0))
        for sock in (inside, outside, sound):
            datagram.prepare(sock)
        with path.find(sound, own, helpers, timeout=timeout) as found:
            audio = Audio(sock=found.sock, codec=codec)
            yield Line(account, inside, outside, audio, found, seconds, timeout)


def toward(account: Account) -> str:
    """Return our address toward the registrar; no packet is sent."""
    with socket.socket(family(account.address), socket.SOCK_DGRAM) as sock:
        sock.connect((account.address, account.port))
        return str(sock.getsockname()[0])


def free_port() -> int:
    """Let the kernel choose a port for sipp, which wants to be told one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((LOOPBACK, 0))
        return int(sock.getsockname()[1])


def carry(line: Line, argv: list[str], begin: Callable[[int], bool] | None = None) -> str:
    """Run sipp once, beside its media; return its last words.

    `begin` is done once sipp runs, and is given what becomes readable when it has ended; where it
    returns false there will be no call.
    """
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
                if begin is None or begin(ended):
                    _follow(line, ended)
            finally:
                os.close(ended)
                process.kill()
        return log.read_text("utf-8", "replace").strip()[-300:]


def _follow(line: Line, ended: int) -> None:
    """Carry the call until it is over, and listen a little longer for what belongs to it."""
    patience = line.patience if line.patience is not None else 2 * line.timeout + 2.0
    dialog, deadline = line.dialog, time.monotonic() + patience
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


def _awaited(line: Line) -> bool:
    """Whether anything may still come that would change the picture."""
    dialog = line.dialog
    if dialog.answered is None:
        return dialog.outcome() == "rejected"
    if dialog.cut:
        return True
    sent = dialog.told.sent if dialog.told else None
    return sent is not None and line.audio.count() < sent


def _step(line: Line, deadline: float, ended: int | None = None) -> bool:
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


def note(line: Line, flows: list[Flow], aside: list[Flow]) -> None:
    """Note the sockets that spoke to the network."""
    if line.dialog.tries:
        local = line.outside.getsockname()[:2]
        flows.append(["udp", *local, line.account.address, line.account.port])
        flows += line.path.flows
        aside += line.path.aside
