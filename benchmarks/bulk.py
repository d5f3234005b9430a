"""Send as much as one TCP connection takes, and say how much arrived.

python -I benchmarks/bulk.py receive PORT SECONDS [SEGMENT]   prints bits and packets per second
python -I benchmarks/bulk.py send ADDRESS PORT                until the other side has had enough
"""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path

CHUNK = 1 << 16
WARM_UP = 0.25  # seconds: slow start, and a censor that looks at a flow's beginning


def receive(port: int, seconds: float, segment: int | None) -> tuple[float, float]:
    """Count for `seconds` after the warm-up; return bits per second, and packets both ways.

    `segment`: the largest segment that the sender may use, in bytes; None leaves it to the link.
    """
    with socket.create_server(("", port)) as server:
        if segment is not None:
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, segment)
        print("ready", flush=True)
        connection, _ = server.accept()
        connection.settimeout(5)
        buffer = bytearray(4 * CHUNK)
        with connection:
            begin = time.monotonic()
            while time.monotonic() - begin < WARM_UP:
                connection.recv_into(buffer)
            begin, count, before = time.monotonic(), 0, packets()
            while (now := time.monotonic()) - begin < seconds:
                count += connection.recv_into(buffer)
            after = packets()
    return count * 8 / (now - begin), (after - before) / (now - begin)


def packets() -> int:
    """Count the packets that this host's links have carried; all of them cross the box."""
    lines = Path("/proc/net/dev").read_text().splitlines()[2:]
    fields = [
        line.partition(":")[2].split() for line in lines if not line.strip().startswith("lo:")
    ]
    return sum(int(field[1]) + int(field[9]) for field in fields)


def send(address: str, port: int) -> None:
    """Write until the connection ends."""
    chunk = bytes(CHUNK)
    with socket.create_connection((address, port), timeout=5) as connection:
        try:
            while True:
                connection.sendall(chunk)
        except OSError:
            return


if __name__ == "__main__":
    if sys.argv[1] == "receive":
        most = int(sys.argv[4]) if len(sys.argv) > 4 else None
        print(*receive(int(sys.argv[2]), float(sys.argv[3]), most))
    else:
        send(sys.argv[2], int(sys.argv[3]))
