"""Decide what happens to packets: the whole censor, without a socket, a clock or a die.

Feed it packets with their times; it answers with verdicts, forged packets and events.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import inf
from typing import Any, Final

from censor.engine.budget import Budget
from censor.engine.context import Context
from censor.engine.decision import NOTHING, PASS, SETTLED, Decision, Release, Verdict
from censor.engine.enforcement import Enforcement
from censor.engine.inspection import Inspection
from censor.engine.state import BLANK, FlowState, Tracker
from censor.events import Event
from censor.follow.announced import Announced
from censor.follow.flow import FlowTable
from censor.follow.fragment import Fragments, extended, veil
from censor.follow.scrutiny import scrutiny
from censor.interfere.burden import Buckets, Shelf
from censor.interfere.residual import Memories, spell
from censor.read.agenda import NOTHING as NO_TOPICS
from censor.rule.luck import Luck
from censor.rule.rules import Policy
from censor.rule.takeover import greeting
from censor.wire.key import Key
from censor.wire.number import Protocol, TcpFlag
from censor.wire.packet import Malformed, Packet, parse

_TCP: Final = int(Protocol.TCP)
_UDP: Final = int(Protocol.UDP)
_SYN: Final = int(TcpFlag.SYN)

#: The size of an IPv4 flow's key.
_QUICK: Final = 13

#: Under which name fragments are dropped that no rule asked about.
_FRAGMENTS: Final = "ip.fragments"

#: How long a settled flow goes without being counted by the flow table, in seconds.
_TOUCH: Final = 1.0

Pair = tuple[bytes, bytes]


class Engine:
    """One box's censor. `seed` fixes its luck; `certain` makes every chance come true.

    `seen`: how many packets its driver saw before, so that events can name packets by number.
    """

    __slots__ = (
        "_blind",
        "_budget",
        "_context",
        "_forgotten",
        "_fragments",
        "_heeds",
        "_intercepts",
        "_ip",
        "_memories",
        "_probes",
        "_quick",
        "_settled",
        "_table",
        "_tracker",
        "_unseen",
        "seen",
    )

    def __init__(
        self, policy: Policy, *, seed: int = 0, certain: bool = False, seen: int = 0
    ) -> None:
        self.seen = seen
        self._memories = Memories(policy.limits.residual)
        announced = Announced(life=policy.limits.idle)
        self._context = Context(
            policy,
            Luck(seed, certain=certain),
            self._memories,
            announced,
            Buckets(policy.limits.flows),
            Shelf(policy.limits.held),
            policy.ends_calls,
        )
        self._ip = policy.ip
        self._heeds = policy.ip.explicit or not policy.ip.walks
        self._fragments = Fragments(policy.ip)
        self._unseen = scrutiny(policy.tcp)
        self._blind = None if policy.sees is None else not policy.sees
        resync = "syn" in policy.tcp.adopt
        mirrored = policy.tcp.require == "either"
        self._tracker = Tracker(policy, announced)
        limits = policy.limits
        self._table = FlowTable(
            self._tracker.open, limits.flows, limits.idle, resync=resync, mirrored=mirrored
        )
        self._budget = Budget(policy.limits.buffers)
        self._intercepts = policy.intercepts
        self._probes = policy.probes
        self._forgotten: list[Mapping[str, Any]] = []
        self._quick: dict[bytes, FlowState] = {}
        self._settled: dict[Pair, dict[Key, FlowState]] = {}

    def due(self) -> float | None:
        """Return when something happens by itself next, in seconds; None if nothing will."""
        moment = self._memories.next
        return moment if moment < inf else None

    def tick(self, *, now: float) -> Release:
        """Do what fell due by `now`."""
        if self._memories.next > now:
            return NOTHING
        return Release(events=tuple(self._forget(now)))

    def receive(self, packet: bytes, *, now: float, inside: bool) -> Decision:
        """Decide about one packet that arrived at `now`, from the censored side if `inside`."""
        self.seen += 1
        memories = self._memories
        if memories.next > now:
            # The shortest way, for the commonest packet: IPv4 without options, whole, no fragment,
            # of a settled flow; in TCP neither SYN, FIN nor RST.
            state = self._quick.get(packet[12:24])
            if (
                state is not None
                and packet[0] == 0x45
                and packet[9] == state.key[12]
                and not packet[6] & 0x3F
                and not packet[7]
                and (packet[9] == _UDP or (len(packet) >= 40 and not packet[33] & 7))
                and now - state.seen < _TOUCH
                and len(packet) == packet[2] << 8 | packet[3]
            ):
                return SETTLED
            events: list[Event] = []
        else:
            events = self._forget(now)
        if inside is self._blind:
            return Decision(events=tuple(events)) if events else PASS
        parsed = parse(packet)
        if isinstance(parsed, Malformed):
            detail = {"reason": parsed.reason, "offset": parsed.offset}
            events.append(Event(now, "malformed", self.seen, detail=detail))
            return Decision(events=tuple(events))
        decide = self._meet if self._heeds else self._judge
        decision = decide(parsed, now, inside, events)
        if not self._forgotten:
            return decision
        forgotten = tuple(self._forgotten)
        self._forgotten.clear()
        return replace(decision, forgotten=forgotten)

    def _meet(self, packet: Packet, now: float, inside: bool, events: list[Event]) -> Decision:
        """Decide about a packet whose fragments or extension headers the box reads its own way."""
        if self._ip.explicit and (packet.more_fragments or packet.fragment_offset):
            match self._ip.fragments:
                case "ignore":
                    return Decision(events=tuple(events)) if events else PASS
                case "drop":
                    return self._drop(veil(packet), _FRAGMENTS, now, inside, events)
                case "reassemble":
                    return self._gather(packet, now, inside, events)
        extension = None if self._ip.walks else extended(packet)
        packet = packet if extension is None else veil(packet, extension)
        return self._judge(packet, now, inside, events)

    def _gather(self, packet: Packet, now: float, inside: bool, events: list[Event]) -> Decision:
        """Judge a fragment by its addresses, and the whole packet if this completes one."""
        fragments = self._fragments
        refusal = fragments.refusal(packet, now)
        if refusal is not None:
            return self._drop(veil(packet), refusal, now, inside, events)
        whole = fragments.feed(packet, now)
        for what, limit in fragments.evicted:
            detail = {"what": what, "limit": limit}
            events.append(Event(now, "evicted", self.seen, detail=detail))
        fragments.evicted.clear()
        first = self._judge(veil(packet), now, inside, events)
        if whole is None or first.verdict is Verdict.DROP:
            return first
        then = self._meet(whole, now, inside, list(first.events))
        if then.verdict is Verdict.DROP:
            rules = [one.rule for one in then.events if one.event in ("dropped", "intercepted")]
            fragments.refuse(packet, (rules and rules[-1]) or _FRAGMENTS, now)
        kept = first if then.verdict is Verdict.ACCEPT else then
        return replace(
            kept, events=then.events, injections=first.injections + then.injections,
            unsettle=first.unsettle or then.unsettle,
        )  # fmt: skip

    def _drop(
        self, packet: Packet, rule: str, now: float, inside: bool, events: list[Event]
    ) -> Decision:
        """Drop a fragment for what it is a part of."""
        state = self._table.observe(packet, now=now, inside=inside)
        self._evict(now, events)
        enforcement = Enforcement(self._context, state, packet, now, self.seen, events)
        enforcement.drop(rule)
        return enforcement.decide(settled=False)

    def _judge(self, packet: Packet, now: float, inside: bool, events: list[Event]) -> Decision:
        context, memories = self._context, self._memories
        if packet.truncated:
            detail = {"captured": len(packet.data), "length": packet.total_length}
            events.append(Event(now, "truncated", self.seen, detail=detail))
        if self._unseen is not None and self._unseen(packet):
            return Decision(events=tuple(events)) if events else PASS
        state = self._table.observe(packet, now=now, inside=inside)
        if self._table.evicted:
            self._evict(now, events)
        attempt = self._probes and context.attempts.find(state.key)
        if attempt:
            enforcement = Enforcement(context, state, packet, now, self.seen, events)
            enforcement.meet_probe(attempt)
            return enforcement.decide(settled=False)
        if state.settled:
            return Decision(settled=True, events=tuple(events)) if events else SETTLED
        tcb = state.tcb
        if tcb is not None:
            tcb.follow(packet, state.from_client(packet))
        if self._intercepts and packet.flags & _SYN:
            greetings = state.dossier.greetings
            state.own().greetings = {**greetings, state.from_client(packet): greeting(packet)}
        remembered = memories.entries and memories.find(state.keys)
        if (
            packet.data_offset < packet.end
            or state.plain
            or remembered
            or (state.dossier is not BLANK and not state.dossier.idle)
        ):
            enforcement = Inspection(context, state, packet, now, self.seen, events).inspect()
            if tcb is not None and tcb.over:
                state.topics = NO_TOPICS
            if context.buckets.evicted:
                self._forget_buckets(now, events)
            if state.client_stream or state.server_stream or state.followers or state.kept:
                self._make_room(state, now, events)
            if enforcement.remembered:
                self._unsettle(state)
            return enforcement.decide(settled=self._settle(state))
        if tcb is not None and tcb.over:
            state.topics = NO_TOPICS
        if self._settle(state):
            return Decision(settled=True, events=tuple(events)) if events else SETTLED
        return Decision(events=tuple(events)) if events else PASS

    def _forget(self, now: float) -> list[Event]:
        return [
            Event(memory.until, "forgotten", rule=memory.rule, detail={"key": spell(memory.key)})
            for memory in self._memories.expire(now)
        ]

    def _evict(self, now: float, events: list[Event]) -> None:
        """Forget the states of flows the table has forgotten; only a full table is an event."""
        for state, reason in self._table.evicted:
            if state.settled and reason == "limit":
                self._forgotten.append(state.named())
            self._disturb(state)
            self._budget.forget(state)
            state.tcb = None  # each holds the other, which would wait for the garbage collector
            if reason == "limit":
                detail = {"what": "flow", "limit": self._table.limit}
                events.append(Event(now, "evicted", self.seen, flow=state.named(), detail=detail))
        self._table.evicted.clear()

    def _forget_buckets(self, now: float, events: list[Event]) -> None:
        buckets = self._context.buckets
        for act in buckets.evicted:
            detail = {"what": "bucket", "act": act, "limit": buckets.limit}
            events.append(Event(now, "evicted", self.seen, detail=detail))
        buckets.evicted.clear()

    def _make_room(self, state: FlowState, now: float, events: list[Event]) -> None:
        """Count what a flow keeps of what was said; what there is no room for is an event."""
        for lost in self._budget.note(state):
            detail = {"what": "stream", "limit": self._budget.limit}
            events.append(Event(now, "evicted", self.seen, flow=lost.named(), detail=detail))

    def _settle(self, state: FlowState) -> bool:
        """Let a state rest if nothing can reach it any more; say whether it rests."""
        if (
            not state.idle
            or self._tracker.wide
            or (self._memories.entries and self._memories.find(state.keys))
        ):
            return False
        state.settled = True
        state.drop_streams()
        self._budget.forget(state)
        for one in _quick_keys(state):
            self._quick[one] = state
        if self._tracker.remembers:
            self._settled.setdefault(state.pair, {})[state.key] = state
        return True

    def _unsettle(self, state: FlowState) -> None:
        """Wake all states between the same two ends."""
        for other in list(self._settled.get(state.pair, {}).values()):
            self._disturb(other)

    def _disturb(self, state: FlowState) -> None:
        if not state.settled:
            return
        state.settled = False
        for one in _quick_keys(state):
            if self._quick.get(one) is state:
                del self._quick[one]
        if self._tracker.remembers:
            resting = self._settled.get(state.pair, {})
            resting.pop(state.key, None)
            if not resting:
                self._settled.pop(state.pair, None)


def _quick_keys(state: FlowState) -> tuple[bytes, ...]:
    """Return bytes 12 to 24 of an IPv4 packet without options, in both directions; none for what
    does not go the shortest way."""
    key = state.key
    if len(key) != _QUICK or key[-1] not in (_TCP, _UDP):
        return ()
    return key[:12], key[4:8] + key[:4] + key[10:12] + key[8:10]
