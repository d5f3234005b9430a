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
from filterbed.probe.sip import Account, Message, parse, server
from filterbed.probe.stream import Flow, Row, elapsed

SCENARIO: Final = Path(__file__).with_name("invite.xml")
PACKET: Final = 0.02
#: sipp is told a free port; somebody else may take it first.
TRIES: Final = 3
TRACE_LIMIT: Final = 256 * 1024
_TONE: Final = bytes(0xFF - (n % 16) for n in range(160))
_NAME: Final = re.compile(r"[A-Za-z0-9._+\-]{1,64}")
_MEDIA: Final = re.compile(r"^m=audio ([0-9]{1,5}) ", re.MULTILINE)
_AT: Final = re.compile(r"^c=IN IP[46] (\S+)", re.MULTILINE)
#: sipp's trace: a line of dashes and a date, "UDP message sent [n] bytes:", the message.
_ENTRY: Final = re.compile(rb"-{20,}[^\n]*\n(?:UDP|TCP) message (sent|received)[^\n]*\n\n*")
_BLANK: Final = re.compile(rb"\r?\n\r?\n")
_LENGTH: Final = re.compile(rb"(?im)^(?:content-length|l)[ \t]*:[ \t]*([0-9]{1,6})[ \t]*\r?$")


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
    tries: int = 0  # INVITEs with credentials or without
    asked: str = ""  # the CSeq of the INVITE that is being answered
    code: int | None = None  # of the last answer to it
    answered: Message | None = None
    server: str | None = None  # as the last answer names itself
    cut: bool = False  # a BYE came before ours
    ended: bool = False  # the BYE was answered, or a refusal acknowledged

    def feed(self, data: bytes) -> None:
        """Read more of the trace; the last entry waits until it is whole."""
        self.data = (self.data + data)[:TRACE_LIMIT]
        while mark := _ENTRY.search(self.data):
            end = _end(self.data, mark.end())
            if end is None:
                return
            message = parse(self.data[mark.end() : end])
            self.data = self.data[end:]
            if message:
                self._message(mark[1] == b"received", message)

    def _message(self, received: bool, message: Message) -> None:
        number = message.headers.get("cseq", "")
        match received, message.method, message.code:
            case False, "INVITE", None if number != self.asked:
                self.asked, self.code, self.tries = number, None, self.tries + 1
            case True, "INVITE", int(code) if number == self.asked:
                self.code, self.server = code, server(message)
                self.answered = message if code == 200 else None
            case False, "ACK", None if (self.code or 0) >= 300:
                self.ended = self.tries > 1 or self.code not in (401, 407)
            case True, "BYE", None:
                self.cut = True
            case True, "BYE", int(code) if code >= 200:
                self.ended = True


def _end(data: bytes, start: int) -> int | None:
    """Return where the message that begins at `start` ends; None while it is not all there."""
    blank = _BLANK.search(data, start)
    if blank is None:
        return None
    length = _LENGTH.search(data, start, blank.end())
    end = blank.end() + (int(length[1]) if length else 0)
    return end if end <= len(data) else None


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
    for _ in range(TRIES):
        trace, media, said = _attempt(program, account, callee, seconds, timeout, flows)
        if trace.tries:
            break
    else:
        raise MachineError(f"sipp sent no INVITE, {TRIES} times: {said}")
    return {
        "outcome": _outcome(trace),
        "code": trace.code,
        "server": trace.server,
        "cut": trace.cut,
        "rtp_sent": media.sent,
        "rtp_received": len(media.heard),
        "rtp_echoed": sum(source == media.source for source, _ in media.heard),
        "seconds": elapsed(began),
    }


def _attempt(
    program: str, account: Account, callee: str, seconds: float, timeout: float, flows: list[Flow]
) -> tuple[_Trace, _Media, str]:
    """Run sipp once; return what its trace said, the media, and its last words."""
    local, trace = _local(account), _Trace()
    with (
        socket.socket(family(local), socket.SOCK_DGRAM) as sock,
        tempfile.TemporaryDirectory() as at,
    ):
        sock.bind((local, 0))
        sock.setblocking(False)
        media = _Media(sock)
        pipe, log = Path(at, "trace"), Path(at, "errors")
        os.mkfifo(pipe)
        reader = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
        port = _free_port(local)
        keys = {"domain": account.domain, "user": account.user, "callee": callee}
        keys["rtp_port"] = str(sock.getsockname()[1])
        keys["nonce"] = secrets.token_hex(8)
        argv = [program, *_options(account, local, port, seconds, timeout)]
        argv += [word for key, value in keys.items() for word in ("-key", key, value)]
        argv += ["-cid_str", f"{keys['nonce']}-%u@%s"]
        argv += ["-message_file", str(pipe), f"{shown(account.address)}:{account.port}"]
        try:
            _run(argv, log, reader, trace, media, seconds, timeout)
        finally:
            os.close(reader)
        if trace.tries:
            flows.append(["udp", local, port, account.address, account.port])
        if media.peer:
            flows.append(["udp", *sock.getsockname()[:2], *media.peer])
        return trace, media, log.read_text("utf-8", "replace").strip()[-300:]


def _run(
    argv: list[str],
    log: Path,
    reader: int,
    trace: _Trace,
    media: _Media,
    seconds: float,
    timeout: float,
) -> None:
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            argv,
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        ) as process,
    ):
        try:
            _talk(process, reader, trace, media, seconds, timeout)
        finally:
            process.kill()


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
        *("-sf", str(SCENARIO), "-m", "1", "-r", "100", "-nostdin", "-trace_msg"),
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
            if trace.ended or (ended in ready and reader not in ready):
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
