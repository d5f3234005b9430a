"""Place one SIP call by the real client sipp, with G.711 media, and count what was heard.

sipp does the signalling; its message trace, read through a pipe as it is written, says what was
sent and answered. The media socket is ours: RTP is counted packet by packet from its sequence
numbers, because sipp's exit status says nothing about media.

Wire:    RFC 3261 section 13; RFC 3550 section 5.1; PCMU in packets of 20 ms (RFC 3551).
Limits:  UDP and IPv4 or IPv6 literal media addresses; no STUN, no SRTP.
"""

from __future__ import annotations

import os
import re
import secrets
import select
import shutil
import socket
import struct
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from filterbed.probe.address import family, literal, shown
from filterbed.probe.errors import MachineError, TargetError
from filterbed.probe.sip import Account, Message, parse
from filterbed.probe.stream import Flow, Row, elapsed

SCENARIO: Final = Path(__file__).with_name("invite.xml")
PACKET: Final = 0.02
_TONE: Final = bytes(0xFF - (n % 16) for n in range(160))
_NAME: Final = re.compile(r"[A-Za-z0-9._+\-]{1,64}")
_MEDIA: Final = re.compile(r"^m=audio ([0-9]{1,5}) ", re.MULTILINE)
_AT: Final = re.compile(r"^c=IN IP[46] (\S+)", re.MULTILINE)
#: sipp's trace: a line of dashes and a date, "UDP message sent [n] bytes:", the message.
_ENTRY: Final = re.compile(rb"-{20,}[^\n]*\n(?:UDP|TCP) message (sent|received)[^\n]*\n")


@dataclass(slots=True)
class _Media:
    """Our end of the audio: what was sent, and whose sequence numbers arrived."""

    sock: socket.socket
    source: int = field(default_factory=lambda: secrets.randbits(32))
    peer: tuple[str, int] | None = None
    sent: int = 0
    heard: set[tuple[int, int]] = field(default_factory=set)

    def send(self) -> None:
        """Send the next packet of the tone."""
        assert self.peer is not None
        header = struct.pack("!BBHII", 0x80, 0, self.sent & 0xFFFF, self.sent * 160, self.source)
        try:
            self.sock.sendto(header + _TONE, self.peer)
        except OSError:
            return  # an ICMP error about an earlier packet: that one is lost, as on any path
        self.sent += 1

    def receive(self) -> None:
        """Count what waits: RTP version 2 with a full header; a repeated number counts once."""
        try:
            data = self.sock.recv(2048)
        except OSError:
            return
        if len(data) >= 12 and data[0] >> 6 == 2:
            number, _, source = struct.unpack("!HII", data[2:12])
            self.heard.add((source, number))


@dataclass(slots=True)
class _Trace:
    """What sipp's message trace has said so far."""

    data: bytes = b""
    code: int | None = None  # of the last answer to INVITE
    answered: Message | None = None
    ended: bool = False

    def feed(self, data: bytes) -> None:
        """Read more of the trace; a message is whole when the next begins, or by its length."""
        self.data += data
        marks = list(_ENTRY.finditer(self.data))
        for mark, following in zip(marks, [*marks[1:], None], strict=True):
            text = self.data[mark.end() : following.start() if following else None]
            self._message(mark[1] == b"received", text.strip(b"\n"), last=following is None)

    def _message(self, received: bool, text: bytes, *, last: bool) -> None:
        message = parse(text)
        if message is None or (last and not _whole(text)):
            return
        code = message.code
        if received and code is not None and message.method == "INVITE":
            self.code = code
            if code == 200:
                self.answered = message
        if received and (code or 0) >= 200 and message.method == "BYE":
            self.ended = True


def _whole(text: bytes) -> bool:
    return b"\n\n" in text.replace(b"\r\n", b"\n") or text.endswith(b"\n")


def place(
    account: Account, callee: str, *, seconds: float, timeout: float, flows: list[Flow]
) -> Row:
    """Call `callee` and talk for `seconds`; return the `sip.call` part of a measurement.

    `timeout` seconds are given for the answer to INVITE (2 s more once it was provisionally
    answered), and again for the answer to BYE.
    """
    program = shutil.which("sipp")
    if program is None:
        raise MachineError("sipp is not installed; calls need it: apt install sip-tester")
    for word in (account.user, callee, account.domain):
        if not _NAME.fullmatch(word):
            raise TargetError(f"{word!r:.80}: expected letters, digits and . _ + - in a call")
    began = time.monotonic()
    local = _local(account)
    trace = _Trace()
    with (
        socket.socket(family(local), socket.SOCK_DGRAM) as sock,
        tempfile.TemporaryDirectory() as at,
    ):
        sock.bind((local, 0))
        sock.setblocking(False)
        media = _Media(sock)
        pipe = Path(at, "trace")
        os.mkfifo(pipe)
        reader = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
        port = _free_port(local)
        flows.append(["udp", local, port, account.address, account.port])
        keys = {"domain": account.domain, "user": account.user, "callee": callee}
        keys["rtp_port"] = str(sock.getsockname()[1])
        argv = [program, *_options(account, local, port, seconds, timeout)]
        argv += [word for key, value in keys.items() for word in ("-key", key, value)]
        try:
            with subprocess.Popen(
                [*argv, "-message_file", str(pipe), f"{shown(account.address)}:{account.port}"],
                cwd=at,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            ) as process:
                try:
                    _talk(process, reader, trace, media, seconds, timeout)
                finally:
                    process.kill()
        finally:
            os.close(reader)
        if media.peer:
            flows.append(["udp", *sock.getsockname()[:2], *media.peer])
    return {
        "outcome": _outcome(trace),
        "code": trace.code,
        "rtp_sent": media.sent,
        "rtp_received": len(media.heard),
        "rtp_echoed": sum(source == media.source for source, _ in media.heard),
        "seconds": elapsed(began),
    }


def _local(account: Account) -> str:
    """Return our address toward the registrar; no packet is sent."""
    with socket.socket(family(account.address), socket.SOCK_DGRAM) as sock:
        sock.connect((account.address, account.port))
        return str(sock.getsockname()[0])


def _free_port(local: str) -> int:
    """Let the kernel choose a port for sipp, which wants to be told one."""
    with socket.socket(family(local), socket.SOCK_DGRAM) as sock:
        sock.bind((local, 0))
        return int(sock.getsockname()[1])


def _options(account: Account, local: str, port: int, seconds: float, timeout: float) -> list[str]:
    return [
        *("-sf", str(SCENARIO), "-m", "1", "-l", "1", "-r", "1", "-nostdin", "-trace_msg"),
        *("-i", shown(local), "-p", str(port), "-mp", str(_free_port(local))),
        *("-au", account.user, "-ap", account.password),
        *("-auth_uri", f"{account.domain}"),
        *("-d", str(int(seconds * 1000)), "-recv_timeout", str(int(timeout * 1000))),
        *("-timeout", f"{int(seconds + 3 * timeout + 3)}s", "-timeout_error"),
    ]


def _talk(
    process: subprocess.Popen[bytes],
    reader: int,
    trace: _Trace,
    media: _Media,
    seconds: float,
    timeout: float,
) -> None:
    """Follow the call until sipp ends or its time is over; send media while it is up."""
    began = time.monotonic()
    deadline = began + 2 * timeout + 2.0
    ticks: list[float] = []
    ended = os.pidfd_open(process.pid)
    watched: list[Any] = [reader, media.sock, ended]
    try:
        while (now := time.monotonic()) < deadline:
            wake = min(deadline, ticks[0] if ticks else deadline)
            ready, _, _ = select.select(watched, [], [], max(0.0, wake - now))
            if reader in ready:
                trace.feed(os.read(reader, 65536))
            if media.sock in ready:
                media.receive()
            if media.peer is None and trace.answered:
                media.peer = _peer(trace.answered)
                start = time.monotonic()
                deadline = start + seconds + 2 * timeout
                count = int(seconds / PACKET) if media.peer else 0
                ticks = [start + PACKET * n for n in range(count)]
            while ticks and ticks[0] <= time.monotonic():
                ticks.pop(0)
                media.send()
            if ended in ready and reader not in ready:
                return
    finally:
        os.close(ended)


def _peer(answer: Message) -> tuple[str, int] | None:
    """Return where the answer's SDP wants the audio; None if it names no address and port."""
    at, media = _AT.search(answer.body), _MEDIA.search(answer.body)
    if at is None or media is None or literal(at[1]) is None:
        return None
    port = int(media[1])
    return (at[1], port) if 0 < port < 65536 else None


def _outcome(trace: _Trace) -> str:
    if trace.answered:
        return "ok"
    return "rejected" if (trace.code or 0) >= 300 else "timeout"
