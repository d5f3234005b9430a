"""Record the wire on both sides of every box, with dumpcap."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

from filterbed.rundir import RunDir
from topologies.network import Network, NetworkError, wait_until

#: MiB of kernel buffer per interface: a run's traffic fits, so nothing is lost to slow disks.
_BUFFER_MIB = 16
_READY_SECONDS = 10.0


class Captures:
    """The running captures of one run; `stop` ends them and closes their files."""

    def __init__(self, network: Network, rundir: RunDir) -> None:
        self._running: dict[str, tuple[subprocess.Popen[bytes], Path]] = {}
        self._stderr: list[Path] = []
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
        """End the captures; their files are whole afterwards."""
        for process, _ in self._running.values():
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        for process, _ in self._running.values():
            process.wait(_READY_SECONDS)


def _words(log: Path) -> str:
    return " / ".join(log.read_text("utf-8", "replace").strip().splitlines()[-4:]) or "(nothing)"
