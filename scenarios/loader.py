"""Load a scenario: read it, check it, and resolve everything it names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path as File
from typing import Any

from scenarios import baseline, box, chat, family, inherit, library, schema, shape, verdict
from scenarios.error import Problem, ScenarioError, either, nearest, show
from scenarios.ground import Ground, lay
from scenarios.model import Scenario, Target, Truth
from scenarios.places import Places
from topologies.service import Sip, Turn

#: From the best founded to the least: a scenario is as faithful as its least faithful rule.
FIDELITY = ("documented", "effect-only", "modelled", "announced")


def load(name: str | File) -> Scenario:
    """Load a scenario by its path, or by its name in the library.

    Raises: ScenarioError, which holds every problem of the file.
    """
    file = library.locate(name)
    raw, places = inherit.read(file)
    checked = shape.validate(raw, places)
    scenario, found = _resolve(checked.document, checked.raw, places)
    problems = [*checked.problems, *(p for p in found if not _follows(p, checked))]
    if problems or scenario is None:
        raise ScenarioError(problems)
    return scenario


def _follows(problem: Problem, checked: shape.Checked) -> bool:
    """Tell whether a problem only follows from what was left out for its shape."""
    section, name = [*map(str, problem.path), "", ""][:2]
    touched = {path[0] for path in checked.touched}
    if problem.path[:2] in checked.touched and section != "censors":
        return True
    if "vantages" in touched and section in ("targets", "truth"):
        return True
    about_services = section == "targets" and len(problem.path) > 2
    about_services |= section == "truth" and problem.path[-1] in ("verdict", "locus")
    if "services" in touched and about_services:
        return True
    if "sources" in touched and problem.path[-1:] == ("source",):
        return True
    missing_truth = section == "targets" and name in checked.lost
    return missing_truth or problem.found in {show(gone) for gone in checked.lost}


def _resolve(
    document: schema.Document, raw: Mapping[str, Any], places: Places
) -> tuple[Scenario | None, list[Problem]]:
    ground, problems = lay(document, places)
    problems += _steps(document, places)
    if ground is None:
        return None, problems
    censors, found = box.censors(document, raw.get("censors", {}), ground, places)
    words, mistaken = verdict.baselines(document, ground, places)
    wrong = {str(problem.path[1]) for problem in mistaken}
    said, untrue = verdict.truths(document, words, wrong, places)
    problems += [*found, *mistaken, *untrue]
    if problems:
        return None, problems
    return Scenario(
        name=document.scenario,
        title=document.title,
        path=places.file,
        period=document.period,
        story=document.story,
        tags=tuple(document.tags),
        fidelity=_fidelity(document),
        sources=tuple(source.model_dump() for source in document.sources),
        plan=ground.plan,
        services=ground.services,
        dns=ground.zone,
        vantages=tuple(document.vantages),
        targets=tuple(
            _target(name, target, words[name], ground) for name, target in document.targets.items()
        ),
        censors=censors,
        truths={pair: told[0].truth for pair, told in said.items()},
        timeline=tuple(step.model_dump(exclude_none=True) for step in document.timeline),
        changes=_changes(said),
    ), problems


def _changes(
    said: Mapping[verdict.Pair, list[verdict.Said]],
) -> dict[verdict.Pair, tuple[tuple[float, Truth], ...]]:
    return {
        pair: tuple((one.start, one.truth) for one in told[1:])
        for pair, told in said.items()
        if len(told) > 1
    }


def _fidelity(document: schema.Document) -> str:
    rules = [
        rule.fidelity
        for censor in document.censors.values()
        for rule in censor.rules
        if rule.id not in censor.without
    ]
    return max(rules, key=FIDELITY.index, default="modelled")


def _target(
    name: str, target: baseline.AnyTarget, words: Mapping[str, str], ground: Ground
) -> Target:
    fields = target.model_dump(exclude={"kind", "baseline"}, exclude_none=True)
    if isinstance(target, schema.SipTarget):
        serving = [s for s in baseline.serves(target.registrar, ground) if isinstance(s, Sip)]
        users = dict(serving[0].users) if serving else {"alice": "wonderland"}
        user = target.user or next(iter(users))
        fields |= {"user": user, "password": target.password or users.get(user, "")}
    if isinstance(target, schema.CallTarget):
        fields = _helped(target, fields, ground)
    if isinstance(target, schema.SkypeTarget):
        fields = _overlay(target, ground)
    if isinstance(target, schema.ChatTarget):
        fields = chat.fields(target, ground)
    if (families := family.families(target, ground)) != (4,):  # as tools expect where none is said
        fields["families"] = [*families]
    seen = {host: word for host, word in words.items() if host != "control"}
    return Target(name, target.kind, fields, seen)


def _helped(target: schema.CallTarget, fields: dict[str, Any], ground: Ground) -> dict[str, Any]:
    """Leave out the helpers that there are not, and say who we are at the relay."""
    kept = {key: value for key, value in fields.items() if key not in ("stun", "turn") or value}
    if target.turn is not None:
        serving = [s for s in baseline.serves(target.turn, ground) if isinstance(s, Turn)]
        user, password = serving[0].users[0] if serving else ("", "")
        kept |= {"turn_user": user, "turn_password": password}
    return kept


def _overlay(target: schema.SkypeTarget, ground: Ground) -> dict[str, Any]:
    """Write a Skype client's network as addresses: it has no names."""
    found: dict[str, Any] = {"hosts": []}
    for key, part, id in baseline.parts(target):
        service = baseline.skype(ground, id, part)
        held = service.addresses if service else ()
        addresses = [a for a in held if ":" not in a] or [*held]
        found[key] = [*found["hosts"], *addresses] if key == "hosts" else next(iter(addresses), "")
    return found


def _steps(document: schema.Document, places: Places) -> Iterator[Problem]:
    """Check the timeline: each step changes one censor that is there, in the order of time."""
    before = 0.0
    enforces: dict[str, bool] = {}
    for index, step in enumerate(document.timeline):
        at = ("timeline", index)
        named = [(k, v) for k, v in (("enable", step.enable), ("disable", step.disable)) if v]
        if len(named) != 1:
            yield places.problem(at, "either enable or disable")
        for key, name in named:
            if name not in document.censors:
                expected = f"a censor: {either(document.censors)}"
                hint = nearest(name, document.censors)
                yield places.problem((*at, key), expected, found=show(name), hint=hint)
            elif enforces.get(name) is (key == "enable"):
                already = "enforces already" if key == "enable" else "does not enforce"
                expected = f"another box: by the steps above this one {already}"
                yield places.problem((*at, key), expected, found=show(name))
            enforces[name] = key == "enable"
        if step.at < before:
            expected = f"a moment not before the step above it ({before:g} s)"
            yield places.problem((*at, "at"), expected, found=f"{step.at:g} s")
        before = step.at
    if not document.timeline:
        for index, entry in enumerate(document.truth):
            if entry.during:
                where = ("truth", index, "during")
                yield places.problem(where, "a timeline, for this truth is not for always")
