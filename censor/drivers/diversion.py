"""Take connections over: rules and routes that bring their packets here, and whom they go to.

Packets of connections that are ours by another's address are marked before routing and delivered
here; all others are left alone.
Source: Documentation/networking/tproxy.rst (the `socket` match and the local route).
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from censor.drivers.transplant import onward, transparent, transplant
from censor.errors import MachineError
from censor.rule.takeover import Takeover

#: Beside the marks of settled flows (`censor.drivers.kernel`).
_MARK: Final = 0x0FA00000
_TABLE: Final = "250"
_LIMIT: Final = 65_536
_PATH: Final = "/usr/sbin:/sbin:/usr/bin:/bin"
_RULES: Final = f"""*mangle
-F PREROUTING
-A PREROUTING -p tcp -m socket --transparent -j MARK --set-mark {_MARK:#x}
COMMIT
"""
#: Ends of connections taken over do not linger: their ports may be the client's next.
_LINGER: Final = Path("/proc/sys/net/ipv4/tcp_max_tw_buckets")


class Diversion:
    """The way that connections taken over go. `descriptor` is readable when there are answers."""

    def __init__(self) -> None:
        """Lay it. Raises: MachineError with what this machine lacks."""
        _lay()
        self._line, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with far:
            self._helper = subprocess.Popen(
                [sys.executable, "-P", "-m", "censor.drivers.interceptor", str(far.fileno())],
                pass_fds=[far.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        self.descriptor = self._line.fileno()

    def take(self, takeover: Takeover) -> Mapping[str, Any]:
        """Take a connection over; say by which one it is relayed. Raises: MachineError."""
        try:
            with transplant(takeover) as client, onward(takeover) as server:
                port = server.getsockname()[1]
                request = json.dumps(_request(takeover)).encode()
                socket.send_fds(self._line, [request], [client.fileno(), server.fileno()])
        except OSError as fault:
            raise MachineError(
                f"a connection cannot be taken over: {fault}; `filterbed doctor` says what this"
                " kernel lacks"
            ) from fault
        flow = _flow(takeover)
        return {"flow": flow, "onward": {**flow, "client_port": port}}

    def answers(self) -> Iterator[Mapping[str, Any]]:
        """Yield what was shown to clients meanwhile. Raises: MachineError if nobody is there."""
        while True:
            try:
                text = self._line.recv(_LIMIT, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except OSError as fault:
                raise MachineError(f"the interceptor does not answer: {fault}") from fault
            if not text:
                raise MachineError("the interceptor died, see the censor's log")
            yield json.loads(text)

    def close(self) -> None:
        """End all connections taken over."""
        self._line.close()
        self._helper.wait()


def _flow(takeover: Takeover) -> dict[str, Any]:
    return {
        "protocol": "tcp",
        "client": str(ip_address(takeover.client)),
        "client_port": takeover.client_port,
        "server": str(ip_address(takeover.server)),
        "server_port": takeover.server_port,
    }


def _request(takeover: Takeover) -> Mapping[str, Any]:
    return {
        "flow": _flow(takeover),
        "server": [str(ip_address(takeover.server)), takeover.server_port],
        "name": takeover.name,
        "protocols": list(takeover.protocols),
        "issuer": takeover.forgery.issuer,
        "own": takeover.forgery.own,
    }


def _lay() -> None:
    """Put rules and routes in place. Raises: MachineError."""
    for tool in ("iptables-restore", "ip6tables-restore"):
        _do([tool, "--noflush"], _RULES)
    for family, everywhere in (("-4", "0.0.0.0/0"), ("-6", "::/0")):
        where = ["fwmark", hex(_MARK), "lookup", _TABLE]
        _do(["ip", family, "rule", "add", *where])
        _do(["ip", family, "route", "add", "local", everywhere, "dev", "lo", "table", _TABLE])
    for raw in (bytes(4), bytes(16)):
        try:
            transparent(raw).close()
        except OSError as fault:
            raise MachineError(f"no transparent sockets here: {fault}") from fault
    if _LINGER.exists():
        _LINGER.write_text("0\n")


def _do(command: list[str], text: str = "") -> None:
    tool = shutil.which(command[0], path=os.environ.get("PATH", "") + ":" + _PATH)
    if tool is None:
        raise MachineError(f"{command[0]}: not found; it is in Debian's iptables or iproute2")
    done = subprocess.run(
        [tool, *command[1:]], input=text, text=True, capture_output=True, check=False
    )
    if done.returncode:
        raise MachineError(
            f"this kernel cannot intercept: {' '.join(command)}: {done.stderr.strip()}; it needs"
            " the netfilter match `socket` and policy routing, or a policy without `intercept`"
        )
