"""Turn a scenario's censors into policy documents, and say what is wrong with their rules."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from censor.policy import listing
from censor.policy import loader as policy
from censor.policy.quantity import seconds as seconds_of
from scenarios import schema
from scenarios.error import Path, Problem, either, nearest, show
from scenarios.ground import Ground, expand
from scenarios.model import Censor
from scenarios.places import Places
from scenarios.quantity import DURATION
from topologies.plan import Box

#: What a scenario adds to a censor and to its rules; the policy itself knows nothing of it.
_CENSOR_KEYS = frozenset({"at", "without"})
_RULE_KEYS = frozenset({"targets", "race"})


def censors(
    document: schema.Document, raw: Mapping[str, Any], ground: Ground, places: Places
) -> tuple[tuple[Censor, ...], list[Problem]]:
    """Return every box with its policy, and everything that is wrong with them.

    Args:
        raw: the document's `censors`, as read: what the schema does not know of is in there.
    """
    problems: list[Problem] = []
    boxes = {box.node: box for box in ground.plan.boxes}
    taken: dict[str, str] = {}
    built = []
    for name, entry in document.censors.items():
        at: Path = ("censors", name)
        if entry.at not in boxes:
            expected, hint = f"a place for a box: {either(boxes)}", nearest(entry.at, boxes)
            problems.append(places.problem((*at, "at"), expected, found=show(entry.at), hint=hint))
        elif entry.at in taken:
            expected = f"a place of its own; {taken[entry.at]} stands there"
            problems.append(places.problem((*at, "at"), expected, found=show(entry.at)))
        taken.setdefault(entry.at, name)
        own, found = _policy(document, entry, raw[name], at, ground, places)
        problems += found
        if entry.at in boxes:
            problems += _lost_races(entry, own, at, boxes[entry.at], ground, places)
        built.append(Censor(name, entry.at, own))
    return tuple(built), problems


def _policy(
    document: schema.Document,
    entry: schema.Censor,
    raw: Mapping[str, Any],
    at: Path,
    ground: Ground,
    places: Places,
) -> tuple[dict[str, Any], list[Problem]]:
    problems: list[Problem] = []
    own = {key: copy.deepcopy(value) for key, value in raw.items() if key not in _CENSOR_KEYS}
    own["pools"] = {**document.pools, **own.get("pools", {})}
    rules = own.get("rules", [])
    ids = [rule["id"] for rule in rules]
    for index, left_out in enumerate(entry.without):
        if left_out not in ids:
            where = (*at, "without", index)
            expected, hint = f"a rule's id: {either(ids)}", nearest(left_out, ids)
            problems.append(places.problem(where, expected, found=show(left_out), hint=hint))
    if any(rule.get("race") == "may-lose" for rule in rules):
        own["race"] = "may-lose"  # the judge must know: there a forgery that came second hit nobody
    for index, rule in enumerate(rules):
        where = (*at, "rules", index)
        problems += _about(document, entry.rules[index], where, places)
        _write_out(rule.get("when"), (*where, "when"), ground, problems, places)
        for key in _RULE_KEYS & rule.keys():
            del rule[key]
    problems += _unitless(own, at, places)
    known = {problem.path for problem in problems}
    for wrong in policy.problems(own):
        path = (*at, *wrong.path)
        if not any(path[: len(k)] == k for k in known if len(k) > len(at)):
            problems.append(_placed(wrong, path, places))
    own["rules"] = [rule for rule in rules if rule["id"] not in entry.without]
    return own if problems else _listed(own), problems


def _listed(said: Any) -> Any:
    """Return a policy with the entries of its lists in it, instead of the files they are in.

    A run's directory then says all there was, and the sandbox need not see the files.
    """
    if isinstance(said, dict):
        if said.keys() == {"file"} and isinstance(said["file"], str):
            return listing.read(said["file"])
        return {key: _listed(value) for key, value in said.items()}
    return [_listed(one) for one in said] if isinstance(said, list) else said


def _about(
    document: schema.Document, rule: schema.Rule, at: Path, places: Places
) -> Iterator[Problem]:
    """Check what a rule says of itself: its targets and its source."""
    for index, target in enumerate(rule.targets):
        if target not in document.targets:
            where = (*at, "targets", index)
            where = where if places.has(where) else where[:-1]
            hint = nearest(target, document.targets)
            expected = f"a target: {either(document.targets)}"
            yield places.problem(where, expected, found=show(target), hint=hint)
    count = len(document.sources)
    if isinstance(rule.source, int) and not 0 <= rule.source < count:
        expected = f"the number of a source, from 0 to {count - 1}" if count else "sources, first"
        yield places.problem((*at, "source"), expected, found=show(rule.source))
    if rule.fidelity == "documented" and rule.source is None:
        yield places.problem(at, "a source, for this rule is said to be documented")


def _write_out(
    when: Any, at: Path, ground: Ground, problems: list[Problem], places: Places
) -> None:
    """Replace words for places and services in a rule's addresses by prefixes."""
    if not isinstance(when, dict):
        return
    for key in ("client.address", "server.address"):
        words = when.get(key)
        if isinstance(words, list) and all(isinstance(word, str) for word in words):
            when[key] = expand(ground, words, (*at, key), problems, places)
    _write_out(when.get("not"), (*at, "not"), ground, problems, places)


def _unitless(own: Mapping[str, Any], at: Path, places: Places) -> Iterator[Problem]:
    """Refuse bare numbers where a duration's key does not name its unit."""
    limits = own.get("limits")
    idle = limits.get("idle") if isinstance(limits, dict) else None
    if isinstance(idle, int | float):
        expected, hint = f"a duration with its unit: {either(DURATION)}", f"'{idle} s'"
        yield places.problem((*at, "limits", "idle"), expected, found=show(idle), hint=hint)


def _placed(wrong: policy.Problem, path: Path, places: Places) -> Problem:
    expected, hint = wrong.expected, wrong.hint or ""
    if hint.startswith("did you mean "):
        hint = hint.removeprefix("did you mean ").rstrip("?")
    elif hint:
        expected, hint = f"{expected} ({hint})", ""
    found = "" if wrong.found is None else show(wrong.found)
    return places.problem(path, expected, found=found, hint=hint, key=True)


def _lost_races(
    entry: schema.Censor,
    own: Mapping[str, Any],
    at: Path,
    box: Box,
    ground: Ground,
    places: Places,
) -> Iterator[Problem]:
    """Refuse an on-path box that is slower than the true answer: it must lose its races."""
    if own.get("position") != "on-path" or own.get("race") == "may-lose":
        return
    latency = policy.LATENCY["on-path"] if entry.latency is None else entry.latency
    limit = _delay(box, ground)
    expected = (
        f"less than {limit * 1000:g} ms, the way behind the box and back, else its injections "
        f"come too late (race: may-lose, if that is meant)"
    )
    late: dict[Path, float] = {}
    for index, rule in enumerate(entry.rules):
        if rule.race is None and not _allows(rule):
            late.update(_latencies(rule, (*at, "rules", index, "then"), (*at, "latency"), latency))
    for path, seconds in late.items():
        if seconds >= limit:
            yield places.problem(path, expected, found=f"{seconds * 1000:g} ms")


def _latencies(rule: schema.Rule, at: Path, box: Path, latency: float) -> dict[Path, float]:
    """Return how late a rule's acts are, by where that is written: at the act, or at the box."""
    then = (rule.model_extra or {}).get("then")
    found: dict[Path, float] = {}
    for index, act in enumerate(then if isinstance(then, list) else [then]):
        own = act.get("latency") if isinstance(act, dict) else None
        where: Path = (*at, index) if isinstance(then, list) else at
        try:
            found |= {box: latency} if own is None else {(*where, "latency"): seconds_of(own)}
        except ValueError:
            continue  # that it is no duration is said elsewhere
    return found


def _allows(rule: schema.Rule) -> bool:
    then = (rule.model_extra or {}).get("then")
    return isinstance(then, dict) and then.get("allow") is True


def _delay(box: Box, ground: Ground) -> float:
    """Return the shortest delay of the box's links to the outside, there and back, in seconds."""
    outside = set(box.outside)
    delays: Iterable[float] = (
        sum(link.delays)
        for link in ground.plan.links
        if any(end.node == box.node and end.interface in outside for end in link.ends)
    )
    return min(delays, default=0.0)
