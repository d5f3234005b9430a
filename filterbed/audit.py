"""Hold the wire against the log: what crossed a box, packet by packet, and what its censor says.

Every packet that entered the box must leave it, less one hop, unless an event accounts for it;
nothing may leave that did not enter or was not logged as injected; every logged injection must be
seen on its side; what was logged as dropped must not; and the censor's door must have seen every
packet, except those of flows that the log says were settled then.

Left out by rule, because a router does not forward it: ARP and other protocols than IP; multicast,
broadcast and link-local addresses; what the box itself sends or is sent; packets that arrive with
one hop left, a broken IPv4 checksum or fewer bytes than they claim. A packet that the box refused
with an ICMP error (no route) is accounted for by that error. Of a connection that was taken over,
and of the one that it is relayed by, what the box says and hears itself: the log names both.
Limits:  traffic must have come to rest before the captures stop; the audit allows nothing to be
         in flight.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from filterbed import settled
from filterbed.header import Flow, dissect, flow_text, quoted, raw, relayed
from filterbed.pcapng import ETHERNET, CaptureError, Frame, Trace, read
from filterbed.wire import IPV4, QUOTED, Tally, crossing, zeroed

#: How far outside its flow's settled time a packet that was not asked about may have been
#: captured: the two clocks are read at different places. Nanoseconds.
SLACK: Final = 1_000_000
SIDES: Final = ("inside", "outside")


@dataclass(frozen=True, slots=True)
class Tap:
    """A capture on one interface of a box (Ethernet); `mac` is the interface's own."""

    interface: str
    inside: bool
    path: Path
    mac: str


@dataclass(frozen=True, slots=True)
class Scene:
    """One box and its witnesses.

    `addresses`: all of the box's own. `offload`: whether settled flows may pass without asking.
    """

    box: str
    taps: Sequence[Tap]
    door: Path
    addresses: Iterable[str] = ()
    offload: bool = True


@dataclass(slots=True)
class _Side:
    """What one side of the box saw: packets by their bytes as they are after the hop."""

    entered: Counter[bytes] = field(default_factory=Counter)
    left: Counter[bytes] = field(default_factory=Counter)
    must: Counter[bytes] = field(default_factory=Counter)  # has to leave by this side
    injected: Counter[bytes] = field(default_factory=Counter)  # logged toward this side
    dropped: Counter[bytes] = field(default_factory=Counter)  # logged; had to leave by this side
    interfaces: int = 0


@dataclass(slots=True)
class _Ledger:
    """Everything counted for one box; index 0 is inside, 1 outside, as in a door record."""

    box: str
    sides: tuple[_Side, _Side]
    door: tuple[Counter[bytes], Counter[bytes]]
    refused: list[tuple[bytes, bytes]] = field(default_factory=list)
    excused: Counter[bytes] = field(default_factory=Counter)
    held: Counter[bytes] = field(default_factory=Counter)
    arrivals: tuple[list[tuple[int, bytes]], list[tuple[int, bytes]]] = field(
        default_factory=lambda: ([], [])
    )
    asked: tuple[list[tuple[int, bytes]], list[tuple[int, bytes]]] = field(
        default_factory=lambda: ([], [])
    )
    problems: list[str] = field(default_factory=list)
    relayed: frozenset[Flow] = frozenset()
    cut: int | None = None

    def complain(self, text: str, packets: Counter[bytes]) -> None:
        """Note a problem about some packets, with the first of them."""
        count = packets.total()
        if count:
            first = _describe(next(iter(packets)))
            noun = "1 packet" if count == 1 else f"{count} packets"
            self.problems.append(f"audit: box {self.box}: {noun} {text}; the first: {first}")

    def strange(self, packets: Counter[bytes]) -> Counter[bytes]:
        """Return packets without those of connections that the box leads itself."""
        if not self.relayed:
            return packets
        return Counter({k: n for k, n in packets.items() if _flow(k) not in self.relayed})


def audit(scene: Scene, events: Sequence[Mapping[str, Any]]) -> tuple[list[str], dict[str, Any]]:
    """Audit one box.

    Args:    events: its censor's, all of them, in order.
    Returns: sentences on what does not agree, empty if all does; and counts for run.json:
             packets entered and left by side, at the door, injected, dropped.
    """
    ledger = _Ledger(scene.box, (_Side(), _Side()), (Counter(), Counter()))
    mine = [event for event in events if event.get("box", scene.box) == scene.box]
    ledger.relayed = relayed(mine)
    door = _load(ledger, scene.door, "door record")
    traces = [(tap, _load(ledger, tap.path, f"capture on {tap.interface}")) for tap in scene.taps]
    if door is None or any(trace is None for _, trace in traces):
        return ledger.problems, {}
    kept = [(tap, trace) for tap, trace in traces if trace is not None]
    ledger.cut = _cut(trace for _, trace in kept)
    own = frozenset(raw(address) for address in scene.addresses)
    for tap, trace in kept:
        _wire(ledger, tap, trace, own)
    frames = door.frames
    for frame in frames:
        key = zeroed(frame.data)[: ledger.cut]
        ledger.door[frame.interface][key] += 1
        ledger.asked[frame.interface].append((frame.at, key))
    _testimony(ledger, frames, mine)
    _balance(ledger)
    _attendance(ledger, frames, mine, scene.offload)
    return ledger.problems, _counts(ledger, frames)


def _load(ledger: _Ledger, path: Path, what: str) -> Trace | None:
    """Read a recording; a problem where it cannot be, or is not whole."""
    try:
        trace = read(path)
    except (OSError, CaptureError) as error:
        ledger.problems.append(f"audit: box {ledger.box}: {what}: {error}")
        return None
    if trace.torn:
        ledger.problems.append(f"audit: box {ledger.box}: {what} ends in the middle of a packet")
    return trace


def _cut(traces: Iterable[Trace]) -> int | None:
    """Return how many bytes of IP every capture kept; None if whole packets."""
    short = [
        len(frame.data) - 14
        for trace in traces
        for frame in trace.frames
        if len(frame.data) < frame.length
    ]
    return min(short, default=None)


def _wire(ledger: _Ledger, tap: Tap, trace: Trace, own: frozenset[bytes]) -> None:
    """Count what one interface saw."""
    if any(interface.linktype != ETHERNET for interface in trace.interfaces):
        ledger.problems.append(
            f"audit: box {ledger.box}: the capture on {tap.interface} is not Ethernet"
        )
        return
    number = 0 if tap.inside else 1
    side, other = ledger.sides[number], ledger.sides[1 - number]
    side.interfaces += 1
    mac = bytes.fromhex(tap.mac.replace(":", ""))
    tally = Tally()
    for frame in trace.frames:
        packet = crossing(frame, mac, own, tally, ledger.cut)
        if packet is None:
            continue
        if packet.entered:
            side.entered[packet.key] += 1
            other.must[packet.key] += 1
            ledger.arrivals[number].append((frame.at, packet.key))
        else:
            side.left[packet.key] += 1
    ledger.refused += tally.refused
    ledger.complain(f"left {SIDES[number]} with a broken IPv4 checksum", tally.broken)


def _testimony(
    ledger: _Ledger, frames: Sequence[Frame], events: Iterable[Mapping[str, Any]]
) -> None:
    """Count what the log says about packets."""
    for event in events:
        word = event.get("event")
        if word == "withdrawn":
            side = ledger.sides[0 if event.get("inside") else 1]
            side.injected.subtract(_key(text, ledger.cut) for text in event.get("packets") or ())
        if word not in ("injected", "dropped", "held", "rewritten", "intercepted"):
            continue
        n = event.get("n")
        if not isinstance(n, int) or not 1 <= n <= len(frames):
            ledger.problems.append(
                f"audit: box {ledger.box}: the log has `{word}` about packet {n!r}, "
                f"but the door record has {len(frames)} packets"
            )
            continue
        frame = frames[n - 1]
        key = zeroed(frame.data)[: ledger.cut]
        ahead = ledger.sides[1 - frame.interface]
        if word == "held":
            ledger.held[key] += 1
        elif word == "injected":
            toward = _side_toward(event, frame)
            for text in event.get("packets") or ():
                ledger.sides[toward].injected[_key(text, ledger.cut)] += 1
        else:
            ahead.dropped[key] += 1
            ahead.must[key] -= 1
            for text in event.get("packets") or () if word == "rewritten" else ():
                ahead.must[_key(text, ledger.cut)] += 1


def _key(text: str, cut: int | None) -> bytes:
    return zeroed(bytes.fromhex(text))[:cut]


def _side_toward(event: Mapping[str, Any], frame: Frame) -> int:
    """Return the side (0 inside, 1 outside) that an injection was sent to."""
    header = dissect(frame.data)
    flow = event.get("flow") or {}
    from_client = (
        header is not None
        and header.src == raw(str(flow.get("client", "::")))
        and header.sport == int(flow.get("client_port", 0))
    )
    back = (event.get("toward") == "client") == from_client
    return frame.interface if back else 1 - frame.interface


def _balance(ledger: _Ledger) -> None:
    """Compare what left each side with what had to."""
    spare: list[Counter[bytes]] = []
    absent: list[Counter[bytes]] = []
    for side in ledger.sides:
        due = Counter({key: count for key, count in side.must.items() if count > 0})
        due.update(side.injected)
        spare.append(side.left - due)
        absent.append(due - side.left)
    for number, side in enumerate(ledger.sides):
        # Between two interfaces of one side: what had to leave by the other side left by this.
        if side.interfaces > 1:
            turned = absent[1 - number] & spare[number]
            absent[1 - number] -= turned
            spare[number] -= turned
    for number, side in enumerate(ledger.sides):
        here, there = SIDES[number], SIDES[1 - number]
        unsent = absent[number] & side.injected
        _renumbered(unsent, spare[number])
        lost = absent[number] - side.injected - ledger.held
        _excuse(lost, ledger)
        undead = spare[number] & side.dropped
        ledger.complain(
            f"entered {there} and never left {here}, and no event accounts for it",
            ledger.strange(lost),
        )
        ledger.complain(f"logged as injected toward {here}, but not on the wire there", unsent)
        ledger.complain(f"logged as dropped, but seen leaving {here}", undead)
        ledger.complain(
            f"left {here}, but neither entered {there} nor was logged as injected",
            ledger.strange(spare[number] - undead),
        )


def _excuse(lost: Counter[bytes], ledger: _Ledger) -> None:
    """Take out of `lost` what the box refused with an ICMP error, one packet an error."""
    by_start: dict[bytes, list[bytes]] = defaultdict(list)
    for key in lost:
        by_start[key[:QUOTED]].append(key)
    for forms in ledger.refused:
        for form in forms:
            known = by_start.get(form[:QUOTED], [])
            kept = form[: ledger.cut]
            found = next((k for k in known if lost[k] > 0 and k.startswith(kept)), None)
            if found is not None:
                lost[found] -= 1
                ledger.excused[found] += 1
                break
    for key in [key for key, count in lost.items() if count <= 0]:
        del lost[key]


def _renumbered(unsent: Counter[bytes], spare: Counter[bytes]) -> None:
    """Match injections whose IPv4 identification was 0: there the kernel fills in one."""
    by_rest: dict[bytes, list[bytes]] = defaultdict(list)
    if any(key[0] >> 4 == IPV4 and key[4:6] == b"\0\0" for key in unsent):
        for key in spare.elements():
            by_rest[key[:4] + key[6:]].append(key)
    for key in list(unsent):
        found = by_rest.get(key[:4] + key[6:], []) if key[4:6] == b"\0\0" else []
        while found and unsent[key] > 0:
            spare.subtract([found.pop()])
            unsent.subtract([key])
    for counter in (unsent, spare):
        for key in [key for key, count in counter.items() if count <= 0]:
            del counter[key]


def _attendance(
    ledger: _Ledger,
    frames: Sequence[Frame],
    events: Sequence[Mapping[str, Any]],
    offload: bool,
) -> None:
    """Compare what the door saw with what entered while the censor ran."""
    begun = next((e.get("epoch_ns") for e in events if e.get("event") == "started"), None)
    if not isinstance(begun, int):
        ledger.problems.append(
            f"audit: box {ledger.box}: the log has no `started` with its time: "
            "the censor did not start"
        )
        return
    rests = settled.spans(frames, events, begun)
    # Its first policy is said once its rules are in place; servers may have spoken before.
    policies = (e for e in events if e.get("event") == "policy")
    begun += round(next((float(e.get("t", 0)) for e in policies), 0.0) * 1e9)
    for number, side in enumerate(ledger.sides):
        where = SIDES[number]
        ledger.complain(
            f"at the censor's door that no capture saw enter {where}",
            ledger.door[number] - side.entered,
        )
        unseen: Counter[bytes] = Counter()
        for at, key in _passed_by(ledger, number):
            flow = _flow(key)
            spans = rests.get(flow, ()) if offload and flow else ()
            if at >= begun and not any(a - SLACK <= at <= b + SLACK for a, b in spans):
                unseen[key] += 1
        unseen -= ledger.excused
        ledger.complain(
            f"entered {where} and never came to the censor's door, "
            + ("though its flow was not settled" if offload else "though every packet must"),
            ledger.strange(unseen),
        )


def _passed_by(ledger: _Ledger, number: int) -> Iterator[tuple[int, bytes]]:
    """Yield the arrivals on one side that the door did not see.

    Of equal packets, as repetitions over IPv6 are, the door saw the latest that had come by then.
    """
    more = ledger.sides[number].entered - ledger.door[number]
    arrivals: dict[bytes, list[int]] = {key: [] for key in more}
    for at, key in ledger.arrivals[number]:
        if key in more:
            arrivals[key].append(at)
    for times in arrivals.values():
        times.sort()
    for at, key in ledger.asked[number]:
        if key in more:
            times = arrivals[key]
            del times[max(0, bisect_right(times, at + SLACK) - 1)]
    for key, times in arrivals.items():
        yield from ((at, key) for at in times)


def _flow(data: bytes) -> Flow | None:
    """Return a packet's flow; an ICMP error's is that of the packet it is about."""
    header = dissect(data)
    if header is None:
        return None
    about = quoted(data, header)
    inner = dissect(about) if about else None
    return (inner or header).flow


def _describe(key: bytes) -> str:
    header = dissect(key)
    if header is None:
        return f"{len(key)} bytes that are no IP packet"
    return f"{flow_text(header.flow)}, {header.length} bytes, {key[:60].hex()}"


def _counts(ledger: _Ledger, frames: Sequence[Frame]) -> dict[str, Any]:
    inside, outside = ledger.sides
    return {
        "entered": {"inside": inside.entered.total(), "outside": outside.entered.total()},
        "left": {"inside": inside.left.total(), "outside": outside.left.total()},
        "door": len(frames),
        "injected": {"inside": inside.injected.total(), "outside": outside.injected.total()},
        "dropped": inside.dropped.total() + outside.dropped.total(),
        "refused": len(ledger.refused),
    }
