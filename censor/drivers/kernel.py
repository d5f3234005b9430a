"""Ask the kernel's packet filter for packets, in a network namespace made for it and only there.

Rules are rewritten whole, in one transaction a family, so that there is no moment without them.
"""

from __future__ import annotations

import fcntl
import math
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from censor.errors import MachineError
from censor.wire.number import Protocol

_NS_GET_USERNS: Final = 0xB701
#: The inode of the user namespace a machine starts with (include/linux/proc_ns.h).
_INITIAL_USER_NAMESPACE: Final = 0xEFFFFFFD

#: Our marks: this much of the 32 bits, and which value in it; the rest is the generation.
MARK: Final = 0x0FB00000
_MASK: Final = 0x0FF00000
_GENERATIONS: Final = 0x000FFFFF
_NO_ERROR: Final = "-m conntrack ! --ctstate RELATED"

_COUNTERS: Final = Path("/proc/self/net/netfilter/nfnetlink_queue")
_TRACKER: Final = Path("/proc/sys/net/netfilter")
_LIBERAL: Final = _TRACKER / "nf_conntrack_tcp_be_liberal"
_TRACKING: Final = re.compile(
    r"-m (conntrack|state|connmark|connbytes|connlimit|connlabel|helper|socket)\b"
    r"|-j (CONNMARK|CONNSECMARK|SYNPROXY|TPROXY|CT)\b"
)
_PATH: Final = "/usr/sbin:/sbin:/usr/bin:/bin"


def refuse_outside_a_sandbox() -> None:
    """Refuse to touch a network namespace that belongs to the machine itself.

    One made for a testbed is owned by a user namespace that is not the initial one.

    Raises: MachineError.
    Source: ioctl_ns(2), NS_GET_USERNS.
    """
    cure = "start it inside a sandbox, for example: unshare --user --map-root-user --net"
    try:
        network = os.open("/proc/self/ns/net", os.O_RDONLY)
        try:
            owner = fcntl.ioctl(network, _NS_GET_USERNS)
        finally:
            os.close(network)
    except OSError as fault:
        raise MachineError(
            f"this network namespace's owner cannot be seen ({fault.strerror}), so it was not made"
            f" for this: {cure}"
        ) from fault
    try:
        inode = os.fstat(owner).st_ino
    finally:
        os.close(owner)
    if inode == _INITIAL_USER_NAMESPACE:
        raise MachineError(
            "this network namespace belongs to the machine, expected one made for a testbed:"
            f" {cure}"
        )


def mark(generation: int) -> int:
    """Return the packet mark of flows settled in a generation; 0 stands for none."""
    return MARK | (generation & _GENERATIONS)


def refuse_where_fragments_are_joined() -> None:
    """Refuse to read fragments where this namespace's own rules make the kernel join them first.

    It does so before any queue for whatever tracks connections, and stops when the last such rule
    goes (observed on 6.18; net/netfilter/nf_conntrack_proto.c, nf_ct_netns_get).

    Raises: MachineError with the rule.
    """
    for family in ("iptables-save", "ip6tables-save"):
        done = subprocess.run([_tool(family)], text=True, capture_output=True, check=False)
        if done.returncode:
            raise MachineError(f"{family} failed: {done.stderr.strip()}")
        rule = tracking_rule(done.stdout)
        if rule is not None:
            raise MachineError(
                f"ip.fragments: {family} shows the rule {rule!r}, which tracks connections, so the"
                " kernel joins fragments before the box sees them; expected none such beside a"
                " policy about fragments: take the rule away, or `ip.fragments` out of the policy"
            )


def tracking_rule(saved: str) -> str | None:
    """Return the first rule that makes the kernel track connections, of what `-save` printed."""
    table = ""
    for line in saved.splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith("-A ") and (table == "nat" or _TRACKING.search(line)):
            return line
    return None


def forget_after(idle: float) -> None:
    """Have connections forgotten, and their marks, that were silent for `idle` seconds or more.

    What the engine has forgotten is a flow it knows nothing of, and must be asked about. Whole
    seconds, at least 1; the kernel may forget sooner than that, which costs a question.
    Source: Documentation/networking/nf_conntrack-sysctl.rst.
    """
    most = max(int(idle), 1)
    for protocol in ("tcp", "udp"):
        for path in sorted(_TRACKER.glob(f"nf_conntrack_{protocol}_timeout*")):
            if int(path.read_text()) > most:
                path.write_text(f"{most}\n")


def bears_mark(data: bytes) -> bool:
    """Return whether a mark on this packet is its own connection's; an ICMP error's is not."""
    return data[9 if data[0] >> 4 == 4 else 6] in (Protocol.TCP, Protocol.UDP)


def may_be_marked(flow: Mapping[str, Any]) -> bool:
    """Return whether a flow, as events name it, is of those whose packets bear marks."""
    return flow["protocol"] in ("tcp", "udp")


@dataclass(frozen=True, slots=True)
class Counters:
    """What the kernel counts for a queue: packets waiting, dropped because the queue was full,
    and dropped because our socket was."""

    waiting: int
    queue_dropped: int
    user_dropped: int


class Filter:
    """The rules that put forwarded packets of this namespace on queue `number`.

    `offload` lets the kernel forward flows itself that carry the current generation's mark. An ICMP
    error belongs to the connection it is about (conntrack calls it RELATED): it neither takes that
    connection's mark, for it is a flow of its own to the engine, nor leaves its own there.
    `idle`: after what silence the engine forgets a flow, in seconds; the kernel does so too then.
    """

    def __init__(
        self, number: int, offload: bool, fragments: bool = False, *, idle: float = math.inf
    ) -> None:
        self._number = number
        self._idle = idle
        self._offload = offload
        self._fragments = fragments
        self._tools = [_tool("iptables-restore"), _tool("ip6tables-restore")]

    def install(self, generation: int | None) -> None:
        """Put the rules in place; flows settled in `generation` pass, None: no flow does.

        Raises: MachineError with what the tool said.
        """
        text = self._rules(generation)
        for tool in self._tools:
            done = subprocess.run(
                [tool, "--noflush"], input=text, text=True, capture_output=True, check=False
            )
            if done.returncode:
                raise MachineError(
                    f"{tool} refused the queue's rules: {done.stderr.strip()}; `filterbed doctor`"
                    " says what this kernel lacks"
                )
        if self._fragments:
            refuse_where_fragments_are_joined()
        if self._offload and _LIBERAL.exists():
            # Forged and out-of-window segments would take a connection's entry, and its mark, away.
            _LIBERAL.write_text("1\n")
        if self._offload and self._idle < math.inf:
            forget_after(self._idle)

    def _rules(self, generation: int | None) -> str:
        queue = f"-j NFQUEUE --queue-num {self._number}"
        lines = ["*mangle", "-F FORWARD", "-F POSTROUTING"]
        if self._offload:
            lines.append(f"-A FORWARD {_NO_ERROR} -j CONNMARK --restore-mark")
            lines.append(f"-A FORWARD -p tcp --syn {queue}")
            if generation is not None:
                lines.append(f"-A FORWARD -m mark --mark {mark(generation):#x} -j ACCEPT")
            ours = f"{MARK:#x}/{_MASK:#x}"
            saved = f"{_NO_ERROR} -m mark --mark {ours} -j CONNMARK --save-mark"
            lines.append(f"-A POSTROUTING {saved}")
        lines.append(f"-A FORWARD {queue}")
        return "\n".join([*lines, "COMMIT", ""])


def counters(number: int) -> Counters:
    """Read a queue's counters.

    Raises: MachineError if they cannot be read: losses would go unnoticed.
    Source: net/netfilter/nfnetlink_queue.c, seq_show.
    """
    try:
        lines = _COUNTERS.read_text().splitlines()
    except OSError as fault:
        raise MachineError(
            f"{_COUNTERS}: {fault.strerror}; an ordinary user can read it in a network namespace"
            " made inside the sandbox, not in the sandbox's first"
        ) from fault
    for line in lines:
        fields = line.split()
        if int(fields[0]) == number:
            return Counters(int(fields[2]), int(fields[5]), int(fields[6]))
    raise MachineError(f"{_COUNTERS}: queue {number} is not there, expected to be bound to it")


def _tool(name: str) -> str:
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":" + _PATH)
    if found is None:
        raise MachineError(f"{name}: not found; it is in Debian's package iptables")
    return found
