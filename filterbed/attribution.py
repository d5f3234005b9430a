"""Say which (vantage, target) each packet of a control pass belongs to.

The control pass knows its own sockets, so a packet of a vantage's flow belongs to the target that
was being measured. A recursor's own questions belong to every target of that name, at every
vantage that asks this recursor. What is left belongs to no target, and is kept by flow.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from filterbed.header import PROTOCOLS, TCP, Flow, Header, dissect, flow_key, quoted, raw
from filterbed.naming import question
from filterbed.pcapng import Frame
from filterbed.question import Pair, Question, network_block, ports
from filterbed.translation import NONE, Translations

#: Who a packet belongs to: a (vantage, target), or a flow of nobody's (None: no flow at all).
Owner = Pair | Flow | None


@dataclass(frozen=True, slots=True)
class Claim:
    """A measurement's claim on a flow, for as long as it lasted (epoch seconds)."""

    pair: Pair
    start: float
    end: float

    def distance(self, at: float) -> float:
        """Return how far a time lies outside the measurement, in seconds; 0 inside."""
        return max(self.start - at, at - self.end, 0.0)


@dataclass(slots=True)
class Sorter:
    """Sorts packets by owner. Make it with `of_measurements`, then `sort` a door's frames."""

    question: Question
    claims: Mapping[Flow, Sequence[Claim]]
    _names: dict[Flow, tuple[str, ...]] = field(default_factory=dict)
    _fragments: dict[tuple[bytes, bytes, int, int], Flow] = field(default_factory=dict)

    def sort(self, frames: Iterable[Frame]) -> list[tuple[Owner, ...]]:
        """Return the owners of each frame; times must be nanoseconds since the epoch."""
        kept = list(frames)
        flows = [self._flow(frame.data) for frame in kept]
        self._names.clear()
        for frame, flow in zip(kept, flows, strict=True):
            self._learn(frame.data, flow)
        return [self._owners(flow, frame.at / 1e9) for frame, flow in zip(kept, flows, strict=True)]

    def _flow(self, data: bytes) -> Flow | None:
        """Return a packet's flow; an ICMP error's is that of the packet it is about."""
        header = dissect(data)
        if header is None:
            return None
        about = quoted(data, header)
        inner = dissect(about) if about else None
        if inner is not None:
            return inner.flow
        part = (header.src, header.dst, header.protocol, header.ident)
        if header.fragment:
            return self._fragments.get(part, header.flow)
        self._fragments[part] = header.flow
        return header.flow

    def _learn(self, data: bytes, flow: Flow | None) -> None:
        """Note which targets a recursor's (or an unclaimed) flow asks about."""
        if flow is None or flow in self._names or 53 not in (flow[1][1], flow[2][1]):
            return
        header = dissect(data)
        if header is not None and header.flow == flow:
            asked = question(dns_message(header, data))
            if asked is not None:
                self._names[flow] = self.question.named(asked)

    def _owners(self, flow: Flow | None, at: float) -> tuple[Owner, ...]:
        if flow is None:
            return (None,)
        claims = self.claims.get(flow)
        if claims:
            return (min(claims, key=lambda claim: claim.distance(at)).pair,)
        targets = self._names.get(flow, ())
        vantages = [
            vantage
            for address, _ in flow[1:]
            for vantage in (
                (self.question.clients[address],)
                if address in self.question.clients
                else self.question.resolvers.get(address, ())
            )
        ]
        pairs = tuple(
            dict.fromkeys(
                (vantage, target)
                for vantage in vantages
                for target in targets
                if (vantage, target) in self.question.truths
            )
        )
        return pairs or (flow,)


def dns_message(header: Header, data: bytes) -> bytes:
    """Return the DNS message that a packet carries, without TCP's length field."""
    message = data[header.payload : header.length]
    return message[2:] if header.protocol == TCP else message


def of_measurements(
    question: Question,
    measurements: Mapping[str, Iterable[Mapping[str, Any]]],
    translations: Translations = NONE,
) -> Sorter:
    """Make a sorter from the control pass's measurements, by vantage (docs/design.md).

    `translations` say how flows look outside the gateways that vantages stand behind.
    """
    claims: dict[Flow, list[Claim]] = defaultdict(list)
    for vantage, measured in measurements.items():
        own = [address for address, name in question.clients.items() if name == vantage]
        for one in measured:
            pair = (vantage, str(one["target"]))
            claim = Claim(pair, float(one["t_start"]), float(one["t_end"]))
            aside = [(flow, _helper(question, claim, flow)) for flow in one.get("aside", ())]
            for flow, owner in [*((flow, claim) for flow in one["flows"]), *aside]:
                for key in _keys(flow, own):
                    for seen in (key, *translations.get(key, ())):
                        claims[seen].append(owner)
    return Sorter(question, claims)


def _helper(question: Question, claim: Claim, flow: Sequence[Any]) -> Claim:
    """Return who a flow to a helper belongs to that its measurement could do without.

    Where the measurement's target is declared blocked by the network, that is one of its own: to be
    left without help may be how it is blocked. Else it is the target that stands where the helper
    does, if there is one: what happens to the helper is that target's truth.
    """
    truth = question.truths.get(claim.pair)
    if truth is not None and network_block(truth.label):
        return claim
    there = question.servers.get(raw(str(flow[3])), ())
    asked = {target.name: ports(target) for target in question.targets}
    for name in there:
        if name != claim.pair[1] and int(flow[4]) in (asked.get(name) or ()):
            return replace(claim, pair=(claim.pair[0], name))
    return claim


def _keys(flow: Sequence[Any], own: Sequence[bytes]) -> list[Flow]:
    """Return the flows a socket may show as: an unbound local address is any of the vantage's."""
    protocol, local, local_port, remote, remote_port = flow
    number = PROTOCOLS[str(protocol).lower()]
    there = (raw(str(remote)), int(remote_port))
    here = raw(str(local)) if local else b""
    sources = [here] if any(here) else [a for a in own if len(a) == len(there[0])]
    return [flow_key(number, (source, int(local_port)), there) for source in sources]
