"""Open TCP connections and move bytes, so that every way of failing keeps its own name.

Every socket used is noted as a flow `[protocol, local address, local port, remote address, remote
port]`, the local end as the kernel chose it.

Limits: an ICMP port unreachable in answer to a SYN cannot be told from a RST: both are `refused`.
"""

from __future__ import annotations

import errno
import selectors
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from filterbed.probe.address import family

Row = dict[str, Any]
Flow = list[Any]

_OUTCOMES: Final = {
    0: "ok",
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "reset",
    errno.EPIPE: "reset",
    errno.ETIMEDOUT: "timeout",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
    errno.EACCES: "unreachable",  # an ICMP "administratively prohibited", or no permission
    errno.EADDRNOTAVAIL: "unreachable",  # no address of that family here
    errno.EAFNOSUPPORT: "unreachable",
    errno.EINVAL: "unreachable",  # 0.0.0.0/8, class E and the like
}


class BrokenError(Exception):
    """The stream ended early; `outcome` is reset, fin or timeout."""

    def __init__(self, outcome: str) -> None:
        super().__init__(outcome)
        self.outcome = outcome


def outcome(error: OSError) -> str:
    """Name a socket error in the measurements' words."""
    if isinstance(error, TimeoutError):
        return "timeout"
    return _OUTCOMES.get(error.errno or 0, "unreachable")


def note(flows: list[Flow], protocol: str, sock: socket.socket, address: str, port: int) -> None:
    """Remember a socket's 5-tuple; one that never got a local port is not a flow."""
    local = sock.getsockname()
    if local[1]:
        flows.append([protocol, local[0], local[1], address, port])


@dataclass(slots=True)
class _Attempt:
    sock: socket.socket
    row: Row
    began: float


def connect_all(
    addresses: Iterable[str], port: int, *, timeout: float, flows: list[Flow]
) -> list[tuple[socket.socket | None, Row]]:
    """Try every address at once; return each one's socket (None unless ok) and its `tcp` row.

    The kernel repeats an unanswered SYN after one second, so a time-out above that has excluded
    a single loss.
    """
    results: list[tuple[socket.socket | None, Row]] = []
    waiting: dict[int, _Attempt] = {}
    with selectors.DefaultSelector() as selector:
        for address in addresses:
            attempt, code = _start(address, port, flows)
            if code == errno.EINPROGRESS:
                waiting[len(results)] = attempt
                selector.register(attempt.sock, selectors.EVENT_WRITE, len(results))
                results.append((None, attempt.row))
            else:
                results.append(_settle(attempt, code))
        deadline = time.monotonic() + timeout
        while waiting and (left := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                attempt = waiting.pop(key.data)
                selector.unregister(attempt.sock)
                code = attempt.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                results[key.data] = _settle(attempt, code)
    for number, attempt in waiting.items():
        results[number] = _settle(attempt, errno.ETIMEDOUT)
    return results


def _start(address: str, port: int, flows: list[Flow]) -> tuple[_Attempt, int]:
    sock = socket.socket(family(address), socket.SOCK_STREAM)
    sock.setblocking(False)
    row: Row = {"address": address, "port": port, "outcome": "timeout", "seconds": 0.0}
    attempt = _Attempt(sock, row, time.monotonic())
    code = sock.connect_ex((address, port))
    note(flows, "tcp", sock, address, port)
    return attempt, code


def _settle(attempt: _Attempt, code: int) -> tuple[socket.socket | None, Row]:
    attempt.row["outcome"] = _OUTCOMES.get(code, "unreachable")
    attempt.row["seconds"] = elapsed(attempt.began)
    if code:
        attempt.sock.close()
        return None, attempt.row
    return attempt.sock, attempt.row


def elapsed(began: float) -> float:
    """Return the seconds since `began` (monotonic), to the microsecond."""
    return round(time.monotonic() - began, 6)


@dataclass(slots=True)
class Stream:
    """A connected socket whose every wait ends by `deadline` (monotonic seconds)."""

    sock: socket.socket
    deadline: float
    received: int = field(default=0)

    def send(self, data: bytes) -> None:
        """Send everything, or raise BrokenError."""
        try:
            self.sock.settimeout(self._left())
            self.sock.sendall(data)
        except OSError as error:
            raise BrokenError(_broken(error)) from error

    def receive(self) -> bytes:
        """Return the next bytes; BrokenError says reset, fin or timeout."""
        try:
            self.sock.settimeout(self._left())
            data = self.sock.recv(65536)
        except OSError as error:
            raise BrokenError(_broken(error)) from error
        if not data:
            raise BrokenError("fin")
        self.received += len(data)
        return data

    def close(self) -> None:
        """Close the socket."""
        self.sock.close()

    def _left(self) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def _broken(error: OSError) -> str:
    word = outcome(error)
    return word if word in ("reset", "timeout") else "reset"
