"""A sender, a box and a receiver in a row, each a network namespace, and what passes through.

Only to be made inside namespaces of our own (`benchmarks.__main__` sees to that). Links are veth
pairs without any offload and TCP windows are at most 64 KiB, as in a run of the testbed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
PYTHON = (sys.executable, "-I", "-S")
PORT = 5001
#: Segments of so many bytes make packets rather than bytes the load.
SMALL = 88
ROUND_TRIPS = 400
QUESTIONS = 200
RECEIVER = "198.18.2.2"
HOSTS = ("sender", "box", "receiver")
LAYOUT = """
link add s-box type veth peer name b-in
link add b-out type veth peer name r-box
link set s-box netns sender
link set b-in netns box
link set b-out netns box
link set r-box netns receiver
-n sender addr add 198.18.1.2/24 dev s-box
-n box addr add 198.18.1.1/24 dev b-in
-n box addr add 198.18.2.1/24 dev b-out
-n receiver addr add 198.18.2.2/24 dev r-box
-n sender link set s-box up
-n box link set b-in up
-n box link set b-out up
-n receiver link set r-box up
-n sender route add default via 198.18.1.1
-n receiver route add default via 198.18.2.1
"""
OFFLOADS = ("tso", "gso", "gro", "tx", "rx")


@dataclass(frozen=True, slots=True)
class Passage:
    """What one transfer achieved: bits and packets per second, and packets the queue lost."""

    rate: float
    packets: float
    lost: int


def lay_out() -> None:
    """Make the three hosts and their links."""
    run("mount", "-t", "tmpfs", "none", "/run")
    for host in HOSTS:
        run("ip", "netns", "add", host)
        sysctl(host, "net.ipv4.tcp_rmem=4096 65536 65536", "net.ipv4.tcp_wmem=4096 65536 65536")
    for line in LAYOUT.strip().splitlines():
        run("ip", *line.split())
    sysctl("box", "net.ipv4.ip_forward=1")
    for host, interface in (("sender", "s-box"), ("box", "b-in"), ("box", "b-out")):
        off = [word for offload in OFFLOADS for word in (offload, "off")]
        run(*at(host), "ethtool", "-K", interface, *off)
    run(*at("receiver"), "ethtool", "-K", "r-box", *[w for o in OFFLOADS for w in (o, "off")])


def transfer(seconds: float, segment: int | None = None) -> Passage:
    """Send through the box for so many seconds, in segments of at most so many bytes."""
    most = [] if segment is None else [str(segment)]
    receiver = started("receiver", "bulk.py", "receive", str(PORT), str(seconds), *most)
    before = lost()
    sender = subprocess.Popen(program("sender", "bulk.py", "send", RECEIVER, str(PORT)))
    answer, _ = receiver.communicate(timeout=seconds + 30)
    sender.wait(timeout=30)
    if receiver.returncode != 0:
        raise RuntimeError(f"the transfer ended with exit status {receiver.returncode}")
    rate, packets = map(float, answer.split())
    return Passage(rate, packets, lost() - before)


def round_trip() -> float:
    """Return the median round trip through the box and back, in seconds."""
    server = started("receiver", "echo.py", "serve", str(PORT))
    try:
        return float(
            run(*program("sender", "echo.py", "ask", RECEIVER, str(PORT), str(ROUND_TRIPS)))
        )
    finally:
        server.kill()
        server.communicate()


def delays() -> list[float]:
    """Return for each of many questions how long after it the forged answer left, in seconds."""
    watcher = started("box", "late.py", "watch", "b-in", str(QUESTIONS))
    run(*program("sender", "late.py", "ask", RECEIVER, str(QUESTIONS)))
    answer, _ = watcher.communicate(timeout=30)
    found: list[float] = json.loads(answer)
    if len(found) < QUESTIONS:
        raise RuntimeError(f"{len(found)} of {QUESTIONS} questions had a forged answer")
    return found


def program(host: str, name: str, *arguments: str) -> list[str]:
    """Return the command that runs one of the programs beside this file on a host."""
    return [*at(host), *PYTHON, str(HERE / name), *arguments]


def started(host: str, name: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a program beside this file on a host, and wait for its first line."""
    process = subprocess.Popen(program(host, name, *arguments), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def lost() -> int:
    """Count packets the queues of the box dropped: no room in the queue, or in its socket."""
    text = run(*at("box"), "cat", "/proc/net/netfilter/nfnetlink_queue")
    return sum(int(line.split()[5]) + int(line.split()[6]) for line in text.splitlines())


def at(host: str) -> tuple[str, ...]:
    """Begin a command that runs on this host."""
    return ("ip", "netns", "exec", host)


def sysctl(host: str, *settings: str) -> None:
    """Set kernel parameters of one host."""
    run(*at(host), "sysctl", "-qw", *settings)


def run(*command: str) -> str:
    """Run a command and return its output; its own words in the error where it fails."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=30
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
