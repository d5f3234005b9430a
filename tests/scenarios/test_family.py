"""Names with addresses of one version are asked over that one, and called where callees stand."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scenarios.model import Scenario

Load = Callable[..., Scenario]
Break = Callable[..., list[str]]

VOICE = "names: [sip.voice.net]"
SIX, FOUR = '"2607:f298:5:200::40"', "66.33.201.40"


@pytest.mark.parametrize(
    ("addresses", "families"),
    [([SIX], [6]), ([FOUR], None), ([FOUR, SIX], None)],
)
def test_a_name_is_asked_over_what_it_has(
    load: Load, addresses: list[str], families: list[int] | None
) -> None:
    scenario = load((VOICE, f"{VOICE}, addresses: [{', '.join(addresses)}]"))
    call = next(t for t in scenario.targets if t.name == "call")
    assert call.public().get("families") == families


def test_sites_are_asked_over_what_they_have(load: Load) -> None:
    scenario = load(("names: [www.two.net]", f"names: [www.two.net], addresses: [{SIX}]"))
    found = {t.name: t.public().get("families") for t in scenario.targets}
    assert found["two"] == [6]
    assert found["one"] is found["dead"] is None


def test_callees_stand_at_the_first_address(broken: Break) -> None:
    (told,) = broken((VOICE, f"{VOICE}, addresses: [{SIX}, {FOUR}]"))
    assert told.startswith("26:33  targets.call.registrar: found 'sip.voice.net'; expected a serv")
    assert "first address is IPv4" in told
    assert SIX.strip('"') in told


def test_a_name_of_both_is_asked_over_what_is_said(load: Load, broken: Break) -> None:
    register = "{kind: sip, registrar: sip.voice.net, families: [6]}"
    call = "{kind: call, registrar: sip.voice.net}"
    both = load((VOICE, f"{VOICE}, addresses: [{FOUR}, {SIX}]"), (call, register))
    assert next(t for t in both.targets if t.name == "call").public()["families"] == [6]
    (told,) = broken((VOICE, f"{VOICE}, addresses: [{FOUR}]"), (call, register))
    assert "an IPv6 address" in told
    assert FOUR in told
