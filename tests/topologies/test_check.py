"""What a scenario may ask of any topology."""

from __future__ import annotations

import pytest

from topologies import check
from topologies.catalogue import build
from topologies.errors import PlanError
from topologies.place import Place, Vantage
from topologies.prefix import PLAIN


@pytest.mark.parametrize("value", [0, 0.02, 2.0])
def test_a_delay_in_seconds_passes(value: float) -> None:
    assert [*check.delay({"delay": value})] == []


@pytest.mark.parametrize("value", [-0.1, 2.1, "20 ms", None, True, float("nan")])
def test_any_other_delay_is_refused(value: object) -> None:
    (problem,) = check.delay({"delay": value})
    assert problem.path == ("topology", "delay")
    assert problem.value is value


@pytest.mark.parametrize("name", ["", "1st", "Client", "a_b", "tenletters", "ü", "a b"])
def test_a_name_that_no_interface_can_bear_is_refused(name: str) -> None:
    (problem,) = check.names({name: Vantage()}, {}, ())
    assert problem.path == ("vantages", name)


def test_a_name_is_given_once() -> None:
    found = [*check.names({"a": Vantage(), "b": Vantage()}, {"a": Place()}, ("b",))]
    assert [problem.path for problem in found] == [("vantages", "b"), ("places", "a")]


@pytest.mark.parametrize(
    "address", ["10.0.0.1", "192.0.2.1", "127.0.0.1", "224.0.0.1", "2001:db8::1", "fe80::1", "1.2"]
)
def test_an_address_that_tools_refuse_is_refused(address: str) -> None:
    (problem,) = check.addresses({"servers": Place((address,))}, {})
    assert problem.path == ("places", "servers", "addresses", 0)


def test_an_address_is_held_once_however_it_is_written() -> None:
    places = {"a": Place(("2a03:2880::1",)), "b": Place(("2a03:2880:0:0::1", "8.8.8.8"))}
    found = [*check.addresses(places, {"8.8.8.8": "resolver"})]
    assert [(problem.path[1], problem.hint) for problem in found] == [
        ("b", "a holds it"),
        ("b", "resolver holds it"),
    ]


@pytest.mark.parametrize("value", ["beijing", 3, {"a": 1}])
def test_a_list_must_be_a_list(value: object) -> None:
    (problem,) = check.words({"cities": value}, "cities", ("beijing",))
    assert problem.expected == "a list"


def test_a_word_twice_is_refused() -> None:
    (problem,) = check.words({"cities": ["a", "b", "a"]}, "cities", ("a", "b"))
    assert problem.path == ("topology", "cities", 2)


@pytest.mark.parametrize("use", sorted(PLAIN))
def test_topologies_without_carriers_refuse_what_needs_one(use: str) -> None:
    with pytest.raises(PlanError) as caught:
        build({"use": use}, {"one": Vantage("wuhan", "unicom", access="fixed")}, {})
    assert [p.path[2] for p in caught.value.problems] == ["city", "carrier", "access"]


def test_more_vantages_than_prefixes_have_room_for_are_refused() -> None:
    assert [*check.names({f"v{n}": Vantage() for n in range(200)}, {}, ())] == []
    (problem,) = check.names({f"v{n}": Vantage() for n in range(201)}, {}, ())
    assert problem.path == ("vantages", "v200")


@pytest.mark.parametrize("use", ["national", "series"])
def test_two_hundred_vantages_find_room_in_the_smallest_city(use: str) -> None:
    options = {"province": ["wuhan"], "carrier": "telecom"} if use == "series" else {}
    kinds = (None, "fixed", "cellular") if use == "national" else (None,)
    for kind in kinds:
        crowd = {f"v{n}": Vantage("wuhan", "telecom", access=kind) for n in range(200)}
        assert len(build({"use": use, **options}, crowd, {}).nodes) > 200
