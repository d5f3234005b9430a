"""What a box believes of a connection: which payloads it reads, and which numbers it waits for."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP

from censor.engine.engine import Engine
from censor.follow.flow import Flow, FlowTable
from censor.follow.ladder import LADDER
from censor.follow.tcb import Tcb
from censor.policy.loader import load
from censor.wire.packet import Packet, parse

SPACE = 1 << 32
ASK = b"GET / HTTP/1.1\r\nHost: blocked.example\r\n\r\n"
HOST = {"id": "r", "when": {"http.host": {"exact": ["blocked.example"]}}, "then": {"drop": "flow"}}


def packet(flags: str, seq: int, payload: bytes = b"", *, back: bool = False, ack: int = 0) -> Any:
    ends = ("2.2.2.2", "1.1.1.1", 80, 4000) if back else ("1.1.1.1", "2.2.2.2", 4000, 80)
    tcp = TCP(sport=ends[2], dport=ends[3], flags=flags, seq=seq % SPACE, ack=ack % SPACE)
    parsed = parse(bytes(IP(src=ends[0], dst=ends[1]) / tcp / payload))
    assert isinstance(parsed, Packet)
    return parsed


class Box:
    """A TCB, its flow, and a table that knows which connection is meant."""

    def __init__(self, **tcp: Any) -> None:
        self.tcp = load({"position": "on-path", "tcp": {"window": 100, **tcp}}).tcp
        self.table = FlowTable(Flow, resync="syn" in self.tcp.adopt)
        self.tcb: Tcb | None = None
        self.flow: Any = None

    def __call__(self, flags: str, seq: int, payload: bytes = b"", **more: Any) -> bool:
        """Show it a packet; return whether its payload is read."""
        made = packet(flags, seq, payload, **more)
        flow = self.table.observe(made, now=0.0)
        if flow is not self.flow or self.tcb is None:
            self.flow, self.tcb = flow, Tcb(self.tcp, flow, [0, 0])
        self.tcb.follow(made, flow.from_client(made))
        return self.tcb.reads

    def shake(self, isn: int = 99) -> Box:
        self("S", isn)
        self("SA", 499, back=True, ack=isn + 1)
        self("A", isn + 1)
        return self

    @property
    def waits_for(self) -> tuple[int | None, int | None]:
        assert self.tcb is not None
        return self.tcb.expected(True), self.tcb.expected(False)


@pytest.mark.parametrize("isn", [99, SPACE - 1, SPACE - 3])
def test_numbers_are_learned_from_the_handshake(isn: int) -> None:
    box = Box().shake(isn)
    assert box.waits_for == ((isn + 1) % SPACE, 500)
    assert box("PA", isn + 1, b"four")
    assert box.waits_for == ((isn + 5) % SPACE, 500)


@pytest.mark.parametrize(
    ("window", "read"),
    [
        (0, [100]),
        (10, [97, 100, 105, 110]),
        ("any", [5, 50, 96, 97, 100, 105, 110, 111, 90_000]),
    ],
)
def test_what_is_outside_the_window_is_not_read(window: Any, read: list[int]) -> None:
    seen = [
        seq
        for seq in (5, 50, 96, 97, 100, 105, 110, 111, 90_000)
        if Box(window=window, packets=9).shake()("PA", seq, b"four")
    ]
    assert seen == read


def test_the_first_payloads_are_looked_at_and_no_more() -> None:
    box = Box(packets=2).shake()
    assert [box("PA", 100 + 4 * n, b"four") for n in range(3)] == [True, True, False]
    assert box.tcb is not None
    assert box.tcb.over


def test_answers_do_not_count_as_the_clients_payloads() -> None:
    box = Box(packets=2).shake()
    assert [box("PA", 500 + 4 * n, b"four", back=True) for n in range(3)] == [True] * 3


@pytest.mark.parametrize(
    ("adopt", "flags", "more", "expected"),
    [
        ("ack", "A", {"seq": 700}, 700),
        ("data", "PA", {"seq": 7000, "payload": b"four"}, 7004),
        ("data", "PA", {"seq": 40, "payload": b"four"}, 100),
        ("syn-ack", "SA", {"seq": 499, "back": True, "ack": 800}, 800),
        ("syn", "S", {"seq": 900}, 901),
    ],
)
def test_numbers_are_adopted_as_told(
    adopt: str, flags: str, more: dict[str, Any], expected: int
) -> None:
    for adopts in ([adopt], []):
        box = Box(adopt=adopts).shake()
        box(flags, **more)
        assert box.waits_for[0] == (expected if adopts else 100)


@pytest.mark.parametrize("at", ["data", "packet"])
@pytest.mark.parametrize("flags", ["R", "FA"])
def test_after_a_reset_the_next_number_is_taken(flags: str, at: str) -> None:
    box = Box(resync=["rst", "fin"], resync_at=at).shake()
    box(flags, 100)
    box("A", 777)
    assert box.waits_for[0] == (777 if at == "packet" else 100)
    assert box("PA", 777, b"four")
    assert box.waits_for[0] == 781


def test_an_unsure_box_believes_a_syn_ack() -> None:
    box = Box(resync=["rst"]).shake()
    box("R", 100)
    box("SA", 499, back=True, ack=300)
    assert box.waits_for[0] == 300


@pytest.mark.parametrize(
    ("word", "flags", "more"),
    [
        ("syn", "S", {"seq": 4000}),
        ("syn-ack", "SA", {"seq": 499, "back": True, "ack": 100}),
    ],
)
def test_more_of_the_handshake_makes_unsure(word: str, flags: str, more: dict[str, Any]) -> None:
    for resync in ([word], []):
        box = Box(adopt=[], resync=resync).shake()
        box(flags, **more)
        assert box("PA", 9000, b"four") is bool(resync)


def test_a_syn_ack_for_another_number_makes_unsure() -> None:
    box = Box(adopt=[], resync=["syn-ack"])
    box("S", 99)
    box("SA", 499, back=True, ack=5)
    assert box("PA", 9000, b"four")


@pytest.mark.parametrize(
    ("ends_at", "torn"), [("any", [50, 100, 150, 9000]), ("window", [100, 150]), ("next", [100])]
)
@pytest.mark.parametrize("flags", ["R", "RA", "F", "FA"])
def test_a_reset_counts_by_its_number(ends_at: str, torn: list[int], flags: str) -> None:
    seen = []
    for seq in (50, 100, 150, 9000):
        box = Box(teardown=["rst", "fin"], ends_at=ends_at).shake()
        box(flags, seq)
        assert box.tcb is not None
        assert box.tcb.over is box.flow.closed
        seen += [seq] if not box("PA", 100, b"four") else []
    assert seen == torn


def test_data_beside_a_fin_is_read_before_it_counts() -> None:
    box = Box(teardown=["fin"]).shake()
    assert box("FPA", 100, b"four")
    assert not box("PA", 104, b"four")


def test_a_syn_with_data_is_put_where_it_belongs() -> None:
    engine = Engine(load({"position": "in-path", "rules": [HOST]}))
    engine.receive(packet("S", 99, ASK[:9]).data, now=0, inside=True)
    decision = engine.receive(packet("PA", 109, ASK[9:]).data, now=0, inside=True)
    assert [event.event for event in decision.events] == ["matched", "dropped"]


# --- properties ------------------------------------------------------------------------------

STEP = st.tuples(
    st.sampled_from(["S", "SA", "A", "PA", "R", "RA", "F", "FA", "FPA", "", "SRF"]),
    st.one_of(st.integers(95, 160), st.integers(0, SPACE - 1)),
    st.sampled_from([b"", b"x", ASK, ASK[:7], ASK[7:], bytes(90)]),
    st.booleans(),
    st.integers(95, 110),
)


@settings(deadline=None)
@given(st.lists(STEP, max_size=30), st.sampled_from(sorted(LADDER)), st.booleans())
def test_whatever_comes_the_box_stays_within_its_bounds(
    steps: list[tuple[str, int, bytes, bool, int]], name: str, join: bool
) -> None:
    tcp = {"profile": name, "reads": "client", "reassemble": join, "limit": 64, "packets": 20}
    engine = Engine(load({"position": "in-path", "tcp": tcp, "rules": [HOST]}))
    for flags, seq, payload, back, ack in steps:
        made = packet(flags, seq, payload, back=back, ack=ack)
        engine.receive(made.data, now=0.0, inside=not back)
        for case in engine._table.flows():
            for stream in (case.client_stream, case.server_stream):
                assert stream is None or len(stream.data) + stream.pending <= 128
            assert not (case.settled and case.topics)
    assert len(engine._table) <= 1


@settings(deadline=None)
@given(
    st.lists(st.integers(1, len(ASK) - 1), max_size=6, unique=True),
    st.sampled_from([{}, {"window": 1000}, {"teardown": ["rst"]}, {"resync": ["rst", "fin"]},
                     {"adopt": ["syn", "ack", "syn-ack", "data"]}, {"packets": 20}]),
    st.randoms(use_true_random=False),
    st.integers(0, SPACE - 1),
)  # fmt: skip
def test_honest_traffic_is_read_however_it_is_followed(
    cuts: list[int], tcp: dict[str, Any], luck: Any, isn: int
) -> None:
    """Any segmentation in any order is seen through by every box that puts segments together."""
    engine = Engine(load({"position": "in-path", "tcp": tcp, "rules": [HOST]}))

    def give(made: Any, inside: bool) -> list[str]:
        events = engine.receive(made.data, now=0.0, inside=inside).events
        return [event.event for event in events]

    give(packet("S", isn), True)
    give(packet("SA", 499, back=True, ack=isn + 1), False)
    give(packet("A", isn + 1, ack=500), True)
    spans = list(pairwise([0, *sorted(cuts), len(ASK)]))
    luck.shuffle(spans)
    words = [give(packet("PA", isn + 1 + a, ASK[a:b], ack=500), True) for a, b in spans]
    assert words == [[]] * (len(spans) - 1) + [["matched", "dropped"]]
