"""Show the library and its scenarios: `filterbed list` and `filterbed show`."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection
from typing import Any

import click

from scenarios import library
from scenarios.loader import load
from scenarios.model import Scenario, Truth
from scenarios.timeline import Phase, at_first, phases

#: What is true of a target, as text, and the vantages it is true from.
Said = dict[str, list[str]]


def show_list(as_json: bool) -> None:
    """Print every scenario of the library, one line each, or as JSON."""
    rows = []
    for name in library.names():
        scenario = load(library.locate(name))
        rows.append(
            {
                "scenario": scenario.name,
                "title": scenario.title,
                "period": scenario.period,
                "fidelity": scenario.fidelity,
                "tags": list(scenario.tags),
            }
        )
    if as_json:
        sys.stdout.write(json.dumps(rows, indent=2, ensure_ascii=False) + "\n")
        return
    width = max((len(str(row["scenario"])) for row in rows), default=0)
    for row in rows:
        click.echo(f"{row['scenario']!s:{width}}  {row['title']}  ({row['period']})")
    click.echo("\nPacks")
    for pack, meaning in library.PACKS.items():
        count = len(library.find(pack))
        click.echo(f"{pack:{width}}  {meaning}  ({count} scenario{'s' * (count != 1)})")


def show_one(scenario: Scenario, as_json: bool) -> None:
    """Print everything a person needs to know of one scenario, its truth included."""
    if as_json:
        sys.stdout.write(json.dumps(_document(scenario), indent=2, ensure_ascii=False) + "\n")
        return
    from topologies.picture import picture

    heading = f"{scenario.name}: {scenario.title}"
    click.echo(f"{heading}\n{'=' * len(heading)}\n")
    click.echo(
        f"{scenario.period}; fidelity: {scenario.fidelity}; tags: {', '.join(scenario.tags)}\n"
    )
    click.echo(click.wrap_text(scenario.story, 96) + "\n")
    click.echo("Sources")
    for number, source in enumerate(scenario.sources):
        click.echo(
            f"  [{number}] {source['title']} ({source.get('year', '?')}) {source.get('url', '')}"
        )
    click.echo("\nNetwork\n" + picture(scenario.plan) + "\n")
    click.echo("Hosts (for --at)")
    for node in scenario.plan.nodes:
        where = " ".join(w for w in (node.city, node.carrier) if w)
        click.echo(f"  {node.name:<10} {node.role:<9} {where}")
    click.echo("\nVantages: " + ", ".join(scenario.vantages))
    _show_rules(scenario)
    _show_timeline(scenario)
    click.echo("\nTargets and truth")
    spans = phases(scenario)
    for target in scenario.targets:
        fields = " ".join(f"{k}={v}" for k, v in target.fields.items() if k != "password")
        click.echo(f"  {target.name} ({target.kind}) {fields}")
        before: Said = {}
        for phase in spans:
            said = _truths(scenario, phase, target.name)
            for text, vantages in said.items() if said != before else ():
                everywhere = len(vantages) == len(scenario.vantages)
                who = "everywhere" if everywhere else ", ".join(vantages)
                since = f"from {phase.begins:g} s, " if phase.begins else ""
                click.echo(f"      {since}{who}: {text}")
            before = said


def _show_timeline(scenario: Scenario) -> None:
    if not scenario.timeline:
        return
    click.echo(f"\nTimeline: at first {_boxes(at_first(scenario))} enforces")
    for step in scenario.timeline:
        word = "enable" if "enable" in step else "disable"
        click.echo(f"  {step['at']:g} s: {word} {step[word]}")


def _boxes(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "nobody"


def _show_rules(scenario: Scenario) -> None:
    for censor in scenario.censors:
        click.echo(f"\nCensor {censor.name} at {censor.node}, {censor.policy['position']}")
        for rule in censor.policy.get("rules", ()):
            click.echo(f"  {rule['id']}: {rule.get('fidelity', 'fidelity not stated')}")
            for key, what in (rule.get("when") or {}).items():
                click.echo(f"      when {key}: {_short(what)}")
            acts = rule.get("then") or "pass"
            for act in acts if isinstance(acts, list) else [acts]:
                click.echo(f"      then {_short(act)}")


def _short(value: object, limit: int = 120) -> str:
    """Write a value of a policy on one line, cut where it is long."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= limit else f"{text[: limit - 2]} …"


def _truths(scenario: Scenario, phase: Phase, target: str) -> Said:
    found: Said = {}
    for vantage in scenario.vantages:
        found.setdefault(_text(phase.truths[vantage, target]), []).append(vantage)
    return found


def _text(truth: Truth) -> str:
    label = truth.label
    words = [label.verdict, *sorted(label.mechanisms)]
    if label.locus:
        words.append(f"({label.locus})")
    if truth.by_log:
        words.append(f"if the box's log says so, else {truth.baseline.verdict}")
    return " ".join(words)


def _document(scenario: Scenario) -> dict[str, Any]:
    return {
        "scenario": scenario.name,
        "title": scenario.title,
        "period": scenario.period,
        "fidelity": scenario.fidelity,
        "tags": list(scenario.tags),
        "story": scenario.story,
        "sources": [dict(source) for source in scenario.sources],
        "topology": scenario.plan.topology,
        "hosts": [
            {
                "host": node.name,
                "role": node.role,
                "city": node.city,
                "carrier": node.carrier,
                "addresses": _addresses(scenario, node.name),
            }
            for node in scenario.plan.nodes
        ],
        "vantages": list(scenario.vantages),
        "targets": [target.public() for target in scenario.targets],
        "censors": [
            {"censor": c.name, "at": c.node, "policy": dict(c.policy)} for c in scenario.censors
        ],
        "timeline": [dict(step) for step in scenario.timeline],
        "truth": [
            {
                "vantage": vantage,
                "target": target,
                "since": since,
                "verdict": truth.label.verdict,
                "mechanisms": sorted(truth.label.mechanisms),
                "locus": truth.label.locus,
                "by_log": truth.by_log,
            }
            for (vantage, target), first in scenario.truths.items()
            for since, truth in ((0.0, first), *scenario.changes.get((vantage, target), ()))
        ],
    }


def _addresses(scenario: Scenario, host: str) -> list[str]:
    ends = [e for link in scenario.plan.links for e in link.ends if e.node == host]
    return [*scenario.plan.node(host).addresses, *(a for e in ends for a in e.addresses)]
