"""Measure a held link: three namespaces in a row, the middle one holds one of its links."""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live.stage import UNSHARE

pytestmark = [pytest.mark.live, pytest.mark.alone]

#: An ordinary user may not read the queue's counters in the first network namespace made.
BASH = ["unshare", "-n", "bash", "-e", "-c"]
ROOT = Path(__file__).parents[2]
DELAY = 0.020

#: ADDRESS COUNT AT_ONCE: sends echo requests, so many at once, and prints each round trip.
PING = """
import select, socket, struct, sys, time
address, count, burst = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
six = ":" in address
asker = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_RAW, 58 if six else 1)
asker.connect((address, 0))
for number in range(0, count, burst):
    sent = {}
    for n in range(number, number + burst):
        data = struct.pack("!BBHHH", 128 if six else 8, 0, 0, 77, n)
        total = sum(struct.unpack("!4H", data))
        total = ~(total + (total >> 16)) & 0xFFFF
        sent[n] = time.monotonic()
        asker.send(data[:2] + struct.pack("!H", 0 if six else total) + data[4:])
    while sent and select.select([asker], [], [], 1)[0]:
        answer = asker.recv(2048)[0 if six else 20:]
        kind, ours, n = answer[0], *struct.unpack("!HH", answer[4:8])
        if kind == (129 if six else 0) and ours == 77 and n in sent:
            print(f"time={(time.monotonic() - sent.pop(n)) * 1000:.3f} ms")
"""

#: left (10.1.0.1) - router - right (10.2.0.1); left and right ping from there.
GROUND = """
mount -t tmpfs none /run
ip link set lo up
# wait_for WHAT COMMAND...
wait_for() { local n=0 what=$1; shift; until "$@"; do n=$((n+1))
  [ $n -lt 3000 ] || { echo "$what did not happen" >&2; exit 1; }
  read -t 0.01 _ <> <(:) || true; done; }
quiet() { (cd /proc/sys/net/ipv6/conf/default; echo 0 > accept_dad; echo 0 > dad_transmits); }
export -f quiet; quiet
unshare -n sleep 1000 & L=$!
unshare -n sleep 1000 & R=$!
apart() { [ "$(readlink /proc/$1/ns/net)" != "$(readlink /proc/self/ns/net)" ]; }
for child in $L $R; do wait_for "a network of $child's own" apart $child; done
echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
for side in "1 $L" "2 $R"; do set -- $side
  nsenter -n -t $2 bash -c quiet
  ip link add to$1 index 1$1 type veth peer name eth0 index 2$1 netns $2
  ip link set to$1 up; ip addr add 10.$1.0.254/24 dev to$1; ip addr add fd0$1::fe/64 dev to$1 nodad
  nsenter -n -t $2 bash -e -c "ip link set lo up; ip link set eth0 up
    ip addr add 10.$1.0.1/24 dev eth0; ip addr add fd0$1::1/64 dev eth0 nodad
    ip route add default via 10.$1.0.254; ip -6 route add default via fd0$1::fe"
done
left() { nsenter -n -t $L "$PYTHON" -c "$PING" "$@"; }
right() { nsenter -n -t $R "$PYTHON" -c "$PING" "$@"; }
reached() { left fd02::1 1 1 | grep -q time; }
wait_for "an answer across" reached
"""
START = f"""
mkfifo /run/in; exec 7<>/run/in
{sys.executable} -P -m topologies.hold --queue 7 --interface to2 --delay {DELAY} %s \
  </run/in >/run/out 2>/run/err & H=$!
wait_for "the hold, ready," grep -q ready /run/out
"""
END = "kill -TERM $H; wait $H && echo exit 0 || echo exit $?; cat /run/out /run/err\n"


def inside(script: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PING": PING, "PYTHON": sys.executable}
    done = subprocess.run(
        [*UNSHARE, *BASH, GROUND + script],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def times(output: str) -> list[float]:
    return [float(found) / 1000 for found in re.findall(r"time=([\d.]+) ms", output)]


def told(output: str) -> dict[str, float]:
    (line,) = [line for line in output.splitlines() if '"held"' in line]
    return dict(json.loads(line))


@pytest.mark.parametrize("address", ["10.2.0.1", "fd02::1"])
def test_a_held_link_is_late_by_the_delay_in_both_directions(address: str) -> None:
    free = statistics.median(times(inside(f"left {address} 10 1\n")))
    output = inside(START % "" + f"left {address} 40 1\n" + END)
    held = statistics.median(times(output))
    print(f"free {free * 1000:.3f} ms, held {held * 1000:.3f} ms", told(output))
    assert held - free > 2 * DELAY - 0.0002
    assert held - free < 2 * DELAY + 0.003
    assert "exit 0" in output
    assert told(output)["held"] >= 80
    assert told(output)["lost"] == 0


def test_the_router_itself_is_behind_the_delay_only_from_the_held_side() -> None:
    near = inside(START % "" + "left 10.1.0.254 5 1\n" + END)
    far = inside(START % "" + "right 10.2.0.254 5 1\n" + END)
    assert statistics.median(times(near)) < DELAY / 2
    assert statistics.median(times(far)) > 2 * DELAY - 0.0002


def test_many_at_once_are_held_together_and_none_is_lost() -> None:
    # So many at once as the asking socket can hold answers (212,992 bytes by default).
    output = inside(START % "" + "left 10.2.0.1 1000 125\n" + END)
    assert len(times(output)) == 1000
    assert max(times(output)) < 2 * DELAY + 0.1
    assert "exit 0" in output


def test_packets_that_find_no_room_are_counted_and_the_status_says_so() -> None:
    output = inside(START % "--limit 5" + "left 10.2.0.1 200 100\n" + END)
    assert "exit 1" in output
    assert told(output)["lost"] > 0


def test_nothing_is_held_after_the_end() -> None:
    output = inside(START % "" + END + "left 10.2.0.1 5 1\n")
    assert len(times(output)) == 5
    assert statistics.median(times(output)) < DELAY / 2
