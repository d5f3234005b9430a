"""Compare what the witnesses of one box counted: the kernel's queue, the censor, its log, the wire.

Every number is written into run.json; any that do not agree make the run invalid.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

_DROPS: Final = re.compile(
    r"^Packets received/dropped on interface '(?P<name>.*)': (?P<received>\d+)/(?P<dropped>\d+)"
    r"(?: \(pcap:\d+/dumpcap:\d+/flushed:(?P<flushed>\d+)/ps_ifdrop:\d+\))?",
    re.MULTILINE,
)
#: Events after which nothing that the box did can be trusted.
_FATAL: Final = {"overflowed": "lost packets to a full queue", "failed": "failed"}


@dataclass(frozen=True, slots=True)
class CaptureCount:
    """What dumpcap says of one interface at its end. `dropped` holds what it lost, anywhere."""

    interface: str
    received: int
    dropped: int


def capture_counts(log: str) -> list[CaptureCount]:
    """Read the statistics that dumpcap prints on stderr as it ends."""
    return [
        CaptureCount(
            match["name"],
            int(match["received"]),
            int(match["dropped"]) + int(match["flushed"] or 0),
        )
        for match in _DROPS.finditer(log)
    ]


def capture_drops(log: str) -> list[str]:
    """Say what a capture lost, by dumpcap's own account; no account is a loss too."""
    counts = capture_counts(log)
    if not counts:
        words = " / ".join(log.strip().splitlines()[-2:]) or "(nothing)"
        return [f"dumpcap did not say how many packets it lost; it said: {words}"]
    return [
        f"lost {count.dropped} packets, {count.received} were received"
        for count in counts
        if count.dropped
    ]


def queue_counts(text: str, queue: int) -> dict[str, int] | None:
    """Read one queue's line of /proc/net/netfilter/nfnetlink_queue; None if it is not there.

    Source:  net/netfilter/nfnetlink_queue.c, seq_show: number, peer, waiting, copy mode, copy
             range, dropped because the queue was full, dropped because the socket was, last id, 1.
    """
    for line in text.splitlines():
        fields = line.split()
        if len(fields) >= 8 and fields[0] == str(queue):
            return {
                "waiting": int(fields[2]),
                "queue_dropped": int(fields[5]),
                "user_dropped": int(fields[6]),
                "queued": int(fields[7]),
            }
    return None


def log_counts(events: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Count what a box's log says was done: packets asked about, injected and dropped."""
    injected = dropped = 0
    for event in events:
        if event.get("event") == "injected":
            injected += len(event.get("packets") or ())
        elif event.get("event") in ("dropped", "intercepted"):
            dropped += 1
    return {"injected": injected, "dropped": dropped}


def gather(
    *,
    stats: Mapping[str, Any],
    wire: Mapping[str, Any],
    events: Iterable[Mapping[str, Any]],
    captures: Iterable[CaptureCount] = (),
) -> dict[str, Any]:
    """Return one box's witnesses as run.json holds them.

    Args:
        stats: the censor's last answer (docs/design.md); empty where it died.
        wire: the audit's counts.
    """
    return {
        "kernel": {key: stats.get(key) for key in ("queue_dropped", "user_dropped")},
        "censor": dict(stats),
        "log": log_counts(events),
        "wire": dict(wire),
        "captures": {
            count.interface: {"received": count.received, "dropped": count.dropped}
            for count in captures
        },
    }


def compare(
    box: str,
    *,
    stats: Mapping[str, Any],
    wire: Mapping[str, Any],
    events: Sequence[Mapping[str, Any]],
    idle: bool = False,
) -> list[str]:
    """Return what one box's witnesses do not agree on.

    Args:
        events: this box's own.
        idle: the censor was never to act.
    """
    told = [str(event.get("event")) for event in events]
    problems = [
        f"the censor {meaning}: {_detail(event)}"
        for word, meaning in _FATAL.items()
        for event in events
        if event.get("event") == word
    ]
    if "stopped" not in told or not stats:
        problems.append("the censor never said that it stopped: it died, or was killed")
        return [f"witnesses: box {box}: {problem}" for problem in problems]
    log = log_counts(events)
    pairs = [
        ("the censor saw", stats.get("n"), "its door record holds", wire.get("door")),
        ("the censor dropped", stats.get("dropped"), "its log says", log["dropped"]),
        ("the censor forged", stats.get("injected"), "its log says", log["injected"]),
        ("the censor forged", stats.get("injected"), "of these it sent or withdrew", _gone(stats)),
    ]
    # A door that could not be read is the audit's problem; a count nobody has is no witness.
    problems += [
        f"{one} {first} packets, {other} {second}"
        for one, first, other, second in pairs
        if first != second and first is not None and second is not None
    ]
    problems += [
        f"the kernel lost {stats[key]} packets on their way to the censor ({key})"
        for key in ("queue_dropped", "user_dropped")
        if stats.get(key)
    ]
    if idle and (log["injected"] or log["dropped"] or "matched" in told):
        problems.append("the censor was to stay idle, but its log has acts")
    return [f"witnesses: box {box}: {problem}" for problem in problems]


def _gone(stats: Mapping[str, Any]) -> int | None:
    """Count the forged packets that were sent, or kept back when their policy ended before."""
    sent = stats.get("sent")
    return None if sent is None else int(sent) + int(stats.get("withdrawn") or 0)


def _detail(event: Mapping[str, Any]) -> str:
    known = ("t", "t_scenario", "box", "event", "traceback")
    found = ", ".join(f"{key} {value}" for key, value in event.items() if key not in known)
    return found or "it does not say why"
