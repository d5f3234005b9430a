"""What a scenario's topology may hold."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from scenarios.terrain import Line, National, Topology
from topologies import catalogue

READ: TypeAdapter[object] = TypeAdapter(Topology)


def test_use_chooses_the_model_and_durations_have_units() -> None:
    line = READ.validate_python({"use": "line", "delay": "5 ms"})
    assert isinstance(line, Line)
    assert line.delay == 0.005
    found = READ.validate_python({"use": "national", "cities": ["beijing"], "carriers": ["unicom"]})
    assert isinstance(found, National)
    assert (found.country, found.borders, found.cache) == ("CN", "one", False)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"use": "star"}, "'line', 'hops', 'fork', 'detour', 'series', 'national'"),
        ({"use": "line", "delay": 5}, "duration"),
        ({"use": "line", "cities": ["beijing"]}, "Extra inputs"),
        ({"use": "national", "cities": [], "carriers": ["unicom"]}, "at least 1 item"),
        ({"use": "hops", "hops": "5"}, "valid integer"),
    ],
)
def test_what_is_refused(given: object, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        READ.validate_python(given)


def test_every_topology_that_can_be_built_can_be_used() -> None:
    words = READ.json_schema()["discriminator"]["mapping"]
    assert set(words) == set(catalogue.TOPOLOGIES)
