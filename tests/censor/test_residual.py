"""Memories: found by their key, gone at their own time, never more than allowed."""

from __future__ import annotations

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from censor.act import Residual
from censor.residual import Memories, Memory, key, spell
from censor.rules import Ends

ENDS = Ends(6, b"\x0a\0\0\1", 4000, b"\x08\x08\x08\x08", 80, True)
NINETY = Residual("3-tuple", 90.0, False, True, ())


def memory(until: float, port: int = 80, seconds: float = 90.0) -> Memory:
    ends = Ends(6, ENDS.client, 4000, ENDS.server, port, True)
    return Memory(
        key("3-tuple", ends), "rule", until, Residual("3-tuple", seconds, False, True, ())
    )


def test_keys_leave_out_the_ports_they_do_not_hold() -> None:
    other = Ends(6, ENDS.client, 4001, ENDS.server, 80, True)
    elsewhere = Ends(6, ENDS.client, 4000, ENDS.server, 81, True)
    assert key("3-tuple", ENDS) == key("3-tuple", other) != key("3-tuple", elsewhere)
    assert key("pair", ENDS) == key("pair", elsewhere)
    assert key("4-tuple", ENDS) != key("4-tuple", other)
    assert spell(key("pair", ENDS)) == {
        "kind": "pair", "protocol": 6, "client": "10.0.0.1", "server": "8.8.8.8",
    }  # fmt: skip


def test_forgets_in_the_order_of_time_and_not_before() -> None:
    memories = Memories(10)
    late, soon = memory(20.0, 1), memory(10.0, 2)
    memories.set(late)
    memories.set(soon)
    assert memories.next == 10.0
    assert list(memories.expire(9.999)) == []
    assert list(memories.expire(30.0)) == [soon, late]
    assert memories.next == inf
    assert memories.find([late.key, soon.key]) is None


def test_a_renewed_memory_outlives_its_first_time() -> None:
    memories = Memories(10)
    one = memory(90.0)
    memories.set(one)
    memories.renew(one, 50.0)
    assert list(memories.expire(90.0)) == []
    assert memories.next == 140.0
    assert list(memories.expire(140.0)) == [one]


def test_a_memory_set_anew_has_the_new_time_even_if_it_is_shorter() -> None:
    memories = Memories(10)
    memories.set(memory(90.0))
    short = memory(20.0)
    memories.set(short)
    assert list(memories.expire(20.0)) == [short]
    assert list(memories.expire(1000.0)) == []
    assert len(memories) == 0


def test_the_oldest_goes_when_there_is_no_room() -> None:
    memories = Memories(2)
    first = memory(90.0, 1)
    assert memories.set(first) is None
    assert memories.set(memory(90.0, 2)) is None
    assert memories.set(memory(91.0, 2)) is None
    assert memories.set(memory(90.0, 3)) is first
    assert len(memories) == 2


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 50)), max_size=200))
def test_what_is_kept_stays_bounded_however_often_it_is_set(
    steps: list[tuple[int, int]],
) -> None:
    memories = Memories(3)
    now = 0.0
    alive: dict[int, float] = {}
    for port, seconds in steps:
        now += 1
        for gone in memories.expire(now):
            assert alive.pop(gone.key[-1]) == gone.until <= now
        evicted = memories.set(memory(now + seconds, port))
        if evicted is not None:
            del alive[evicted.key[-1]]
        alive[port] = now + seconds
        assert len(memories) == len(alive) <= 3
        assert len(memories._heap) <= 2 * 3 + 65
    assert all(until > now for until in alive.values())
