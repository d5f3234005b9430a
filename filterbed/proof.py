"""Prove that the policy does what the truth says, before any tool is asked.

The control pass's recording is fed to the engine with the active policy, chance rules made
certain: every truth "blocked by the network" must draw at least one act, every other truth none.
Each (vantage, target) is laid down twice: *alone*, further from all others than any memory of the
policy reaches; and *in order*, as a tool that works through its list meets it, where memories left
by one target may hit the next.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeGuard, cast

from filterbed.attribution import Owner, of_measurements
from filterbed.effect import Rules, consistent, effects
from filterbed.engine import Engines
from filterbed.header import Flow, flow_text
from filterbed.pcapng import CaptureError, Frame, read
from filterbed.question import Pair, Question, network_block
from filterbed.rehearsal import Act, Door, Laid, Which, rehearse
from filterbed.score import label_text
from filterbed.translation import NONE, Translations
from scenarios.model import Truth

#: Between two targets of one vantage, laid in order; seconds.
STEP: Final = 0.1
#: Added to the policy's longest memory; also the least gap. Seconds.
MARGIN: Final = 60.0
#: How the packets of the control pass are laid down.
WAYS: Final = ("alone", "ordered")


@dataclass(frozen=True, slots=True)
class Group:
    """Packets of one owner at one door, in order."""

    owner: Owner
    frames: tuple[Frame, ...]


@dataclass(frozen=True, slots=True)
class Played:
    """What the engines did when fed one control pass: acts, and by box what went wrong.

    `seen`: how many packets each owner had at a box's door.
    """

    acts: Mapping[Which, Sequence[Act]]
    problems: Mapping[str, Sequence[str]]
    seen: Mapping[str, Mapping[Owner, int]]


def play(
    question: Question,
    measurements: Mapping[str, Iterable[Mapping[str, Any]]],
    doors: Sequence[Door],
    engines: Engines,
    *,
    translations: Translations = NONE,
) -> Played:
    """Feed the engines; what is wrong is in what is returned.

    Args:
        measurements: the control pass's, by vantage, of every target.
        engines: one for each box and each of `WAYS`; recordings and answers are kept.
        translations: what gateways made of the vantages' flows.
    """
    sorter = of_measurements(question, measurements, translations)
    seen: dict[str, dict[Owner, int]] = {}
    unread: dict[str, list[str]] = {}
    laid: dict[Which, Laid] = {}
    for door in doors:
        try:
            frames = read(door.record).frames
            policy = json.loads(door.policy.read_text("utf-8"))
        except (OSError, CaptureError, ValueError) as error:
            unread[door.box] = [f"proof: box {door.box}: {error}"]
            continue
        groups = gather(frames, sorter.sort(frames), question.pairs)
        seen[door.box] = {group.owner: len(group.frames) for group in groups}
        gap = memory(policy) + MARGIN
        for way in WAYS:
            laid[door.box, way] = lay(groups, gap=gap, alone=way == "alone")
    acts, wrong = rehearse(laid, engines)
    return Played(acts, unread | wrong, seen)


def prove(question: Question, played: Played, doors: Sequence[Door]) -> list[str]:
    """Hold the question's truths against what the boxes behind these doors did.

    Returns what is wrong, one sentence each, empty if all is proven.
    """
    boxes = [door.box for door in doors]
    problems = [problem for box in boxes for problem in played.problems.get(box, ())]
    if problems:
        return problems
    alone, ordered = ([act for box in boxes for act in played.acts[box, way]] for way in WAYS)
    seen = {box: played.seen[box] for box in boxes}
    return judge(question, alone, ordered, seen, _uncertain(doors), _rules(doors))


def gather(
    frames: Sequence[Frame], owners: Sequence[tuple[Owner, ...]], pairs: Sequence[Pair]
) -> list[Group]:
    """Group packets by owner: the pairs in declared order, then what belongs to no target.

    A packet of several owners (a recursor's question for a name that several targets share) stands
    in each one's group.
    """
    found: dict[Owner, list[Frame]] = {pair: [] for pair in pairs}
    for frame, mine in zip(frames, owners, strict=True):
        for owner in mine:
            found.setdefault(owner, []).append(frame)
    return [Group(owner, tuple(kept)) for owner, kept in found.items() if kept]


def lay(groups: Sequence[Group], *, gap: float, alone: bool) -> Laid:
    """Lay groups one after another; order and distances within a group are kept.

    Args:
        gap: longer than any memory, seconds: between all groups if `alone`, else between vantages
            and before what belongs to no target.
    """
    frames: list[Frame] = []
    owners: list[Owner] = []
    now, before = 0, None
    for group in groups:
        place = group.owner[0] if _is_pair(group.owner) else group.owner
        if frames:
            far = alone or place != before
            now = frames[-1].at + round((gap if far else STEP) * 1e9)
        first = group.frames[0].at
        # A door's clock never goes back, but a record that does must not make the engine's.
        latest = now
        for frame in group.frames:
            latest = max(latest, now + frame.at - first)
            frames.append(frame._replace(at=latest))
            owners.append(group.owner)
        before = place
    return Laid(tuple(frames), tuple(owners))


def memory(policy: Any) -> float:
    """Return until how long after its cause a policy's last memory acts, in seconds.

    The document's durations are seconds, as the runner resolved them.
    """
    if isinstance(policy, list):
        return max(map(memory, policy), default=0.0)
    if not isinstance(policy, dict):
        return 0.0
    inner = max(map(memory, policy.values()), default=0.0)
    residual = policy.get("residual")
    if isinstance(residual, dict):
        inner = max(inner, float(residual["seconds"]) + float(residual.get("after", 0.0)))
    return inner


def _uncertain(doors: Iterable[Door]) -> frozenset[tuple[str, str]]:
    """Return (box, rule) of every rule that leaves it to chance, or to a race, whether it acts."""
    policies = [(door.box, json.loads(door.policy.read_text("utf-8"))) for door in doors]
    return frozenset(
        (box, str(rule.get("id")))
        for box, policy in policies
        for rule in policy.get("rules") or ()
        if rule.get("chance", 1) != 1 or policy.get("race") == "may-lose"
    )


def _rules(doors: Iterable[Door]) -> Rules:
    """Return what each rule does; rules of two boxes with one id are taken together."""
    found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for door in doors:
        for rule in json.loads(door.policy.read_text("utf-8")).get("rules") or ():
            then = rule.get("then")
            found[str(rule.get("id"))] += then if isinstance(then, list) else [then]
    return found


def judge(
    question: Question,
    alone: Sequence[Act],
    ordered: Sequence[Act],
    seen: Mapping[str, Mapping[Owner, int]],
    uncertain: frozenset[tuple[str, str]] = frozenset(),
    rules: Rules | None = None,
) -> list[str]:
    """Compare acts with truths; return the disagreements.

    Args:
        alone, ordered: the acts of all boxes, by how the packets were laid.
        seen: by box, how many packets each owner had at its door.
        uncertain: (box, rule) of the rules whose chance was made certain for this.
        rules: the acts of each rule.
    """
    by_alone, by_order = _by_owner(alone), _by_owner(ordered)
    problems: list[str] = []
    for pair in question.pairs:
        problem = _pair_problem(
            question, pair, by_alone[pair], by_order[pair], seen, uncertain, rules
        )
        if problem:
            problems.append(f"proof: {pair[1]} from {pair[0]} {problem}")
    for owner, acts in by_alone.items():
        if not _is_pair(owner):
            problems.append(
                f"proof: {_stray(owner)} belongs to no target, but the engine acts on it: {acts[0]}"
            )
    return problems


def _pair_problem(
    question: Question,
    pair: Pair,
    alone: Sequence[Act],
    ordered: Sequence[Act],
    seen: Mapping[str, Mapping[Owner, int]],
    uncertain: frozenset[tuple[str, str]],
    rules: Rules | None,
) -> str | None:
    truth = question.truths[pair]
    told = label_text(truth.label)
    if truth.by_log:
        if ordered or question.partial or question.spread:
            return None
        return (
            f"may be {told} as the log decides, but even in declared order, right after the "
            f"targets before it, the engine never acts on it ({_count(pair, seen)}): declare it "
            "right after the target whose memory should hit it, or declare its baseline"
        )
    if network_block(truth.label):
        known = uncertain, rules, question.validating
        return _block_problem(truth, told, alone, ordered, *known) or (
            None
            if alone
            else f"is declared {told}, but fed the control pass the engine draws no act on it "
            f"({_count(pair, seen)})"
        )
    if alone:
        return f"is declared {told}, but the engine acts on it: {alone[0]}"
    if ordered:
        return (
            f"is declared {told}, and alone it is left in peace, but after the targets before it "
            f"the engine acts on it: {ordered[0]}: collateral that is not declared"
        )
    return None


def _block_problem(
    truth: Truth,
    told: str,
    alone: Sequence[Act],
    ordered: Sequence[Act],
    uncertain: frozenset[tuple[str, str]],
    rules: Rules | None,
    validating: frozenset[bytes],
) -> str | None:
    """Say why the acts on a target do not prove that it is always blocked as declared."""
    if not alone and ordered:
        return (
            f"is declared {told}, but only a memory that the targets before it leave acts on it "
            f"({ordered[0]}): whether it does depends on the tool, so write decided-by: log"
        )
    sure = [act for act in alone if (act.box, str(act.event.get("rule"))) not in uncertain]
    if alone and not sure:
        return (
            f"is declared {told}, but only by chance or if it wins its race ({alone[0]}): write "
            "decided-by: log, and the box's own log says what was true"
        )
    if sure and not consistent(truth.label, [act.event for act in sure], rules, validating):
        seen_as = sorted({node for act in sure for node in effects(act.event, rules, validating)})
        return (
            f"is declared {told}, but what the engine does to it can only be seen as "
            f"{', '.join(seen_as) or 'nothing'}: {sure[0]}"
        )
    return None


def _stray(owner: Owner) -> str:
    if owner is None or _is_pair(owner):
        return "a packet without a flow"
    return flow_text(cast(Flow, owner))


def _count(pair: Pair, seen: Mapping[str, Mapping[Owner, int]]) -> str:
    counts = [f"{box} saw {owners.get(pair, 0)} packets of it" for box, owners in seen.items()]
    return ", ".join(counts) or "there is no box"


def _by_owner(acts: Iterable[Act]) -> dict[Owner, list[Act]]:
    found: dict[Owner, list[Act]] = defaultdict(list)
    for act in acts:
        found[act.owner].append(act)
    return found


def _is_pair(owner: Owner) -> TypeGuard[Pair]:
    return owner is not None and isinstance(owner[0], str)
