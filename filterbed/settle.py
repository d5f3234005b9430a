"""Settle the truth of a tool's pass by the log: what the live censor did, and to whom.

A truth that is declared to depend on the log (`by_log`: collateral of a memory, rules of chance) is
the declared label where an act hit that target from that vantage, else its baseline. And no act may
have hit a target that is declared free. Whose an act is, is decided by what is certain:

- the client's address says the vantage; a recursor's address, the vantages that ask it;
- the name that the flow itself asked for says the target (the log's trigger, else the first bytes
  in the door record);
- of a flow that never said a name, the server's address and port say it, if only one target is
  there. If several are, and the target in doubt never came to say its name, its attempt can only
  be among the nameless flows: where all of these were acted on, it was hit.

Where that does not decide, the run is invalid, with the reason; nothing is guessed from times.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from filterbed.effect import ACTS
from filterbed.header import Flow, Header, dissect, flow_of_event, flow_text, quoted
from filterbed.naming import name_of, plain, stream
from filterbed.pcapng import Frame
from filterbed.question import Pair, Question, expected, network_block, ports, transport
from filterbed.score import label_text
from scenarios.model import Label, Truth

_NAMED: Final = ("dns.name", "http.host", "tls.sni", "quic.sni", "sip.host")
#: A name comes within a flow's first packets, even if the ClientHello is split.
_FIRST: Final = 16


@dataclass(frozen=True, slots=True)
class Testimony:
    """One box's door record and log; packets after `first`, up to `last`, are asked about."""

    box: str
    frames: Sequence[Frame]
    events: Sequence[Mapping[str, Any]]
    first: int
    last: int


@dataclass(slots=True)
class _Talk:
    """One flow of the pass: who spoke first, what was said, what was done to it."""

    flow: Flow
    client: tuple[bytes, int]
    server: tuple[bytes, int]
    packets: list[tuple[Header, bytes]] = field(default_factory=list)
    acts: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    _name: str | None = None
    _read: bool = False

    @property
    def name(self) -> str | None:
        """Return the name it asked for, None if it never said one."""
        if not self._read:
            self._read = True
            said = (name for _, event in self.acts for name in _trigger_names(event))
            self._name = next(said, None)
            if self._name is None:
                self._name = name_of(
                    stream(self.packets), protocol=self.flow[0], port=self.server[1]
                )
        return self._name


def spans(events: Iterable[Mapping[str, Any]], packets: int) -> list[tuple[int, int]]:
    """Return (first, last) of each time a box was active, in order, as a `Testimony` takes them.

    Args:    packets: how many its door record holds.
    """
    found: list[tuple[int, int]] = []
    begun: int | None = None
    for event in events:
        if event.get("event") != "policy":
            continue
        if begun is not None:
            found.append((begun, int(event["n"])))
        begun = int(event["n"]) if event.get("state") == "active" else None
    if begun is not None:
        found.append((begun, packets))
    return found


def settle(
    question: Question, testimonies: Sequence[Testimony], *, idle: bool = False
) -> tuple[dict[Pair, Label], list[str]]:
    """Return the label expected of every pair in this pass, and what does not agree or decide."""
    labels = {pair: expected(question.truths[pair], idle=idle) for pair in question.pairs}
    talks = [talk for each in testimonies for talk in _talks(question, each)]
    hits = [talk for talk in talks if talk.acts]
    if idle:
        return labels, [f"log: the censor was idle, but {_act(talk)}" for talk in hits[:3]]
    problems = [text for talk in hits if (text := _contradiction(question, talk)) is not None]
    for pair in question.pairs:
        truth = question.truths[pair]
        if not truth.by_log:
            continue
        hit, doubt = _hit(question, pair, talks)
        labels[pair] = truth.label if hit else truth.baseline
        if doubt:
            problems.append(doubt)
    return labels, problems


def _talks(question: Question, testimony: Testimony) -> list[_Talk]:
    """Gather the flows of vantages and of their recursors, with the acts on them."""
    found: dict[Flow, _Talk] = {}
    for number in range(testimony.first, min(testimony.last, len(testimony.frames))):
        data = testimony.frames[number].data
        header = dissect(data)
        if header is None or quoted(data, header) is not None:
            continue
        talk = found.get(header.flow)
        if talk is None:
            ends = ((header.src, header.sport), (header.dst, header.dport))
            ours = [end[0] in question.clients or end[0] in question.resolvers for end in ends]
            client, server = ends if ours[0] or not ours[1] else (ends[1], ends[0])
            talk = found[header.flow] = _Talk(header.flow, client, server)
        if (header.src, header.sport) == talk.client and len(talk.packets) < _FIRST:
            talk.packets.append((header, data))
    for event in testimony.events:
        n = event.get("n")
        if event.get("event") not in ACTS or not isinstance(n, int):
            continue
        if testimony.first < n <= testimony.last and event.get("box") == testimony.box:
            flow = flow_of_event(event.get("flow")) or _flow(testimony.frames, n)
            if flow in found:
                found[flow].acts.append((testimony.box, event))
    return list(found.values())


def _flow(frames: Sequence[Frame], n: int) -> Flow | None:
    header = dissect(frames[n - 1].data) if 1 <= n <= len(frames) else None
    return header.flow if header else None


def _trigger_names(event: Mapping[str, Any]) -> list[str]:
    trigger = event.get("trigger")
    if not isinstance(trigger, Mapping):
        return []
    return [plain(trigger[key]) for key in _NAMED if isinstance(trigger.get(key), str)]


def _vantages(question: Question, talk: _Talk) -> tuple[str, ...]:
    address = talk.client[0]
    if address in question.clients:
        return (question.clients[address],)
    return question.resolvers.get(address, ())


def _candidates(question: Question, talk: _Talk) -> tuple[str, ...]:
    """Return the targets a flow may be about: by its name, or without one by its server."""
    port = talk.server[1]
    if talk.name is None:
        names: Iterable[str] = question.servers.get(talk.server[0], ())
    else:
        names = question.named(talk.name)
        if port == 53:
            return tuple(names)
    wanted = frozenset(names)
    return tuple(
        target.name
        for target in question.targets
        if target.name in wanted
        and ((open_ := ports(target)) is None or port in open_)
        and transport(target) in (None, talk.flow[0])
    )


def _contradiction(question: Question, talk: _Talk) -> str | None:
    """Say that an act hit what is declared free; None where it may be rightly aimed."""
    truths: dict[Pair, Truth] = {
        (vantage, target): question.truths[vantage, target]
        for vantage in _vantages(question, talk)
        for target in _candidates(question, talk)
        if (vantage, target) in question.truths
    }
    if not truths or any(t.by_log or network_block(t.label) for t in truths.values()):
        return None
    (vantage, target), truth = next(iter(truths.items()))
    return (
        f"log: {_act(talk)}, which is {target} from {vantage}, declared {label_text(truth.label)}: "
        "scenario and log disagree"
    )


def _hit(question: Question, pair: Pair, talks: Iterable[_Talk]) -> tuple[bool, str | None]:
    """Return whether an act hit this pair, and why that cannot be told, if so."""
    vantage, target = pair
    named: list[_Talk] = []
    nameless: list[_Talk] = []
    for talk in talks:
        mine = _vantages(question, talk)
        if vantage in mine and target in _candidates(question, talk):
            if talk.acts and talk.name is not None:
                why = _ambiguity(question, talk, mine)
                return (False, _doubt(pair, talk, why)) if why else (True, None)
            (nameless if talk.name is None else named).append(talk)
    hit = [talk for talk in nameless if talk.acts]
    if not any(len(_candidates(question, talk)) > 1 for talk in hit):
        return bool(hit), None
    if any(talk.server[1] != 53 for talk in named):
        return False, _doubt(pair, hit[0], "it never said a name, while one of this target's did")
    if len(hit) < len(nameless):
        return False, _doubt(pair, hit[0], "it never said a name, while others like it passed")
    return True, None


def _ambiguity(question: Question, talk: _Talk, vantages: Sequence[str]) -> str | None:
    """Say whom else an act on a flow that said its name may have hit; None if nobody."""
    if len(vantages) > 1:
        return (
            f"that address is {' and '.join(vantages)}'s, who share a recursor or a gateway: give "
            "them one each, or declare the truth instead of leaving it to the log"
        )
    targets = _candidates(question, talk)
    # A forged answer for the very name hits every target of that name.
    if len(targets) > 1 and (talk.server[1] != 53 or talk.name not in question.names):
        return f"it may be {' or '.join(targets)}"
    return None


def _doubt(pair: Pair, talk: _Talk, why: str) -> str:
    return f"log: whether {pair[1]} from {pair[0]} was hit cannot be told: {_act(talk)}, and {why}"


def _act(talk: _Talk) -> str:
    box, event = talk.acts[0]
    rule = f" (rule {event['rule']})" if event.get("rule") else ""
    return f"{box} {event['event']}{rule} on {flow_text(talk.flow)}"
