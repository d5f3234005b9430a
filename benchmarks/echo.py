"""Measure how long a packet takes to the other side and back.

python -I benchmarks/echo.py serve PORT                    says "ready", answers until killed
python -I benchmarks/echo.py ask ADDRESS PORT COUNT        prints the median round trip in seconds
"""

from __future__ import annotations

import socket
import sys
import time
from statistics import median

SIZE = 200
WARM_UP = 50
_GAP = 0.0005  # seconds of quiet between two: each packet meets an idle box


def serve(port: int) -> None:
    """Send back whatever comes."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("", port))
        print("ready", flush=True)
        while True:
            data, whence = one.recvfrom(2048)
            one.sendto(data, whence)


def ask(address: str, port: int, count: int) -> float:
    """Return the median of `count` round trips, in seconds."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.connect((address, port))
        one.settimeout(2)
        for number in range(count + WARM_UP):
            begin = time.perf_counter()
            one.send(bytes(SIZE))
            one.recv(2048)
            if number >= WARM_UP:
                found.append(time.perf_counter() - begin)
            time.sleep(_GAP)
    return median(found)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]))
    else:
        print(ask(sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
