"""Record the wire on both sides of every box, with dumpcap.

libpcap hands packets over in blocks, each up to a quarter of a second old, and what is in one when
dumpcap ends is lost. A frame of our own, sent last, says when that cannot be: the kernel keeps the
order, so once it lies in the file all before it does. It stands in the file ever after.
"""

from __future__ import annotations

import secrets
import signal
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filterbed.rundir import RunDir
from filterbed.sandbox.netns import socket_in
from topologies.network import Network, NetworkError, wait_until

#: MiB of kernel buffer per interface: a run's traffic fits, so nothing is lost to slow disks.
_BUFFER_MIB = 16
_READY_SECONDS = 10.0
#: How long dumpcap may take to write what was sent last; it takes a quarter of a second.
_WRITTEN_SECONDS = 10.0
#: EtherType "local experimental" (IEEE 802, 9.2.4): nobody takes a frame of ours.
LAST_TYPE: Final = 0x88B5


@dataclass(frozen=True, slots=True)
class _Capture:
    """One dumpcap: what it records, where it writes, what it says."""

    node: str
    interface: str
    process: subprocess.Popen[bytes]
    path: Path
    log: Path

    def ended(self) -> bool:
        return self.process.poll() is not None


class Captures:
    """The running captures of one run; `stop` ends them and closes their files."""

    def __init__(self, network: Network, rundir: RunDir) -> None:
        self._network = network
        self._running = [
            _start(network, rundir, box.node, interface)
            for box in network.plan.boxes
            for interface in (*box.inside, *box.outside)
        ]

    def ready(self) -> None:
        """Wait until every capture records; NetworkError holds what dumpcap said instead."""
        for one in self._running:
            try:
                wait_until(
                    lambda one=one: b"File: " in one.log.read_bytes() or one.ended(),  # type: ignore[misc]
                    _READY_SECONDS,
                    f"the capture on {one.interface}",
                )
            except NetworkError as error:
                raise NetworkError(f"{error}; dumpcap said: {_words(one.log)}") from error
            if one.ended():
                raise NetworkError(f"the capture on {one.interface} ended: {_words(one.log)}")

    def dead(self) -> list[str]:
        """Say which captures have ended although nobody asked."""
        return [
            f"the capture on {one.interface} ended with {one.process.returncode}: {_words(one.log)}"
            for one in self._running
            if one.ended()
        ]

    def stop(self) -> list[str]:
        """End the captures once they have written all; say which have not, whole as they are."""
        dead = self.dead()
        marks = [(one, *self._mark(one)) for one in self._running if not one.ended()]
        problems = []
        for one, begin, mark in marks:
            try:
                wait_until(_written(one, begin, mark), _WRITTEN_SECONDS, "a frame sent last")
            except NetworkError as error:
                problems.append(f"the capture on {one.interface} may lack its end: {error}")
        problems += [said for said in self.dead() if said not in dead]
        for one in self._running:
            if not one.ended():
                one.process.send_signal(signal.SIGINT)
        for one in self._running:
            try:
                one.process.wait(_WRITTEN_SECONDS)
            except subprocess.TimeoutExpired:
                one.process.kill()
                problems.append(f"the capture on {one.interface} did not end when asked to")
        return problems

    def _mark(self, one: _Capture) -> tuple[int, bytes]:
        """Send a frame through the interface; return from where in the file on to look for it."""
        begin, mark = one.path.stat().st_size, secrets.token_bytes(16)
        pid = self._network.pid(one.node)
        with socket_in(pid, socket.AF_PACKET, socket.SOCK_RAW) as sender:
            sender.bind((one.interface, 0))
            sender.send(bytes(12) + LAST_TYPE.to_bytes(2, "big") + mark.ljust(46, b"\0"))
        return begin, mark


def _start(network: Network, rundir: RunDir, node: str, interface: str) -> _Capture:
    """Start dumpcap; as it writes to a pipe, it writes whatever it is handed at once."""
    log, path = rundir.logs / f"dumpcap-{interface}.log", rundir.wire(node, interface)
    argv = ["dumpcap", "-q", "-n", "-i", interface, "-s", "0", "-B", str(_BUFFER_MIB), "-w", "-"]
    with open(log, "wb") as errors, open(path, "wb") as file:
        process = network.popen(node, argv, stdin=subprocess.DEVNULL, stdout=file, stderr=errors)
    return _Capture(node, interface, process, path, log)


def _written(one: _Capture, begin: int, mark: bytes) -> Callable[[], bool]:
    """Return what says whether `mark` stands in the file behind byte `begin`, or never will."""

    def look() -> bool:
        with open(one.path, "rb") as file:
            file.seek(begin)
            return mark in file.read() or one.ended()

    return look


def _words(log: Path) -> str:
    return " / ".join(log.read_text("utf-8", "replace").strip().splitlines()[-4:]) or "(nothing)"
