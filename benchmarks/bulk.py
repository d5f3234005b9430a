"""Send as much as one TCP connection takes, and say how much arrived.

python -I benchmarks/bulk.py receive PORT SECONDS     prints bits per second
python -I benchmarks/bulk.py send ADDRESS PORT        until the other side has had enough
"""

from __future__ import annotations

import socket
import sys
import time

CHUNK = 1 << 16
WARM_UP = 0.25  # seconds: slow start, and a censor that looks at a flow's beginning


def receive(port: int, seconds: float) -> float:
    """Count what arrives in `seconds` after the warm-up; return bits per second."""
    with socket.create_server(("", port)) as server:
        print("ready", flush=True)
        connection, _ = server.accept()
        connection.settimeout(5)
        buffer = bytearray(4 * CHUNK)
        with connection:
            begin = time.monotonic()
            while time.monotonic() - begin < WARM_UP:
                connection.recv_into(buffer)
            begin, count = time.monotonic(), 0
            while (now := time.monotonic()) - begin < seconds:
                count += connection.recv_into(buffer)
    return count * 8 / (now - begin)


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
        print(receive(int(sys.argv[2]), float(sys.argv[3])))
    else:
        send(sys.argv[2], int(sys.argv[3]))
