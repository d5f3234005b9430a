"""Rules that cannot be meant are refused, each at its place."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scenarios.model import Scenario

Load = Callable[..., Scenario]
Break = Callable[..., list[str]]

RULE = "censors.gfw.rules[0]"
THEN = "then: {inject: dns-answer, addresses: pool, answer_ttl: {random: [30, 255]}}"


@pytest.mark.parametrize(
    ("before", "after", "place", "words"),
    [
        ("at: border", "at: bordr", "31:9  censors.gfw.at", "did you mean 'border'?"),
        (THEN, "then: {drop: packet}", f"38:16  {RULE}.then.drop", "only injects"),
        (THEN, "then: {injekt: reset}", f"38:9  {RULE}.then", "inject: reset|dns-answer"),
        ("addresses: pool,", "addresses: pol,", f"38:36  {RULE}.then.addresses", "mean 'pool'?"),
        ("dns.name:", "dns.nam:", f'37:16  {RULE}.when["dns.nam"]', "did you mean 'dns.name'?"),
        ("targets: one\n", "targets: onee\n", f"36:18  {RULE}.targets", "did you mean 'one'?"),
        ("targets: one\n", "targets: [one, tow]\n", f"36:24  {RULE}.targets[1]", "mean 'two'?"),
        ("sh-ct]}", "sh-cu]}", f'37:73  {RULE}.when["client.address"][1]', "mean 'sh-ct'?"),
        ("source: 0", "source: 1", f"40:17  {RULE}.source", "from 0 to 0"),
        ("        source: 0\n", "", f"35:9  {RULE}", "said to be documented"),
        ("latency: 2 ms", "latency: 40 ms", "33:14  censors.gfw.latency", "less than 40 ms"),
        (THEN, THEN[:-1] + ", latency: 40 ms}", f"38:95  {RULE}.then.latency", "less than 40 ms"),
        ("latency: 2 ms", "limits: {idle: 60}", "33:20  censors.gfw.limits.idle", "'60 s'"),
        ("latency: 2 ms", "without: [one]", "33:15  censors.gfw.without[0]", "mean 'one-dns'?"),
        ("position: on-path", "positon: on-path", "32:5  censors.gfw.positon", "mean 'position'?"),
        ("delay: 20 ms", "delay: 0 ms", "33:14  censors.gfw.latency", "less than 0 ms"),
        ("on-path", "beside", "32:5  censors.gfw.position", "in-path"),
    ],
)
def test_told_at_its_place(broken: Break, before: str, after: str, place: str, words: str) -> None:
    told = broken((before, after))
    assert any(line.startswith(f"{place}: ") and words in line for line in told), told


def test_one_box_a_place(broken: Break) -> None:
    told = broken(("truth:\n", "  two: {at: border, position: in-path}\ntruth:\n"))
    assert told[0].startswith("41:13  censors.two.at: found 'border'; expected a place of its own")


@pytest.mark.parametrize(
    "edits",
    [
        [("        fidelity:", "        race: may-lose\n        fidelity:")],
        [("position: on-path", "position: on-path\n    race: may-lose")],
        [("position: on-path", "position: in-path")],
        [(THEN, "then: {allow: true}")],
    ],
)
def test_a_slow_box_is_right_where_it_cannot_lose_or_may(
    load: Load, edits: list[tuple[str, str]]
) -> None:
    scenario = load(("latency: 2 ms", "latency: 50 ms"), *edits)
    assert "race" not in scenario.censors[0].policy["rules"][0]


def test_rules_can_be_left_out(load: Load) -> None:
    (censor,) = load(("latency: 2 ms", "without: [one-dns]")).censors
    assert censor.policy["rules"] == []
    assert "without" not in censor.policy


def test_words_mean_prefixes_in_a_negated_part_too(load: Load) -> None:
    edit = ("client.address: [beijing, sh-ct]", "not: {client.address: [inside, two, 1.2.0.0/16]}")
    (censor,) = load(edit).censors
    written = censor.policy["rules"][0]["when"]["not"]["client.address"]
    assert {"202.97.0.0/16", "88.198.0.1", "1.2.0.0/16"} <= set(written)
