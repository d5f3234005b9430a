"""Every (vantage, target) has exactly one truth, and it is one that can be."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scenarios.model import Scenario

Load = Callable[..., Scenario]
Break = Callable[..., list[str]]

ONE = (
    "{target: one, from: inside, verdict: blocked, mechanisms: [dns.injection.other],"
    " locus: network}"
)
DEAD = "{target: dead, verdict: down}"


@pytest.mark.parametrize(
    ("before", "after", "place", "words"),
    [
        (f"  - {DEAD}\n", "", "25:3  targets.dead", "found none; expected a truth for dead"),
        ("from: us, ", "from: bj-cu, ", "22:3  targets.one", "a truth for one from us"),
        ("from: us, ", "", "43:5  truth[1]", "one truth for one from bj-cu; line 42 has one"),
        (
            DEAD,
            "{target: [dead, call], verdict: down}",
            "51:5  truth[5]",
            "line 44 has one",
        ),
        ("target: dead, v", "target: daed, v", "51:14  truth[5].target", "did you mean 'dead'?"),
        ("[two, call, in", "[two, cal, in", "44:20  truth[2].target[1]", "did you mean 'call'?"),
        ("[unicom, shanghai]", "[unicom, nanjing]", "46:20  truth[3].from[1]", "beijing"),
        ("[dns.injection.other]", "[dns.injected]", "42:64  truth[0].mechanisms[0]", "mean 'dns."),
        (", mechanisms: [dns.injection.other]", "", "42:5  truth[0]", "at least one mechanism"),
        (", locus: network}", "}", "42:5  truth[0]", "a locus, for the verdict is blocked"),
        ("verdict: down}", "verdict: down, locus: network}", "51:35  truth[5].locus", "is down"),
        ("verdict: down}", "verdict: down, mechanisms: [dns]}", "51:35  truth[5].mec", "is down"),
        ("verdict: down}", "verdict: ok}", "51:29  truth[5].verdict", "down, for dead answers"),
        ("us, verdict: ok", "us, verdict: down", "43:38  truth[1].verdict", "ok, for one answers"),
        ("locus: server_side", "locus: client_side", "49:12  truth[3].locus", "server_side, [http"),
        ("[http.error.geo]", "[http.error]", "49:12  truth[3].locus", "[http.error.geo]"),
        ("verdict: down}", "verdict: down, decided-by: log}", "51:47  truth[5].decided-by", "log"),
        ("baseline: dead-name", "baseline: refused", "25:26  targets.dead.url", "dead-name)"),
        ("www.one.net/", "www.oen.net/", "22:25  targets.one.url", "did you mean 'www.one.net'?"),
        (
            'one.net/"}',
            'one.net/", baseline: reset}',
            "22:58  targets.one.base",
            "'answers'",
        ),
        ("{inside: {", "{insde: {", "24:59  targets.geo.baseline.insde", "did you mean 'inside'?"),
        ("sip.voice.net}\n", "sip.voic.net}\n", "26:33  targets.call.registrar", "sip.voice.net"),
        ("sip.voice.net}\n", "sip.voice.net, user: eve}\n", "26:54  targets.call.user", "bob"),
        (
            "sip.voice.net}\n",
            "sip.voice.net, password: x}\n",
            "26:58  targets.call.pass",
            "voice kn",
        ),
        ("sip.voice.net}\n", "sip.voice.net, callee: ec}\n", "26:56  targets.call.callee", "echo"),
        ("sip.voice.net}\n", "sip.voice.net, families: [6]}\n", "26:33  targets.call.reg", "IPv6"),
        ("registrar: sip.voice.net", "registrar: www.one.net", "26:9  targets.call", "'refused'"),
    ],
)
def test_told_at_its_place(broken: Break, before: str, after: str, place: str, words: str) -> None:
    told = broken((before, after))
    assert any(line.startswith(place) and words in line for line in told), told


def test_from_takes_vantages_cities_carriers_and_sides(load: Load) -> None:
    for words in ("inside", "[bj-cu, telecom]", "[beijing, shanghai]", "[unicom, sh-ct, beijing]"):
        truths = load((ONE, ONE.replace("inside", words))).truths
        assert truths["bj-cu", "one"].label.verdict == "blocked"
        assert truths["sh-ct", "one"].label.verdict == "blocked"
        assert truths["us", "one"].label.verdict == "ok"


def test_the_log_may_decide(load: Load) -> None:
    truths = load((ONE, ONE.replace("}", ", decided-by: log}"))).truths
    assert truths["bj-cu", "one"].by_log
    assert not truths["us", "one"].by_log


TIMELINE = ("truth:\n", "timeline: [{at: 20 s, enable: gfw}, {at: 40 s, disable: gfw}]\ntruth:\n")


@pytest.mark.parametrize(
    ("during", "words"),
    [
        ("[20 s]", "a truth for dead from bj-cu at 0 s too"),
        ("[0 s, 20 s]", "a truth for dead from bj-cu at 20 s too"),
        ("[20 s, 10 s]", "an end after its start"),
        ("[5]", "'5 ms' or '5 s'"),
        ("[1 s, 2 s, 3 s]", "at most 2"),
    ],
)
def test_every_moment_has_a_truth(broken: Break, during: str, words: str) -> None:
    told = broken(TIMELINE, (DEAD, DEAD.replace("}", f", during: {during}}}")))
    assert any(words in line for line in told), told


def test_no_moment_has_two(broken: Break) -> None:
    first = DEAD.replace("}", ", during: [0 s, 30 s]}")
    second = DEAD.replace("}", ", during: [20 s]}")
    (told,) = broken(TIMELINE, (DEAD, f"{first}\n  - {second}"))
    assert told.startswith("53:5  truth[6]: found another; expected one truth for dead")
