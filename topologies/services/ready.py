"""Ask servers whether they answer, from inside their node's network namespace.

A thread joins the namespace (setns binds the calling thread alone), so no program is started:
a whole topology is asked in the time of its slowest server.
Source: setns(2).
"""

from __future__ import annotations

import ctypes
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import dns.message
import dns.rcode

from topologies.errors import MachineError
from topologies.services.program import Ready

CLONE_NEWNET = 0x40000000
#: Seconds between two questions to a server that has not answered yet, and for one question.
PAUSE = 0.004
PATIENCE = 0.25
#: A recursor that could not reach the authoritative server, or refuses us, is not ready.
UNREADY = frozenset({dns.rcode.SERVFAIL, dns.rcode.REFUSED})


@dataclass(frozen=True, slots=True)
class Waiting:
    """A program that has yet to show itself: its id, and what it must answer."""

    program: str
    questions: tuple[Ready, ...]


def wait(
    namespace: str,
    waiting: Sequence[Waiting],
    *,
    until: float,
    given_up: Callable[[str], bool],
) -> dict[str, str]:
    """Ask until all have answered; return those that have not, each with what it did instead.

    Args:
        namespace: the node's network namespace, a path such as /proc/PID/ns/net.
        until: when to give up, on the monotonic clock.
        given_up: says that a program has ended and will never answer.
    """
    open_ = {w.program: list(w.questions) for w in waiting if w.questions}
    said: dict[str, str] = {}
    enter(namespace)
    while open_:
        for program, questions in [*open_.items()]:
            said[program] = _ask(questions)
            if not questions:
                del open_[program]
            elif given_up(program):
                del open_[program]
                said[program] = "ended before it answered"
        if time.monotonic() > until:
            break
        if open_:
            threading.Event().wait(PAUSE)
    return {program: text for program, text in said.items() if text}


def enter(namespace: str) -> None:
    """Move the calling thread into a network namespace.

    Raises: MachineError where the kernel refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    handle = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.setns(handle, CLONE_NEWNET) != 0:
            reason = os.strerror(ctypes.get_errno())
            raise MachineError(f"setns({namespace}): {reason}; run inside the sandbox that made it")
    finally:
        os.close(handle)


def _ask(questions: list[Ready]) -> str:
    """Strike out what is answered; say why the first that is not was not, else nothing."""
    while questions:
        question = questions[0]
        said = ASK[question.how](question)
        if said:
            return f"{question.how} {question.address} port {question.port}: {said}"
        questions.pop(0)
    return ""


def _tcp(question: Ready) -> str:
    try:
        socket.create_connection((question.address, question.port), PATIENCE).close()
    except OSError as error:
        return str(error)
    return ""


def _udp(question: Ready) -> str:
    answer = _exchange(question, question.name.encode("latin-1"))
    return answer if isinstance(answer, str) else ""


def _dns(question: Ready) -> str:
    query = dns.message.make_query(question.name, "SOA" if question.name == "." else "A")
    answer = _exchange(question, query.to_wire())
    if isinstance(answer, str):
        return answer
    try:
        code = dns.message.from_wire(answer).rcode()
    except Exception as error:  # dnspython has no common base for what a datagram can do to it
        return f"not a DNS answer: {error}"
    return f"answers {dns.rcode.to_text(code)}" if code in UNREADY else ""


def _sip(question: Ready) -> str:
    host = f"[{question.address}]" if ":" in question.address else question.address
    request = (
        f"OPTIONS sip:{question.name} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {host}:{{port}};branch=z9hG4bKready;rport\r\n"
        f"From: <sip:ready@{question.name}>;tag=ready\r\n"
        f"To: <sip:{question.name}>\r\nCall-ID: ready@{host}\r\n"
        "CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
    answer = _exchange(question, request.encode())
    if isinstance(answer, str):
        return answer
    return "" if answer.startswith(b"SIP/2.0 ") else f"not a SIP response: {answer[:40]!r}"


#: A Binding request (RFC 8489 section 5) and the success response to it.
_BINDING = b"\0\1\0\0\x21\x12\xa4\x42filterready!"
_BOUND = b"\1\1"


def _stun(question: Ready) -> str:
    answer = _exchange(question, _BINDING)
    if isinstance(answer, str):
        return answer
    ours = answer.startswith(_BOUND) and answer[4:20] == _BINDING[4:]
    return "" if ours else f"not a STUN response: {answer[:40]!r}"


def _exchange(question: Ready, data: bytes) -> bytes | str:
    """Send one datagram and return the one that comes back, or why there was none."""
    family = socket.AF_INET6 if ":" in question.address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as asker:
        try:
            asker.connect((question.address, question.port))
            asker.send(data.replace(b"{port}", str(asker.getsockname()[1]).encode()))
            if not select.select([asker], [], [], PATIENCE)[0]:
                return f"silent for {PATIENCE} s"
            return asker.recv(65535)
        except OSError as error:
            return str(error)


ASK: Mapping[str, Callable[[Ready], str]] = {
    "tcp": _tcp,
    "udp": _udp,
    "dns": _dns,
    "sip": _sip,
    "stun": _stun,
}
