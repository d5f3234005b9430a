"""A sender, a box and a receiver in a row, each a network namespace, and what passes through.

Only to be made inside namespaces of our own (`benchmarks.__main__` sees to that). Links are veth
pairs without any offload and TCP windows are at most 64 KiB, as in a run of the testbed.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

BULK = Path(__file__).with_name("bulk.py")
PORT = 5001
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
    """What one transfer achieved: bits per second, and packets the queue lost meanwhile."""

    rate: float
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


def transfer(seconds: float) -> Passage:
    """Send through the box for so many seconds."""
    python = [sys.executable, "-I", "-S", str(BULK)]
    receiver = subprocess.Popen(
        [*at("receiver"), *python, "receive", str(PORT), str(seconds)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert receiver.stdout is not None
    receiver.stdout.readline()
    before = lost()
    sender = subprocess.Popen([*at("sender"), *python, "send", RECEIVER, str(PORT)])
    answer, _ = receiver.communicate(timeout=seconds + 30)
    sender.wait(timeout=30)
    if receiver.returncode != 0:
        raise RuntimeError(f"the transfer ended with exit status {receiver.returncode}")
    return Passage(float(answer), lost() - before)


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
