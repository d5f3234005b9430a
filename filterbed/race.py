"""See on the wire whether a forged answer came before the real one.

A censor beside the path forges late; if the machine hiccups, the server's own bytes win, the client
is left alone, and a truth that says "blocked" is wrong. The capture on the inner side of the box
tells: between the packet that drew the forgery and the forgery itself, nothing that carries data
may have come from the server in that flow.
Where a policy says `race: may-lose` a forgery that came second hit nobody; elsewhere it makes the
run invalid.
Limits:  what is dropped or rewritten in the path has no race.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from filterbed.header import TCP, Flow, dissect, flow_of_event, flow_text, raw
from filterbed.pcapng import CaptureError, read

_ETHERNET: Final = 14
#: How far the censor's clock may be ahead of the capture's on one machine. Nanoseconds.
SLACK: Final = 200_000


class _Seen(NamedTuple):
    at: int
    src: bytes
    payload: int
    data: bytes


class Loss(NamedTuple):
    """A forgery that came second: its event, and by how many seconds."""

    event: Mapping[str, Any]
    seconds: float

    def __str__(self) -> str:
        flow = flow_of_event(self.event["flow"])
        return (
            f"the server's own data came {self.seconds * 1e3:.1f} ms before what rule "
            f"{self.event.get('rule')} forged, in {flow_text(flow) if flow else 'no flow'}"
        )


def losses(inner: Sequence[Path], door: Path, events: Sequence[Mapping[str, Any]]) -> list[Loss]:
    """Return every forgery toward a client that the server's own data beat.

    What a censor forges later in a connection that it has ended, or in answer to the server's
    data, races nobody.

    Args:
        inner: the captures (Ethernet) on the box's interfaces toward the censored side.
        door: the censor's record, which says whose packet drew the forgery.
        events: that box's own, all of them.
    """
    begun = next((e.get("epoch_ns") for e in events if e.get("event") == "started"), None)
    forged = [
        event
        for event in events
        if event.get("event") == "injected"
        and event.get("toward") == "client"
        and flow_of_event(event.get("flow")) is not None
    ]
    if not isinstance(begun, int) or not forged:
        return []
    wanted = {flow for event in forged if (flow := flow_of_event(event["flow"])) is not None}
    wire = _wire(inner, wanted)
    drawn_by = _senders(door)
    found = []
    reset: set[Flow] = set()
    for event in forged:
        flow = flow_of_event(event["flow"])
        if flow is None or flow in reset:
            continue
        if flow[0] == TCP:
            reset.add(flow)
        if drawn_by.get(int(event.get("n") or 0)) == raw(str(event["flow"]["server"])):
            continue
        since = begun + round(float(event["t"]) * 1e9) - SLACK
        late = _beaten(wire.get(flow, []), event, since)
        if late is not None:
            found.append(Loss(event, late))
    return found


def _senders(door: Path) -> dict[int, bytes]:
    """Return who sent each packet at the door, by its number from 1."""
    try:
        frames = read(door).frames
    except (OSError, CaptureError):
        return {}  # the audit has said so
    headers = ((number, dissect(frame.data)) for number, frame in enumerate(frames, 1))
    return {number: header.src for number, header in headers if header is not None}


def _wire(inner: Iterable[Path], wanted: set[Flow]) -> dict[Flow, list[_Seen]]:
    found: dict[Flow, list[_Seen]] = defaultdict(list)
    for path in inner:
        try:
            frames = read(path).frames
        except (OSError, CaptureError):
            continue  # the audit has said so
        for frame in frames:
            data = frame.data[_ETHERNET:]
            header = dissect(data)
            if header is not None and header.flow in wanted:
                payload = min(header.length, len(data)) - header.payload
                found[header.flow].append(_Seen(frame.at, header.src, payload, data))
    for packets in found.values():
        packets.sort(key=lambda seen: seen.at)
    return found


def _beaten(packets: Sequence[_Seen], event: Mapping[str, Any], since: int) -> float | None:
    """Return by how many seconds the first forged packet came too late, None if it did not."""
    forgeries = [bytes.fromhex(text) for text in event.get("packets") or ()]
    tails = {_tail(data) for data in forgeries}
    server = raw(str(event["flow"]["server"]))
    first: int | None = None
    for seen in packets:
        if seen.at < since or seen.src != server:
            continue
        if _tail(seen.data) in tails:
            return (seen.at - first) / 1e9 if first is not None else None
        if seen.payload > 0 and first is None:
            first = seen.at
    return None


def _tail(packet: bytes) -> bytes:
    """Return the transport part, which the kernel leaves as it was forged."""
    header = dissect(packet)
    return packet[header.transport : header.length] if header is not None else packet
