"""Those that stand in the box: plain forwarding, a C loop, scapy, our censor.

Each is a context manager that has put itself in the way when it is entered, and is gone, rules
and all, when it is left.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.ground import at, run

QUEUE = "1"
#: What net.core.rmem_max usually is, so all that an ordinary user's queue can have.
RMEM_MAX = 212_992
HERE = Path(__file__).parent
PLAIN = "plain forwarding"
LOOP = "C loop, every packet"
BATCHES = "C loop, every packet, in batches"
#: For how many packets that loop gives one verdict, at most; as our censor does.
BATCH = 32
OURS = "our censor, every packet"
#: Looks for names, as a censor of a few thousand names does; nothing in a bulk transfer matches.
POLICY = {
    "position": "in-path",
    "rules": [
        {
            "id": "names",
            "when": {"tls.sni": {"suffix": [f"site-{n}.example" for n in range(5000)]}},
            "then": {"drop": "flow"},
            "fidelity": "modelled",
        }
    ],
}
#: Answers one name beside the path, at a stated time.
LATENCY = 0.002
BESIDE = {
    "position": "on-path",
    "latency": LATENCY,
    "rules": [
        {
            "id": "name",
            "when": {"dns.name": {"suffix": ["site-1.example"]}},
            "then": {"inject": "dns-answer", "addresses": ["203.98.7.65"]},
            "fidelity": "modelled",
        }
    ],
}
SCAPY = """
import netfilterqueue, sys
from scapy.layers.inet import IP, TCP
def look(packet):
    ip = IP(packet.get_payload())
    if TCP in ip and b"site-1.example" in bytes(ip[TCP].payload):
        packet.drop()
    else:
        packet.accept()
queue = netfilterqueue.NetfilterQueue()
queue.bind(1, look, 4096)
print("ready", flush=True)
queue.run()
"""


@dataclass(frozen=True, slots=True)
class Contender:
    """One row: its name, whose rate it is set against, how it stands in the box, with a queue?

    closely: small packets and round trips are measured too.
    """

    name: str
    against: str
    queue: bool
    stand: Callable[[Path], AbstractContextManager[None]]
    closely: bool = False


def build(folder: Path) -> None:
    """Compile the C loop and the library that bounds receive buffers."""
    libraries = ["-lnetfilter_queue"]
    run("gcc", "-O2", "-o", str(folder / "accept"), str(HERE / "accept.c"), *libraries)
    shared = ["-shared", "-fPIC", "-o", str(folder / "rmem.so")]
    run("gcc", "-O2", *shared, str(HERE / "rmem.c"), "-ldl")


@contextmanager
def nothing(folder: Path) -> Iterator[None]:
    """Plain forwarding: the box is a router."""
    yield


@contextmanager
def tracking(folder: Path) -> Iterator[None]:
    """Forwarding with connection tracking, which any rule about connections switches on."""
    with rule("-m", "conntrack", "--ctstate", "ESTABLISHED", "-j", "ACCEPT"):
        yield


@contextmanager
def c_loop(folder: Path) -> Iterator[None]:
    """Every packet to a C program that accepts it."""
    with queued(), program([str(folder / "accept"), QUEUE, str(RMEM_MAX)], folder):
        yield


@contextmanager
def c_batches(folder: Path) -> Iterator[None]:
    """Every packet to a C program that accepts those that came one after the other at once."""
    command = [str(folder / "accept"), QUEUE, str(RMEM_MAX), str(BATCH)]
    with queued(), program(command, folder):
        yield


@contextmanager
def scapy(folder: Path) -> Iterator[None]:
    """Every packet to a Python callback that parses it with scapy."""
    with queued(), program([sys.executable, "-c", SCAPY], folder):
        yield


@contextmanager
def settled(folder: Path) -> Iterator[None]:
    """Our censor, which lets the kernel forward flows that nothing can match any more."""
    with censor(folder):
        yield


@contextmanager
def inspected(folder: Path) -> Iterator[None]:
    """Our censor, every packet of every flow asked about."""
    with censor(folder, "--no-offload"):
        yield


@contextmanager
def beside(folder: Path) -> Iterator[None]:
    """Our censor beside the path, which forges an answer to a name."""
    with censor(folder, policy=BESIDE):
        yield


CONTENDERS = (
    Contender(PLAIN, PLAIN, False, nothing, closely=True),
    Contender("forwarding with connection tracking", PLAIN, False, tracking),
    Contender("our censor, settled flows", "forwarding with connection tracking", True, settled),
    Contender(LOOP, PLAIN, True, c_loop, closely=True),
    Contender(BATCHES, LOOP, True, c_batches, closely=True),
    Contender(OURS, LOOP, True, inspected, closely=True),
    Contender("scapy in the callback, every packet", LOOP, True, scapy),
)


@contextmanager
def censor(folder: Path, *options: str, policy: Mapping[str, Any] = POLICY) -> Iterator[None]:
    """Run `python -m censor run` in the box, active, without a record of the packets."""
    written = folder / "policy.json"
    written.write_text(json.dumps(policy))
    try:
        with censor_process(written, folder, *options):
            yield
    finally:  # the censor leaves its rules in place, so that its end never looks like freedom
        for tool in ("iptables", "ip6tables"):
            run(*at("box"), tool, "-w", "-t", "mangle", "-F")


@contextmanager
def censor_process(policy: Path, folder: Path, *options: str) -> Iterator[None]:
    """Start the censor and switch it on."""
    command = [sys.executable, "-P", "-m", "censor", "run", "--policy", str(policy)]
    command += ["--queue", QUEUE, "--inside", "b-in", "--outside", "b-out", *options]
    with tempfile.TemporaryDirectory(dir=folder) as room:
        command += ["--events", str(Path(room) / "events.jsonl")]
        with program(command, folder) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write('{"do": "active"}\n')
            process.stdin.flush()
            process.stdout.readline()
            yield


@contextmanager
def program(command: list[str], folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a program in the box, wait for its first line, and end it afterwards."""
    preload = ["env", f"LD_PRELOAD={folder / 'rmem.so'}"]
    log = folder / "program.log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [*at("box"), *preload, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        if not process.stdout.readline():
            raise RuntimeError(f"{' '.join(command)} did not start: {log.read_text()[-2000:]}")
        yield process
    finally:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        try:
            process.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            process.terminate()
            process.wait(timeout=10)
        process.stdout.close()


@contextmanager
def queued() -> Iterator[None]:
    """Send every forwarded packet to the queue."""
    with rule("-j", "NFQUEUE", "--queue-num", QUEUE):
        yield


@contextmanager
def rule(*words: str) -> Iterator[None]:
    """Have one rule about forwarded packets on the box."""
    run(*at("box"), "iptables", "-w", "-A", "FORWARD", *words)
    try:
        yield
    finally:
        run(*at("box"), "iptables", "-w", "-D", "FORWARD", *words)
