"""Give each vantage its place: what a tool finds there, and how it reaches the control helper."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from filterbed.order import Order
from filterbed.sandbox.netns import socket_in
from filterbed.sandbox.place import FILES, Place
from scenarios.model import Target
from topologies.network import Network, NetworkError, wait_until

#: Where a tool reaches the control helper: on its own loopback, so that asking crosses no box.
CONTROL_PORT = 7007
SYSTEM_CA = "/etc/ssl/certs/ca-certificates.crt"
_CONTROL_SECONDS = 10.0


def place(network: Network, host: str, order: Order, ca: str, targets: Sequence[Target]) -> Place:
    """Return the place of a tool on `host`, with its own resolver, hosts file, CA and targets."""
    node = network.plan.node(host)
    resolver = f"nameserver {node.resolver}\n" if node.resolver else ""
    return Place(
        pid=network.pid(host),
        host=host,
        hidden=order.hidden,
        covered=order.covered,
        keep=order.keep,
        files={
            "resolv.conf": f"{resolver}options timeout:2 attempts:2\n",
            "hosts": f"127.0.0.1 localhost\n::1 localhost\n127.0.1.1 {host}\n",
            "ca.pem": ca,
            "targets.json": json.dumps([target.public() for target in targets], indent=1),
        },
        replaced={"/etc/resolv.conf": "resolv.conf", "/etc/hosts": "hosts", SYSTEM_CA: "ca.pem"},
        nested=node.role == "vantage",
    )


def environment(order: Order, vantage: str) -> dict[str, str]:
    """Return a tool's environment: the caller's, with what the contract and the place set."""
    env = {k: v for k, v in order.env.items() if not k.startswith("FILTERBED_")}
    path = env.get("PATH", "/usr/local/bin:/usr/bin:/bin")
    env |= {
        "PATH": f"{path}:/usr/sbin:/sbin",
        "HOME": "/tmp/home",
        "TMPDIR": "/tmp",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "FILTERBED_TARGETS": f"{FILES}/targets.json",
        "FILTERBED_VANTAGE": vantage,
        "FILTERBED_CONTROL": f"127.0.0.1:{CONTROL_PORT}",
    }
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"):
        env[name] = f"{FILES}/ca.pem"
    for name in ("SSL_CERT_DIR", "http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY",
                 "HTTPS_PROXY", "ALL_PROXY", "XDG_RUNTIME_DIR"):  # fmt: skip
        env.pop(name, None)
    return env


class Control:
    """The control helper: one process on the control host, heard on every vantage's loopback.

    It starts before there is an authority, which it trusts from `ready` on.
    """

    def __init__(
        self, network: Network, vantages: Sequence[str], directory: Path, log: Path
    ) -> None:
        self._log = log
        node = network.plan.node("control")
        self._trusted = directory / "trusted.pem"
        self._trusted.touch()
        (directory / "resolv.conf").write_text(f"nameserver {node.resolver}\n")
        network.run("control", _bind(f"{directory}/resolv.conf", "/etc/resolv.conf"))
        ears = [self._ear(network, vantage) for vantage in vantages]
        argv = [sys.executable, "-P", "-m", "filterbed.probe.control"]
        for ear in ears:
            argv += ["--listen-fd", str(ear.fileno())]
        with open(log, "wb") as output:
            self.process = network.popen(
                "control",
                argv,
                env={**os.environ, "SSL_CERT_FILE": str(self._trusted)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[ear.fileno() for ear in ears],
            )
        for ear in ears:
            ear.close()

    def ready(self, ca: str) -> None:
        """Have it trust `ca`, and wait until it serves; NetworkError holds its log's end."""
        self._trusted.write_text(ca)
        wait_until(
            lambda: b"ready" in self._log.read_bytes() or self.process.poll() is not None,
            _CONTROL_SECONDS,
            "the control helper",
        )
        if self.process.poll() is not None:
            words = self._log.read_text("utf-8", "replace")[-500:]
            raise NetworkError(f"the control helper ended: {words}")

    def alive(self) -> bool:
        """Say whether it still runs."""
        return self.process.poll() is None

    @staticmethod
    def _ear(network: Network, vantage: str) -> socket.socket:
        ear = socket_in(network.pid(vantage), socket.AF_INET, socket.SOCK_STREAM)
        ear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        ear.bind(("127.0.0.1", CONTROL_PORT))
        ear.listen(64)
        return ear


def _bind(source: str, path: str) -> str:
    return (
        f"t=$(readlink -f {path} || readlink -m {path}); "
        'mkdir -p "$(dirname "$t")" 2>/dev/null || true; [ -e "$t" ] || touch "$t"; '
        f'mount --bind {source} "$t"'
    )
