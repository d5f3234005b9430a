"""What is told to the kernel about a connection; what it makes of it is in tests/live."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
from dataclasses import replace

import pytest

from censor.drivers.transplant import _agreed, transplant
from censor.rule.takeover import Forgery, Takeover

PATH = os.environ.get("PATH", "/usr/bin:/bin")


def takeover(
    *,
    client: str = "24.48.0.2",
    server: str = "9.9.9.9",
    scales: tuple[int, int] | None = None,
    sack: bool = False,
    echoed: int | None = None,
) -> Takeover:
    return Takeover(
        client=socket.inet_aton(client), client_port=4000,
        server=socket.inet_aton(server), server_port=443,
        received=b"hello", first=0xFFFFFFFE, next=500, size=1400,
        scales=scales, sack=sack, echoed=echoed, name=None, protocols=(), forgery=Forgery("x"),
    )  # fmt: skip


def test_only_what_was_agreed_on_is_told() -> None:
    assert _agreed(takeover()) == struct.pack("=II", 2, 1400)


def test_options_are_as_the_kernel_takes_them() -> None:
    """Source: include/uapi/linux/tcp.h, struct tcp_repair_opt; the server's scale is ours."""
    said = struct.unpack("=8I", _agreed(takeover(scales=(2, 7), sack=True, echoed=90)))
    assert said == (2, 1400, 3, 7 << 16 | 2, 4, 0, 8, 0)


def test_two_ends_of_a_connection_that_nobody_began_understand_each_other() -> None:
    """Each end hears first what lay in it, then what the other says; in a network of its own."""
    done = subprocess.run(
        ["unshare", "-U", "-r", "-n", sys.executable, "-P", __file__], capture_output=True,
        text=True, check=False, timeout=30, env={**os.environ, "PATH": f"{PATH}:/usr/sbin:/sbin"},
    )  # fmt: skip
    if "unshare:" in done.stderr:
        pytest.skip(f"no user namespaces here: {done.stderr}")
    assert done.stdout.split() == ["hello", "again", "there", "you"], done.stderr


def both() -> None:
    """Be the program of the test above."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    one = takeover(client="127.0.0.2", server="127.0.0.3", scales=(2, 7), sack=True)
    other = replace(
        one, client=one.server, client_port=443, server=one.client, server_port=4000,
        received=b"there", first=one.next - 5, next=one.first + 5, scales=(7, 2),
    )  # fmt: skip
    # The first end that is there must not be told that the other is not.
    still = ["OUTPUT", "-p", "tcp", "--dport", "4000", "-j", "DROP"]
    subprocess.run(["iptables", "-A", *still], check=True)
    with transplant(one) as server, transplant(other) as client:
        subprocess.run(["iptables", "-D", *still], check=True)
        for end in (server, client):
            end.settimeout(10)
        client.sendall(b"again")
        server.sendall(b"you")
        for end in (server, client):
            heard = b""
            while len(heard) < 8:
                heard += end.recv(100)
            print(heard[:5].decode(), heard[5:].decode())


if __name__ == "__main__":
    both()
