"""Have each gateway's kernel tell of the translations it makes, for as long as a run lasts.

What a gateway's proxy made of its client's connections is read from the proxy's own log.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from filterbed import translation
from filterbed.rundir import RunDir
from topologies.network import Network, NetworkError, wait_until
from topologies.services import squid

_READY_SECONDS = 10.0
#: NETLINK_NETFILTER, in the second column of /proc/net/netlink; groups are in the fourth.
_NETFILTER = "12"


class Translators:
    """What listens on every gateway; ends with the network."""

    def __init__(self, network: Network, rundir: RunDir) -> None:
        self._proxies = [
            squid.log(node.name, rundir.logs) for node in network.plan.nodes if node.proxy
        ]
        self._running: dict[str, tuple[subprocess.Popen[bytes], Path]] = {}
        for node in network.plan.nodes:
            if node.nat is None:
                continue
            log = rundir.logs / f"nat-{node.name}.log"
            with open(log, "wb") as out:
                process = network.popen(
                    node.name,
                    ["conntrack", "-E", "-e", "NEW", "-o", "timestamp"],
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                )
            self._running[node.name] = (process, log)

    def ready(self) -> None:
        """Wait until each is told; NetworkError holds what conntrack said instead."""
        for gateway, (process, log) in self._running.items():
            wait_until(
                lambda process=process: (  # type: ignore[misc]
                    _listens(process) or process.poll() is not None
                ),
                _READY_SECONDS,
                f"the record of translations at {gateway}",
            )
            if process.poll() is not None:
                raise NetworkError(f"conntrack at {gateway} ended: {_words(log)}")

    def dead(self) -> list[str]:
        """Say which have ended although nobody asked."""
        return [
            f"the record of translations at {gateway} ended: {_words(log)}"
            for gateway, (process, log) in self._running.items()
            if process.poll() is not None
        ]

    def translations(self) -> translation.Translations:
        """Return every translation so far. Raises: ValueError where some were not heard of."""
        kernels = [translation.read(_lines(log)) for _, log in self._running.values()]
        proxies = [translation.proxied(_lines(log)) for log in self._proxies]
        return translation.joined([*kernels, *proxies])


def _lines(log: Path) -> list[str]:
    return log.read_text("utf-8", "replace").splitlines() if log.exists() else []


def _listens(process: subprocess.Popen[bytes]) -> bool:
    """Whether a socket of the process's network has joined a group of netfilter's."""
    try:
        lines = Path(f"/proc/{process.pid}/net/netlink").read_text().splitlines()[1:]
    except OSError:
        return False
    rows = [line.split() for line in lines]
    return any(row[1] == _NETFILTER and int(row[3], 16) for row in rows if len(row) > 3)


def _words(log: Path) -> str:
    return log.read_text("utf-8", "replace").strip()[-300:] or "(it said nothing)"
