"""Try out what a run asks of the kernel: each thing once, in a scratch sandbox that then ends."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

#: An ordinary user's PATH lacks these on Debian, and servers live in them.
SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")

#: Begins a command in namespaces of its own, which end with it.
SCRATCH = ("unshare", "-U", "-r", "-n", "-m", "-p", "-u", "-i", "-f", "--kill-child")


@dataclass(frozen=True, slots=True)
class Trial:
    """One thing done once inside a scratch sandbox, by a shell command."""

    name: str
    command: str
    lacking: Literal["warn", "missing"]
    meaning: str
    cure: str


def _module(*names: str) -> str:
    return f"as root: modprobe -a {' '.join(names)} (in a container: on the machine under it)"


TRIALS = (
    Trial(
        "veth",
        "ip link add fb0 type veth peer name fb1",
        "missing",
        "links between hosts",
        _module("veth"),
    ),
    Trial(
        "queue rule",
        "iptables -w -t mangle -A FORWARD -j NFQUEUE --queue-num 0 && "
        "ip6tables -w -t mangle -A FORWARD -j NFQUEUE --queue-num 0",
        "missing",
        "hands packets to the censor",
        _module("nfnetlink_queue", "xt_NFQUEUE", "iptable_mangle", "ip6table_mangle"),
    ),
    Trial(
        "queue",
        '"$PYTHON" -I -c "import netfilterqueue as n; n.NetfilterQueue().bind(0, id)"',
        "missing",
        "lets the censor take them",
        _module("nfnetlink_queue"),
    ),
    Trial(
        "queue counters",
        "unshare -n cat /proc/net/netfilter/nfnetlink_queue",
        "missing",
        "tell whether a packet was lost",
        _module("nfnetlink_queue"),
    ),
    Trial(
        "packet marks",
        "iptables -w -t mangle -A FORWARD -m conntrack ! --ctstate RELATED "
        "-j CONNMARK --save-mark && "
        "iptables -w -t mangle -A FORWARD -m connmark --mark 1/1 -j ACCEPT",
        "missing",
        "let settled flows pass unasked",
        _module("xt_connmark", "xt_conntrack", "nf_conntrack"),
    ),
    Trial(
        "connection tracking",
        "conntrack -L",
        "missing",
        "remembers settled flows",
        _module("nf_conntrack", "nf_conntrack_netlink"),
    ),
    Trial(
        "transparent proxy",
        "iptables -w -t mangle -A PREROUTING -p tcp -m socket --transparent -j MARK --set-mark 1"
        " && ip6tables -w -t mangle -A PREROUTING -p tcp -m socket --transparent -j ACCEPT && "
        "ip rule add fwmark 1 lookup 250 && ip -6 rule add fwmark 1 lookup 250 && "
        '"$PYTHON" -I -c "import socket as s; t = s.socket(); t.setsockopt(0, 19, 1);'
        ' t.setsockopt(6, 19, 1)"',
        "warn",
        "scenarios that intercept connections need it",
        _module("xt_socket", "nf_socket_ipv4", "nf_socket_ipv6", "nf_tproxy_ipv4"),
    ),
    Trial(
        "random loss",
        "iptables -w -A FORWARD -m statistic --mode random --probability 0.5 -j DROP",
        "warn",
        "links that lose packets need it",
        _module("xt_statistic"),
    ),
    Trial(
        "netem",
        "tc qdisc add dev fb0 root netem delay 1ms",
        "warn",
        "not needed: a hold queue makes the delay of links, exact to about 0.2 ms",
        _module("sch_netem"),
    ),
    Trial(
        "TCP windows",
        'sysctl -qw net.ipv4.tcp_rmem="4096 16384 65536"',
        "warn",
        "sized so that the queue does not overflow",
        "a kernel of Linux 4.15 or later",
    ),
    Trial(
        "nested sandbox",
        "unshare -U -r -n -m -p -u -i -f --mount-proc true",
        "missing",
        "keeps a tool under test away from the testbed",
        "as root: sysctl -w user.max_user_namespaces=10000",
    ),
)


def attempt(trials: Sequence[Trial]) -> list[tuple[Trial, str | None]]:
    """Do every trial, in order, in one scratch sandbox; None means it went well, text why not."""
    script = ["mount -t tmpfs none /run", "ip link set lo up"]
    for number, trial in enumerate(trials):
        script.append(
            f"if out=$({{ {trial.command}; }} 2>&1); then echo '{number} ok';"
            f' else echo "{number} no $(echo "$out" | grep . | tail -n 1)"; fi'
        )
    _, text = answer([*SCRATCH, "--mount-proc", "sh", "-c", "\n".join(script)])
    said = {line.split()[0]: line.split(maxsplit=2)[1:] for line in text.splitlines() if line}
    done: list[tuple[Trial, str | None]] = []
    for number, trial in enumerate(trials):
        match said.get(str(number), ["no", "no answer"]):
            case ["ok"]:
                done.append((trial, None))
            case [_, reason]:
                done.append((trial, reason))
            case _:
                done.append((trial, "no reason given"))
    return done


def answer(command: list[str]) -> tuple[int, str]:
    """Return exit status and output; -1 where it could not be run or took over 5 s."""
    environment = {
        **os.environ,
        "PATH": os.pathsep.join((os.environ.get("PATH", ""), *SBIN)),
        "PYTHON": sys.executable,
        "LC_ALL": "C.UTF-8",
    }
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return -1, str(error)
    return done.returncode, done.stdout.decode(errors="replace")


def last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no reason given"
