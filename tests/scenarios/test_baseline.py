"""What services answer when nobody interferes, and the label that earns."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scenarios.baseline import label
from scenarios.error import ScenarioError
from scenarios.model import Label, Scenario

Load = Callable[..., Scenario]
Broken = Callable[..., list[str]]
#: Services that a target about Skype, or a datagram, is about.
SKYPE = """\
  node: {kind: skype, part: supernode, addresses: [66.235.180.9, 66.235.181.9]}
  login: {kind: skype, part: login, addresses: [80.160.91.11]}
  gate: {kind: skype, part: gateway}
  off: {kind: skype, part: gateway, manner: silent}
  echo: {kind: echo, names: [echo.voice.net], port: 1812}
"""

SERVICE = "names: [www.two.net]"


@pytest.mark.parametrize(
    ("added", "word"),
    [
        ("", "refused"),
        (", http3: true", "answers"),
        (", http3: true, manner: silent", "silent"),
        (", http3: true, certificate: expired", "expired"),
        (", http3: true, status: 503", "{status: 503}"),
    ],
)
def test_over_quic_a_site_must_speak_it(load: Load, added: str, word: str) -> None:
    verdict = "ok" if word == "answers" else "down"
    scenario = load(
        (SERVICE, SERVICE + added),
        ('"https://www.two.net/"', f'"https://www.two.net/", via: h3, baseline: {word}'),
        ("{target: [two, call, inland], verdict: ok}", "{target: [call, inland], verdict: ok}"),
        ("{target: dead,", f"{{target: two, verdict: {verdict}}}\n  - {{target: dead,"),
    )
    two = next(target for target in scenario.targets if target.name == "two")
    assert set(two.baseline.values()) == {word.strip("{}")}
    assert two.public() == {
        "target": "two", "kind": "web", "url": "https://www.two.net/", "via": "h3",
    }  # fmt: skip


def test_over_quic_there_is_no_plain_http(broken: Broken) -> None:
    told = broken(('"https://www.two.net/"', '"http://www.two.net/", via: h3, baseline: refused'))
    assert any("targets.two.url" in line and "https://..., which h3" in line for line in told), told


@pytest.mark.parametrize(
    ("added", "url", "word"),
    [
        ("", "http", "answers"),
        (", manner: refused", "http", "refused"),
        (", manner: reset", "https", "reset"),
        (", manner: silent", "http", "silent"),
        (", manner: slow", "https", "answers"),
        (", manner: stalls", "http", "stalls"),
        (", manner: truncates", "https", "truncates"),
        (", store: {app: Chess}", "https", "answers"),
        (", store: {app: Chess, absent: [0.0.0.0/0]}", "https", "delisted"),
        (", certificate: expired", "https", "expired"),
        (", certificate: expired", "http", "answers"),
        (", certificate: self-signed", "https", "self-signed"),
        (", certificate: wrong-name", "https", "wrong-name"),
        (", status: 451", "http", "{status: 451}"),
        (", status: 301, location: 'http://www.one.net/'", "http", "{redirect: www.one.net}"),
    ],
)
def test_words_follow_from_services(load: Load, added: str, url: str, word: str) -> None:
    verdict = "ok" if word in ("answers", "{redirect: www.one.net}") else "down"
    scenario = load(
        (SERVICE, SERVICE + added),
        ('"https://www.two.net/"', f'"{url}://www.two.net/", baseline: {word}'),
        ("{target: [two, call, inland], verdict: ok}", "{target: [call, inland], verdict: ok}"),
        ("{target: dead,", f"{{target: two, verdict: {verdict}}}\n  - {{target: dead,"),
    )
    two = next(target for target in scenario.targets if target.name == "two")
    assert set(two.baseline.values()) == {word.strip("{}")}
    assert scenario.truths["us", "two"].baseline.verdict == verdict


@pytest.mark.parametrize(
    ("target", "word"),
    [
        ("{kind: dns, name: www.two.net}", "answers"),
        ("{kind: dns, name: none.example.net, baseline: dead-name}", "dead-name"),
        ("{kind: tcp, host: www.two.net, port: 443}", "answers"),
        ("{kind: tcp, host: 66.33.200.1, port: 80}", "answers"),
        ("{kind: tcp, host: www.two.net, port: 22, baseline: refused}", "refused"),
        ("{kind: udp, host: sip.voice.net, port: 5060}", "answers"),
        ("{kind: udp, host: www.two.net, port: 80, baseline: refused}", "refused"),
        ("{kind: udp, host: sip.voice.net, port: 5060, asks: stun, baseline: silent}", "silent"),
        ("{kind: web, url: 'https://66.33.200.1/', baseline: wrong-name}", "wrong-name"),
        ("{kind: sip, registrar: sip.voice.net}", "answers"),
        ("{kind: udp, host: echo.voice.net, port: 1812, payload: 01 2A}", "answers"),
        ("{kind: udp, host: echo.voice.net, port: 1813, baseline: refused}", "refused"),
        ("{kind: tcp, host: 80.160.91.11, port: 443}", "answers"),
        ("{kind: tcp, host: 80.160.91.11, port: 80, baseline: refused}", "refused"),
        ("{kind: skype, hosts: [node], login: login}", "answers"),
        ("{kind: skypeout, hosts: [node], login: login, gateway: gate}", "answers"),
        ("{kind: skypeout, hosts: [node], login: login, gateway: off, baseline: silent}", "silent"),
    ],
)
def test_every_kind_of_target(load: Load, target: str, word: str) -> None:
    verdict = "ok" if word == "answers" else "down"
    scenario = load(
        ("targets:\n", f"{SKYPE}targets:\n"),
        ("pools:", f"  new: {target}\npools:"),
        ("truth:\n", f"truth:\n  - {{target: new, verdict: {verdict}}}\n"),
    )
    assert set(scenario.targets[-1].baseline.values()) == {word}


def test_a_skype_client_is_told_addresses(load: Load) -> None:
    target = "{kind: skypeout, hosts: [node], login: login, gateway: gate}"
    scenario = load(
        ("targets:\n", f"{SKYPE}targets:\n"),
        ("pools:", f"  new: {target}\npools:"),
        ("truth:\n", "truth:\n  - {target: new, verdict: ok}\n"),
    )
    assert scenario.targets[-1].public() == {
        "target": "new",
        "kind": "skypeout",
        "hosts": ["66.235.180.9", "66.235.181.9"],
        "login": "80.160.91.11",
        "gateway": "88.198.0.4",
    }


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("{kind: skype, hosts: [nod], login: login}", "part supernode: node"),
        ("{kind: skype, hosts: [node], login: node}", "part login: login"),
        ("{kind: skypeout, hosts: [node], login: login, gateway: one}", "part gateway: gate"),
    ],
)
def test_a_part_of_skype_is_another_part(broken: Broken, target: str, said: str) -> None:
    problems = broken(
        ("targets:\n", f"{SKYPE}targets:\n"),
        ("pools:", f"  new: {target}\npools:"),
        ("truth:\n", "truth:\n  - {target: new, verdict: ok}\n"),
    )
    assert len(problems) == 1
    assert said in problems[0]


GEO = Label("blocked", frozenset({"http.error.geo"}), "server_side")


@pytest.mark.parametrize(
    ("word", "control", "expected"),
    [
        ("answers", "answers", Label("ok")),
        ("answers", "status: 403", Label("ok")),
        ("status: 403", "status: 403", Label("down")),
        ("status: 403", "answers", GEO),
        ("status: 451", "answers", GEO),
        ("status: 503", "status: 503", Label("down")),
        ("status: 204", "answers", Label("ok")),
        ("redirect: a.b", "redirect: a.b", Label("ok")),
        (
            *("redirect: a.b", "answers"),
            Label("blocked", frozenset({"http.redirect.geo"}), "server_side"),
        ),
        ("dead-name", "dead-name", Label("down")),
        ("silent", "silent", Label("down")),
        ("expired", "answers", Label("down")),
        ("bogus-name", "bogus-name", Label("down")),
        ("answers", "bogus-name", Label("ok")),
        ("stalls", "answers", Label("down")),
        ("delisted", "delisted", Label("down")),
        ("filtered", "filtered", Label("blocked", frozenset({"app"}), "client_side")),
        (
            *("delisted", "answers"),
            Label("blocked", frozenset({"app.store.delisted"}), "server_side"),
        ),
    ],
)
def test_labels(word: str, control: str, expected: Label) -> None:
    assert label(word, control) == expected


@pytest.mark.parametrize(
    ("service", "word", "verdict"),
    [
        ("callees: {echo: answers}", "answers", "ok"),
        ("callees: {echo: busy}", "{status: 486}", "down"),
        ("callees: {echo: wrong-codec}", "{status: 488}", "down"),
        ("callees: {echo: no-answer}", "no-answer", "down"),
        ("callees: {echo: hangs-up}", "hangs-up", "ok"),
        ("callees: {echo: mute}", "one-way", "down"),
        ("callees: {echo: one-way}", "one-way", "down"),
        ("callees: [echo], unpaid: [bob]", "{status: 403}", "down"),
        ("callees: {echo: busy}, manner: silent", "silent", "down"),
    ],
)
def test_how_a_callee_behaves(load: Load, service: str, word: str, verdict: str) -> None:
    scenario = load(
        ("callees: [echo]", service),
        ("registrar: sip.voice.net}", f"registrar: sip.voice.net, baseline: {word}}}"),
        ("{target: [two, call, inland], verdict: ok}", "{target: [two, inland], verdict: ok}"),
        ("{target: dead,", f"{{target: call, verdict: {verdict}}}\n  - {{target: dead,"),
    )
    call = next(target for target in scenario.targets if target.name == "call")
    assert set(call.baseline.values()) == {word.strip("{}")}


def test_who_has_not_paid_is_a_user(load: Load) -> None:
    with pytest.raises(ScenarioError, match=r"services.voice.unpaid.0(?s:.)*bbo(?s:.)*bob"):
        load(("callees: [echo]", "callees: [echo], unpaid: [bbo]"))


RELAY = "  relay: {kind: turn, names: [turn.voice.net]}\n  inland: {kind: web"


@pytest.mark.parametrize(
    ("nat", "helpers", "manner", "word"),
    [
        ("cone", "", "answers", "one-way"),
        ("cone", ", stun: turn.voice.net", "answers", "answers"),
        ("symmetric", ", stun: turn.voice.net", "answers", "one-way"),
        ("symmetric", ", turn: turn.voice.net", "answers", "answers"),
        ("cone", ", turn: turn.voice.net", "silent", "one-way"),
    ],
)
def test_calls_from_behind_a_translator(
    load: Load, nat: str, helpers: str, manner: str, word: str
) -> None:
    verdict = "ok" if word == "answers" else "down"
    scenario = load(
        ("us: {abroad: true", f"us: {{abroad: true, nat: {nat}"),
        ("  inland: {kind: web", RELAY.replace("net]", f"net], manner: {manner}")),
        ("sip.voice.net}\n", f"sip.voice.net{helpers}, baseline: {{us: {word}}}}}\n"),
        ("{target: [two, call, inland], verdict: ok}", "{target: [two, inland], verdict: ok}"),
        ("{target: dead,", "{target: call, from: inside, verdict: ok}\n  - {target: dead,"),
        ("{target: dead,", f"{{target: call, from: us, verdict: {verdict}}}\n  - {{target: dead,"),
    )
    call = next(target for target in scenario.targets if target.name == "call")
    assert (call.baseline["us"], call.baseline["bj-cu"]) == (word, "answers")
    assert ("turn_user" in call.fields) == (", turn:" in helpers)


@pytest.mark.parametrize("dialled", ["+861065529988", "00861065529988", "861065529988"])
def test_a_number_is_answered_however_it_is_dialled(load: Load, dialled: str) -> None:
    numbers = 'callees: [echo], numbers: {"+861065529988": busy}'
    scenario = load(
        ("callees: [echo]", numbers),
        ("sip.voice.net}\n", f'sip.voice.net, callee: "{dialled}", baseline: {{status: 486}}}}\n'),
        ("{target: [two, call, inland], verdict: ok}", "{target: [two, inland], verdict: ok}"),
        ("{target: dead,", "{target: call, verdict: down}\n  - {target: dead,"),
    )
    call = next(target for target in scenario.targets if target.name == "call")
    assert set(call.baseline.values()) == {"status: 486"}
    assert call.fields["callee"] == dialled


LAPSED = ("names: [www.two.net]", "names: [www.two.net], signature: expired")
SIGNED = ("delay: 20 ms}", "delay: 20 ms, resolver: carrier, dnssec: [telecom]}")


def test_signatures_that_ran_out_matter_to_who_asks_a_recursor_that_validates(load: Load) -> None:
    baseline = "baseline: {unicom: answers, else: bogus-name}"
    told = "{target: two, from: [telecom, abroad], verdict: down}"
    scenario = load(
        LAPSED,
        SIGNED,
        ('"https://www.two.net/"', f'"https://www.two.net/", {baseline}'),
        ("{target: [two, call, inland], ", "{target: [call, inland], "),
        ("truth:\n", f"truth:\n  - {told}\n  - {{target: two, from: unicom, verdict: ok}}\n"),
    )
    (two,) = (target for target in scenario.targets if target.name == "two")
    assert (two.baseline["bj-cu"], two.baseline["sh-ct"]) == ("answers", "bogus-name")


def test_nothing_is_signed_where_nobody_validates(broken: Broken) -> None:
    problems = broken(LAPSED)
    assert any("valid, or a topology with `dnssec`" in problem for problem in problems), problems


RESOLVERS = """\
  quad9: {kind: resolver, names: [dns.quad9.net], addresses: [9.9.9.9]}
  off: {kind: resolver, names: [dns.off.net], manner: silent}
"""
ASKED = "kind: dns, name: www.one.net"


@pytest.mark.parametrize(
    ("target", "word"),
    [
        (f"{{{ASKED}, via: dot, resolver: dns.quad9.net}}", "answers"),
        (f"{{{ASKED}, via: doh, resolver: dns.off.net, baseline: silent}}", "silent"),
        ("{kind: tcp, host: dns.quad9.net, port: 853}", "answers"),
        ("{kind: tcp, host: dns.off.net, port: 443, baseline: silent}", "silent"),
    ],
)
def test_resolvers_are_asked_by_name(load: Load, target: str, word: str) -> None:
    verdict = "ok" if word == "answers" else "down"
    scenario = load(
        ("targets:\n", f"{RESOLVERS}targets:\n"),
        ("pools:", f"  new: {target}\npools:"),
        ("truth:\n", f"truth:\n  - {{target: new, verdict: {verdict}}}\n"),
    )
    assert set(scenario.targets[-1].baseline.values()) == {word}


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (f"{{{ASKED}, via: dot}}", "via and resolver, or neither"),
        (f"{{{ASKED}, resolver: dns.quad9.net}}", "via and resolver, or neither"),
        (f"{{{ASKED}, via: dot, resolver: dns.quad8.net}}", "did you mean 'dns.quad9.net'?"),
    ],
)
def test_whom_nobody_can_ask(broken: Broken, target: str, said: str) -> None:
    problems = broken(
        ("targets:\n", f"{RESOLVERS}targets:\n"),
        ("pools:", f"  new: {target}\npools:"),
        ("truth:\n", "truth:\n  - {target: new, verdict: ok}\n"),
    )
    assert len(problems) == 1
    assert said in problems[0]


def test_a_resolver_shares_its_address_with_no_site(broken: Broken) -> None:
    web = "  near: {kind: web, names: [near.net], addresses: [9.9.9.9]}\n"
    problems = broken(("targets:\n", f"{RESOLVERS}{web}targets:\n"))
    assert any("a resolver listens on port 443, too" in problem for problem in problems)


def test_a_vantage_that_stands_nowhere_is_told_of_by_itself(broken: Broken) -> None:
    problems = broken(LAPSED, SIGNED, ("bj-cu: {city: beijing", "bj-cu: {city: bejing"))
    assert any("did you mean 'beijing'?" in problem for problem in problems), problems
