"""Judge one run: gather its witnesses, see whether they agree, score what the tools said."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from filterbed import latency, observation, pcapng, question, race, score
from filterbed.audit import Scene, Tap, audit
from filterbed.effect import ACTS
from filterbed.order import Order, Result, Spell, ToolRun
from filterbed.question import Pair
from filterbed.rundir import RunDir
from filterbed.score import Row
from filterbed.settle import Testimony, settle, spans
from filterbed.witness import capture_counts, capture_drops, compare, gather
from scenarios import taxonomy
from scenarios.model import Censor, Label, Scenario

Event = Mapping[str, Any]


@dataclass(slots=True)
class Judgement:
    """What a run comes to; `status` is 0 all right, 1 some row wrong, 4 invalid."""

    status: int
    valid: bool
    reasons: list[str] = field(default_factory=list)
    summary: dict[str, Any] | None = None
    rows: list[Row] = field(default_factory=list)
    unknown: dict[str, int] = field(default_factory=dict)  # why rows are unknown, how many


def judge(
    scenario: Scenario,
    order: Order,
    directory: RunDir,
    result: Result,
    run: dict[str, Any],
    started: float,
) -> Judgement:
    """Judge a run that came to its end and write its files; nothing is scored that is not valid."""
    events = _events(scenario, directory)
    directory.write_lines("events.jsonl", events)
    problems = list(result.problems)
    witnesses: dict[str, Any] = {}
    late: dict[str, Any] = {}
    for censor in scenario.censors:
        scene = _scene(scenario, censor, directory, result)
        said, counts = _witnesses(scene, order, directory, result, events)
        problems += said
        late[censor.name] = latency.summary(
            latency.errors(scene, [e for e in events if e.get("box") == censor.name])
        )
        witnesses[censor.name] = counts
    truths = _truths(scenario, order, directory, result.spells, events, problems)
    rows, documents = _rows(order, result.tools, truths)
    directory.write_lines("observations.jsonl", documents)
    if not rows and not problems:
        problems.append("no tool was run")
    valid = not problems
    document = score.score_document(
        scenario=scenario.name,
        seed=order.seed,
        taxonomy=taxonomy.version(),
        valid=valid,
        rows=rows,
    )
    run |= {
        "seconds": round(time.time() - started, 3),
        "links": result.links,
        "sysctls": result.sysctls,
        "timeline": _timeline(scenario, result.spells),
        "latency": late,
        "witnesses": witnesses,
    }
    directory.finish(run, document, invalid_because=problems)
    status = score.run_status(valid=valid, rows=rows)
    unknown = Counter(str(d["reason"]) for d in documents if d.get("reason"))
    return Judgement(
        status, valid, problems, document["summary"], rows if valid else [], dict(unknown)
    )


def _events(scenario: Scenario, directory: RunDir) -> list[dict[str, Any]]:
    """Merge the censors' logs into one, in order of real time; each counts from its own start."""
    found: list[tuple[float, int, dict[str, Any]]] = []
    for censor in scenario.censors:
        path = directory.path / f".{censor.name}.events.jsonl"
        if not path.exists():
            continue
        epoch = 0
        for line in path.read_text("utf-8").splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue  # the last line of a censor that was killed
            epoch = event.get("epoch_ns", epoch)
            found.append((epoch / 1e9 + event["t"], len(found), event))
    return [event for _, _, event in sorted(found, key=lambda entry: entry[:2])]


def _scene(scenario: Scenario, censor: Censor, directory: RunDir, result: Result) -> Scene:
    """Return one box with all that was recorded of it."""
    box = next(b for b in scenario.plan.boxes if b.node == censor.node)
    taps = [
        Tap(interface, inside, directory.wire(box.node, interface), result.macs.get(interface, ""))
        for inside, interfaces in ((True, box.inside), (False, box.outside))
        for interface in interfaces
    ]
    return Scene(
        box=censor.name,
        taps=taps,
        door=directory.door(censor.name),
        addresses=question.addresses(scenario.plan, box.node),
    )


def _witnesses(
    scene: Scene,
    order: Order,
    directory: RunDir,
    result: Result,
    events: Sequence[Event],
) -> tuple[list[str], dict[str, Any]]:
    """Hold one box's witnesses against each other; return what disagrees, and all they counted."""
    problems, wire = audit(scene, events)
    captures = []
    for tap in scene.taps:
        path = directory.logs / f"dumpcap-{tap.interface}.log"
        log = path.read_text("utf-8", "replace") if path.exists() else ""
        problems += [f"capture on {tap.interface}: {text}" for text in capture_drops(log)]
        captures += capture_counts(log)
    mine = [event for event in events if event.get("box") == scene.box]
    inner = [tap.path for tap in scene.taps if tap.inside]
    if order.policies[scene.box].get("race") != "may-lose":
        losses = race.losses(inner, scene.door, mine)
        problems += [f"race: box {scene.box}: {loss}" for loss in losses]
    stats = result.boxes.get(scene.box, {})
    problems += compare(scene.box, stats=stats, wire=wire, events=mine, idle=order.idle)
    problems += _idle_acts(scene.box, mine)
    return problems, gather(stats=stats, wire=wire, events=mine, captures=captures)


def _idle_acts(box: str, events: Sequence[Event]) -> list[str]:
    """Say what the log has the censor do while it was idle."""
    active = spans(events, sys.maxsize)
    acts = [event for event in events if event.get("event") in ACTS]
    strays = [
        event
        for event in acts
        if not any(first < int(event.get("n") or 0) <= last for first, last in active)
    ]
    return [
        f"log: box {box} was idle at packet {event.get('n')}, but {event['event']} "
        f"(rule {event.get('rule')})"
        for event in strays[:3]
    ]


def _rows(
    order: Order,
    tools: Sequence[ToolRun],
    truths: Mapping[tuple[str, int], Mapping[Pair, Label]],
) -> tuple[list[Row], list[dict[str, Any]]]:
    """Read every tool's output; return its rows and the lines of observations.jsonl.

    With a timeline, the rounds of a phase are counted on from those of the phases before.
    """
    rows: list[Row] = []
    documents: list[dict[str, Any]] = []
    last: dict[str, int] = {}  # round, of each probe
    before: dict[tuple[str, int], int] = {}
    for tool in tools:
        passed = before.setdefault((tool.probe, tool.phase), last.get(tool.probe, 0))
        reading = observation.read(
            observation.split(tool.chunks),
            order.targets,
            started=tool.started,
            ended=tool.ended,
            is_node=taxonomy.is_node,
            cut=tool.cut,
            end=tool.end,
        ).after(passed)
        rounds = (seen.round for seen in reading.observations)
        last[tool.probe] = max(last.get(tool.probe, 0), *rounds)
        documents += observation.documents(reading, vantage=tool.vantage, probe=tool.probe)
        rows += [
            Row(
                vantage=tool.vantage,
                target=seen.target,
                probe=tool.probe,
                round=seen.round,
                t_start=seen.t_start,
                t_end=seen.t_end,
                expected=truths[tool.probe, tool.phase][tool.vantage, seen.target],
                observed=seen.label,
            )
            for seen in reading.observations
        ]
    return rows, documents


def _truths(
    scenario: Scenario,
    order: Order,
    directory: RunDir,
    spells: Sequence[Spell],
    events: Sequence[Event],
    problems: list[str],
) -> dict[tuple[str, int], dict[Pair, Label]]:
    """Settle what was true for each probe in each phase of the timeline."""
    asked = question.of_scenario(scenario, vantages=order.vantages, targets=order.targets)
    records = {}
    for censor in scenario.censors:
        try:
            frames = pcapng.read(directory.door(censor.name)).frames
        except (OSError, pcapng.CaptureError):
            frames = []  # the audit has said so
        mine = [event for event in events if event.get("box") == censor.name]
        if order.policies[censor.name].get("race") == "may-lose":
            box = next(b for b in scenario.plan.boxes if b.node == censor.node)
            inner = [directory.wire(box.node, interface) for interface in box.inside]
            # What was told the server for the same packet came after its answer had left.
            beaten = {
                loss.event.get("n")
                for loss in race.losses(inner, directory.door(censor.name), mine)
            }
            mine = [e for e in mine if e.get("event") not in ACTS or e.get("n") not in beaten]
        records[censor.name] = (frames, mine, spans(mine, len(frames)))
    found: dict[tuple[str, int], dict[Pair, Label]] = {}
    for number, spell in enumerate(spells):
        testimonies = [
            Testimony(box, frames, mine, *extent)
            for box, (frames, mine, active) in records.items()
            if (extent := _extent(box, spells, number, active)) is not None
        ]
        truths = order.phases[spell.phase].truths
        labels, wrong = settle(replace(asked, truths=truths), testimonies, idle=order.idle)
        problems += wrong
        found[spell.probe, spell.phase] = labels
    return found


def _extent(
    box: str, spells: Sequence[Spell], number: int, active: Sequence[tuple[int, int]]
) -> tuple[int, int] | None:
    """Return the packets at a box, as a `Testimony` takes them, that belong to a spell.

    A box that enforces in several phases running was made active once: one span of its log.
    """
    spell = spells[number]
    if box not in spell.enforcing:
        return None
    seen = spell.first[box]
    begun, over = next((s for s in reversed(active) if s[0] <= seen), (seen, seen))
    if spell.phase and box in spells[number - 1].enforcing:
        begun = seen
    if number + 1 < len(spells):  # also where nothing passed before it was made active anew
        over = min(over, spells[number + 1].first[box])
    return min(begun, over), over


def _timeline(scenario: Scenario, spells: Sequence[Spell]) -> list[dict[str, Any]]:
    """Return, of a scenario with a timeline, when each of its phases really began."""
    if not scenario.timeline:
        return []
    return [
        {
            "probe": spell.probe,
            "phase": spell.phase + 1,
            "begun": round(spell.begun, 3),
            "enforcing": sorted(spell.enforcing),
        }
        for spell in spells
    ]
