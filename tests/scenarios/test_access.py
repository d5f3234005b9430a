"""What targets answer through a proxy or a portal on a vantage's gateway."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scenarios.baseline import label
from scenarios.model import Label, Scenario

Load = Callable[..., Scenario]
Broken = Callable[..., list[str]]
PLACE = ("us: {abroad: true", "us: {abroad: true, nat: cone, ")
#: A call from behind a translator has troubles of its own.
NO_CALL = ("{kind: call, registrar", "{kind: sip, registrar")
TWO = "names: [www.two.net]"
URL = '"https://www.two.net/"'


def words(scenario: Scenario, name: str) -> dict[str, str]:
    (found,) = (dict(target.baseline) for target in scenario.targets if target.name == name)
    return found


def told(verdict: str) -> tuple[tuple[str, str], ...]:
    """Say the truth of `two` by itself: as it is at home, and from abroad."""
    return (
        ("{target: [two, call, inland], verdict: ok}", "{target: [call, inland], verdict: ok}"),
        ("{target: dead,", f"{{target: two, verdict: {verdict}}}\n  - {{target: dead,"),
    )


@pytest.mark.parametrize(
    ("manner", "word"),
    [("refused", "status: 503"), ("reset", "status: 502"), ("silent", "stalls")],
)
def test_a_proxy_says_of_a_dead_server_what_became_of_its_own_connection(
    load: Load, manner: str, word: str
) -> None:
    said = word if ":" not in word else f"{{{word}}}"
    scenario = load(
        (PLACE[0], PLACE[1] + "proxy: true"),
        NO_CALL,
        (TWO, f"{TWO}, manner: {manner}"),
        (URL, f'"http://www.two.net/", baseline: {{us: {said}, else: {manner}}}'),
        *told("down"),
    )
    assert words(scenario, "two") == {"bj-cu": manner, "sh-ct": manner, "us": word}
    assert scenario.truths["us", "two"].label == Label("down")
    assert words(scenario, "dead")["us"] == "dead-name"


def test_a_proxy_leaves_https_alone(load: Load) -> None:
    scenario = load(
        (PLACE[0], PLACE[1] + "proxy: true"),
        NO_CALL,
        (TWO, f"{TWO}, manner: refused"),
        (URL, f"{URL}, baseline: refused"),
        *told("down"),
    )
    assert set(words(scenario, "two").values()) == {"refused"}


def test_a_connection_to_port_80_always_opens_through_a_proxy(load: Load) -> None:
    asked = "{kind: tcp, host: www.two.net, port: 80, baseline: {us: answers, else: silent}}"
    scenario = load(
        (PLACE[0], PLACE[1] + "proxy: true"),
        NO_CALL,
        (TWO, f"{TWO}, manner: silent"),
        ('{kind: web, url: "https://www.two.net/"}', asked),
        ("{target: [two, call, inland], verdict: ok}", "{target: [call, inland], verdict: ok}"),
        ("{target: dead,", "{target: two, from: us, verdict: ok}\n  - {target: dead,"),
        ("{target: dead,", "{target: two, from: inside, verdict: down}\n  - {target: dead,"),
    )
    assert words(scenario, "two")["us"] == "answers"


def test_behind_a_portal_nothing_is_blocked_and_little_works(load: Load) -> None:
    held = "baseline: {us: portal, else: answers}"
    scenario = load(
        (PLACE[0], PLACE[1] + "portal: {status: 511, voucher: tea}"),
        ('"http://www.one.net/"', f'"http://www.one.net/", {held}'),
        (URL, f"{URL}, {held}"),
        ("{inside: {status: 403}}", "{us: portal, inside: {status: 403}}"),
        ("sip.voice.net}\n", f"sip.voice.net, {held}}}\n"),
        ('"http://www.inland.cn/"', f'"http://www.inland.cn/", {held}'),
        ("  - {target: one, from: us, verdict: ok}\n", ""),
        ("{target: [two, call, inland], verdict: ok}",
         "{target: [two, call, inland], from: inside, verdict: ok}"),
        ("{target: geo, from: abroad, verdict: ok}",
         "{target: [one, two, geo, call, inland], from: us, verdict: down}"),
    )  # fmt: skip
    assert scenario.truths["us", "two"].baseline == Label("down")
    assert words(scenario, "dead")["us"] == "dead-name"
    (gateway,) = (node for node in scenario.plan.nodes if node.portal)
    assert gateway.portal
    assert (gateway.portal.status, gateway.portal.voucher) == (511, "tea")


@pytest.mark.parametrize(
    ("word", "control", "expected"),
    [
        ("portal", "answers", Label("down")),
        ("status: 503", "refused", Label("down")),
        ("status: 502", "reset", Label("down")),
        ("status: 503", "answers", Label("blocked", frozenset({"http.error.geo"}), "server_side")),
        ("status: 403", "refused", Label("blocked", frozenset({"http.error.geo"}), "server_side")),
    ],
)
def test_labels(word: str, control: str, expected: Label) -> None:
    assert label(word, control) == expected


@pytest.mark.parametrize(
    ("edits", "line", "said"),
    [
        ([("us: {", "us: {proxy: true, ")], "11:15", "vantages.us.proxy"),
        ([("us: {", "us: {portal: {}, ")], "11:16", "add `nat: cone`"),
        ([("us: {", "us: {nat: cone, proxy: true, portal: {}, ")], "11:", "either a proxy or"),
        ([("us: {", "us: {nat: cone, portal: {status: 404}, ")], "11:36", "200, 302 or 511"),
        ([("us: {", "us: {nat: cone, portal: {dns: no}, ")], "11:", "passes or answers"),
        ([("us: {", "us: {nat: cone, portal: {voucher: ''}, ")], "11:", "vantages.us.portal"),
    ],
)
def test_what_cannot_be_is_refused_where_it_stands(
    broken: Broken, edits: list[tuple[str, str]], line: str, said: str
) -> None:
    assert any(one.startswith(line) and said in one for one in broken(*edits)), broken(*edits)


def test_skype_behind_a_portal_is_refused(broken: Broken) -> None:
    lines = broken(
        (PLACE[0], PLACE[1] + "portal: {}"),
        ("  voice: {kind: sip", "  node: {kind: skype, part: peer}\n  voice: {kind: sip"),
        ("  dead: {kind", "  note: {kind: chat, peer: node, message: hello}\n  dead: {kind"),
    )
    assert any("targets.note.kind" in one and "not modelled" in one for one in lines), lines
