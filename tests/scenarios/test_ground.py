"""Who stands where, at which address, under which name."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scenarios.model import Scenario

Load = Callable[..., Scenario]
Break = Callable[..., list[str]]


@pytest.mark.parametrize(
    ("before", "after", "place", "words"),
    [
        ("us: {abroad", "overseas-1: {abroad", "11:3  vantages.overseas-1", "at most 9"),
        ("us: {abroad", "gw1: {nat: cone, abroad", "11:3  vantages.gw1", "a name that is free"),
        ("us: {abroad", "us: {nat: cones, abroad", "11:13  vantages.us.nat", "mean 'cone'?"),
        (
            "sip.voice.net}\n",
            "sip.voice.net, turn: t.net}\n",
            "26:54  targets.call.turn",
            "is none",
        ),
        (
            "callees: [echo]}",
            'callees: [echo], numbers: ["123"]}',
            "19:94  services.voice",
            "with +",
        ),
        ("[echo]", "[echo, bob]", "19:84  services.voice.callees[1]", "a name that no user has"),
        ("[echo]", "{bob: busy}", "19:83  services.voice.callees.bob", "a name that no user has"),
        (
            "callees: [echo]}",
            'callees: ["123"], numbers: ["+123"]}',
            "19:78  services.voice.callees[0]",
            "a name that no number has",
        ),
        ("[echo]", "[two words]", "19:77  services.voice.callees", "not 'two words'"),
        ("bob: secret", "bob: two words", "19:53  services.voice.users", "not 'two words' as bob"),
        ("bob: secret", "b/b: secret", "19:53  services.voice.users", "not 'b/b'"),
        ("us: {abroad", "border: {abroad", "11:3  vantages.border", "a name that is free"),
        ("city: beijing, c", "city: beijin, c", "9:17  vantages.bj-cu.city", "mean 'beijing'?"),
        ("carrier: unicom}", "carrier: unicorn}", "9:35  vantages.bj-cu.carrier", "mean 'unicom'?"),
        ("city: beijing, c", "c", "9:10  vantages.bj-cu.city", "one of beijing, shanghai"),
        ("cities: [beijing,", "cities: [bejing,", "7:36  topology.cities[0]", "mean 'beijing'?"),
        ("carrier: unicom, n", "carrier: unicrom, n", "20:32  services.inland.carrier", "unicom"),
        ("202.108.12.68", "8.8.8.8", "20:76  services.inland.addresses[0]", "resolver holds it"),
        ("names: [www.two.net]", "names: [one.net]", "14:28  services.two.names[0]", "of one"),
        ("www.two.net]", "www.two.net], addresses: [202.108.12.68]", "20:76  ", "different places"),
        ("from: [CN]", "from: [CNN]", "18:19  services.geo.geo[0].from[0]", "mean 'CN'?"),
        ("status: 403}]", "status: 302}]", "18:32  services.geo.geo[0].status", "a location"),
    ],
)
def test_told_at_its_place(broken: Break, before: str, after: str, place: str, words: str) -> None:
    told = broken((before, after))
    assert any(line.startswith(place) and words in line for line in told), told


def test_addresses_are_dealt_around_those_that_are_stated(load: Load) -> None:
    scenario = load(("66.33.200.1]", "88.198.0.1]"))
    assert scenario.dns["www.one.net"] == ("88.198.0.1",)
    dealt = [scenario.dns[name][0] for name in ("www.two.net", "www.geo.net", "sip.voice.net")]
    assert dealt == ["88.198.0.2", "88.198.0.3", "88.198.0.4"]


def test_sites_share_an_address_and_sip_stands_beside_web(load: Load) -> None:
    scenario = load(
        ("names: [www.two.net]", "names: [www.two.net], addresses: [66.33.200.1]"),
        ("names: [sip.voice.net]", "names: [sip.voice.net], addresses: [66.33.200.1]"),
    )
    assert scenario.dns["www.two.net"] == scenario.dns["sip.voice.net"] == ("66.33.200.1",)


def test_a_closed_port_is_closed_for_all_names(broken: Break) -> None:
    shared = "names: [www.two.net], addresses: [66.33.200.1], manner: refused"
    told = broken(("names: [www.two.net]", shared))
    assert any("a port is open for both or for neither" in line for line in told)


def test_port_443_of_an_address_is_one_servers(broken: Break, load: Load) -> None:
    shared = "names: [www.two.net], addresses: [66.33.200.1], http3: true"
    told = broken(("names: [www.two.net]", shared))
    assert any("both speak HTTP/3, or neither" in line for line in told), told
    both = ("66.33.200.1]}\n  two", "66.33.200.1], http3: true}\n  two")
    scenario = load(("names: [www.two.net]", shared), both)
    assert [s.id for s in scenario.services if getattr(s, "http3", False)] == ["one", "two"]


@pytest.mark.parametrize("more", ["manner: slow", "manner: reset", "store: {app: Chess}"])
def test_what_cannot_be_served_over_quic_is_refused(broken: Break, more: str) -> None:
    told = broken(("names: [www.two.net]", f"names: [www.two.net], {more}, http3: true"))
    assert any("services.two.http3: found true" in line for line in told), told


def test_services_stand_where_their_carrier_is(load: Load) -> None:
    plan = load().plan
    assert plan.node("srv-cu").carrier == "unicom"
    assert plan.node("servers").carrier is None
    assert "202.108.12.68/32" in plan.node("srv-cu").addresses
