"""Record the wire on both sides of every box, with dumpcap."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from pathlib import Path

from filterbed.rundir import RunDir
from topologies.network import Network, NetworkError, wait_until

#: MiB of kernel buffer per interface: a run's traffic fits, so nothing is lost to slow disks.
_BUFFER_MIB = 16
_READY_SECONDS = 10.0
#: Seconds after which dumpcap has written what the kernel holds for it: libpcap hands packets over
#: in blocks, a quarter of a second old at most, and what is in one when it ends is lost.
_WRITTEN_SECONDS = 0.4


class Captures:
    """The running captures of one run; `stop` ends them and closes their files."""

    def __init__(self, network: Network, rundir: RunDir) -> None:
        self._running: dict[str, tuple[subprocess.Popen[bytes], Path]] = {}
        self._paths: list[Path] = []
        for box in network.plan.boxes:
            for interface in (*box.inside, *box.outside):
                log = rundir.logs / f"dumpcap-{interface}.log"
                path = rundir.wire(box.node, interface)
                argv = ["dumpcap", "-q", "-n", "-i", interface, "-s", "0", "-B", str(_BUFFER_MIB)]
                with open(log, "wb") as errors:
                    process = network.popen(
                        box.node,
                        [*argv, "-w", str(path)],
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.DEVNULL,
                        stderr=errors,
                    )
                self._running[interface] = (process, log)
                self._paths.append(path)

    def ready(self) -> None:
        """Wait until every capture records; NetworkError holds what dumpcap said instead."""
        for interface, (process, log) in self._running.items():
            try:
                wait_until(
                    lambda log=log, process=process: (  # type: ignore[misc]
                        b"File: " in log.read_bytes() or process.poll() is not None
                    ),
                    _READY_SECONDS,
                    f"the capture on {interface}",
                )
            except NetworkError as error:
                raise NetworkError(f"{error}; dumpcap said: {_words(log)}") from error
            if process.poll() is not None:
                raise NetworkError(f"the capture on {interface} ended: {_words(log)}")

    def dead(self) -> list[str]:
        """Say which captures have ended although nobody asked."""
        return [
            f"the capture on {interface} ended with {process.returncode}: {_words(log)}"
            for interface, (process, log) in self._running.items()
            if process.poll() is not None
        ]

    def stop(self) -> None:
        """End the captures once they have written all; their files are whole afterwards."""
        paths = [path for path in self._paths if path.exists()]
        sizes, until = [0], time.monotonic() + _READY_SECONDS
        while sizes != (now := [path.stat().st_size for path in paths]):
            sizes = now
            threading.Event().wait(_WRITTEN_SECONDS)
            if time.monotonic() > until:
                break
        for process, _ in self._running.values():
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        for process, _ in self._running.values():
            process.wait(_READY_SECONDS)


def _words(log: Path) -> str:
    return " / ".join(log.read_text("utf-8", "replace").strip().splitlines()[-4:]) or "(nothing)"
