"""See in the box how long after each question its forged answer leaves, by the kernel's clock.

python -I benchmarks/late.py watch COUNT       in the box: prints one JSON list of seconds
python -I benchmarks/late.py ask ADDRESS COUNT on the sender: one DNS question after the other

Both packets are seen on one packet socket, which stamps them with the kernel's time: the question
as it comes in from the sender, the answer as it goes out to it.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import time
from contextlib import suppress

NAME = b"\x03www\x06site-1\x07example\x00"
GAP = 0.004  # seconds between questions: the box is idle in between
_ETH_P_IP = 0x0800
_SO_TIMESTAMPNS = 35  # asm-generic/socket.h
_OUTGOING = 4  # PACKET_OUTGOING of linux/if_packet.h
_PATIENCE = 5.0


def watch(interface: str, count: int) -> list[float]:
    """Return the seconds between each question and its answer, at most `count` of them."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0) as ear:
        ear.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        ear.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        ear.bind((interface, 3))  # ETH_P_ALL: what leaves is seen only so
        ear.settimeout(_PATIENCE)
        print("ready", flush=True)
        asked: dict[bytes, int] = {}
        found: list[float] = []
        while len(found) < count:
            try:
                data, notes, _, where = ear.recvmsg(2048, 64)
            except TimeoutError:
                break
            if where[1] != _ETH_P_IP or data[9] != socket.IPPROTO_UDP:
                continue
            second, nano = struct.unpack("@ll", notes[0][2][:16])
            number, at = data[28:30], second * 10**9 + nano
            if where[2] == _OUTGOING:
                if number in asked:
                    found.append((at - asked.pop(number)) / 1e9)
            else:
                asked[number] = at
        return found


def ask(address: str, count: int) -> None:
    """Ask, and wait a little, whatever the answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mouth:
        mouth.settimeout(1)  # not connected: that nobody is at the port is no error
        for number in range(count):
            head = struct.pack("!6H", number, 0x0100, 1, 0, 0, 0)
            mouth.sendto(head + NAME + struct.pack("!HH", 1, 1), (address, 53))
            with suppress(TimeoutError):
                mouth.recv(512)
            time.sleep(GAP)


if __name__ == "__main__":
    if sys.argv[1] == "watch":
        print(json.dumps(watch(sys.argv[2], int(sys.argv[3]))))
    else:
        ask(sys.argv[2], int(sys.argv[3]))
