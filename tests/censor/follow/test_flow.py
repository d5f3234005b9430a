"""Flows: who began them, how far they got, and that there are never too many."""

from __future__ import annotations

import tracemalloc
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.packet import Raw

from censor.follow.flow import Flow, FlowTable
from censor.wire.packet import Packet, parse

CLIENT = "192.0.2.1"
SERVER = "198.51.100.1"


def packet(
    sport: int,
    dport: int,
    flags: str = "",
    payload: bytes = b"",
    *,
    back: bool = False,
    seq: int = 0,
) -> Packet:
    """Make a packet from the client's address, or back; UDP if `flags` is empty."""
    src, dst = (SERVER, CLIENT) if back else (CLIENT, SERVER)
    inner = (
        TCP(sport=sport, dport=dport, flags=flags, seq=seq)
        if flags
        else UDP(sport=sport, dport=dport)
    )
    made = parse(bytes(IP(src=src, dst=dst) / inner / Raw(payload)))
    assert isinstance(made, Packet)
    return made


def ends(flow: Flow) -> tuple[str, int, str, int]:
    client, server = str(ip_address(flow.client)), str(ip_address(flow.server))
    return client, flow.client_port, server, flow.server_port


FORWARD = (CLIENT, 40_000, SERVER, 443)


@pytest.mark.parametrize(
    ("first", "expected", "inside_client"),
    [
        (packet(40_000, 443, "S"), FORWARD, True),
        (packet(443, 40_000, "SA", back=True), FORWARD, False),
        (packet(40_000, 443, "PA", b"x"), FORWARD, True),
        (packet(443, 40_000, "A", back=True), FORWARD, False),
        (packet(443, 40_000, "S", back=True), (SERVER, 443, CLIENT, 40_000), True),
        (packet(5060, 5060, "A"), (CLIENT, 5060, SERVER, 5060), True),
        (packet(40_000, 53), (CLIENT, 40_000, SERVER, 53), True),
        (packet(53, 40_000, back=True), (CLIENT, 40_000, SERVER, 53), False),
        (packet(5060, 40_000, back=True), (SERVER, 5060, CLIENT, 40_000), True),
        (packet(123, 123, back=True), (SERVER, 123, CLIENT, 123), True),
    ],
)
def test_the_client_is_who_began(
    first: Packet, expected: tuple[str, int, str, int], inside_client: bool
) -> None:
    flow = FlowTable(Flow).observe(first, now=0.0, inside=True)
    assert ends(flow) == expected
    assert flow.inside_client is inside_client
    assert flow.from_client(first) is inside_client
    assert FlowTable(Flow).observe(first, now=0.0, inside=False).inside_client is not inside_client
    assert FlowTable(Flow).observe(first, now=0.0).inside_client is None


@pytest.mark.parametrize(
    ("sport", "dport", "flags"), [(443, 40_000, "SA"), (40_000, 443, "S"), (40_000, 443, "A")]
)
def test_a_host_may_talk_with_itself(sport: int, dport: int, flags: str) -> None:
    made = parse(bytes(IP(src=CLIENT, dst=CLIENT) / TCP(sport=sport, dport=dport, flags=flags)))
    assert isinstance(made, Packet)
    assert ends(FlowTable(Flow).observe(made, now=0.0)) == (CLIENT, 40_000, CLIENT, 443)


def test_icmp_between_two_hosts_is_one_flow() -> None:
    table = FlowTable(Flow)
    for src, dst in ((CLIENT, SERVER), (SERVER, CLIENT)):
        made = parse(bytes(IP(src=src, dst=dst) / ICMP()))
        assert isinstance(made, Packet)
        flow = table.observe(made, now=0.0)
    assert len(table) == 1
    assert ends(flow) == (CLIENT, 0, SERVER, 0)


def test_a_connection_from_its_syn_to_its_fins() -> None:
    table = FlowTable(Flow)
    up = (40_000, 443)
    down = (443, 40_000)
    flow = table.observe(packet(*up, "S", seq=100), now=1.0)
    assert (flow.client_first, flow.established, flow.closed) == (101, False, False)
    assert table.observe(packet(*down, "SA", back=True, seq=900), now=1.1) is flow
    assert (flow.client_first, flow.server_first, flow.established) == (101, 901, False)
    table.observe(packet(*up, "A", seq=101), now=1.2)
    assert flow.established
    table.observe(packet(*up, "PA", b"hello", seq=101), now=1.3)
    table.observe(packet(*up, "FA", seq=106), now=1.4)
    table.observe(packet(*up, "FA", seq=106), now=1.5)
    assert not flow.closed
    table.observe(packet(*down, "FA", back=True, seq=901), now=1.6)
    assert flow.closed
    assert flow.seen == 1.6
    assert table.evicted == []


@pytest.mark.parametrize("back", [False, True])
def test_a_reset_closes(back: bool) -> None:
    table = FlowTable(Flow)
    flow = table.observe(packet(40_000, 443, "S"), now=0.0)
    ports = (443, 40_000) if back else (40_000, 443)
    table.observe(packet(*ports, "RA", back=back), now=0.0)
    assert flow.closed
    assert not flow.established


def test_udp_is_established_when_both_have_spoken() -> None:
    table = FlowTable(Flow)
    flow = table.observe(packet(40_000, 53), now=0.0)
    assert not flow.established
    table.observe(packet(53, 40_000, back=True), now=0.0)
    assert flow.established


class TestAnotherConnectionOnTheSamePorts:
    """When a SYN begins a new flow, and when it does not."""

    def start(self, *, resync: bool = True, seq: int = 5) -> tuple[FlowTable[Flow], Flow]:
        table = FlowTable(Flow, resync=resync)
        return table, table.observe(packet(40_000, 443, "S", seq=seq), now=0.0)

    def establish(self, table: FlowTable[Flow]) -> None:
        table.observe(packet(40_000, 443, "PA", b"x", seq=6), now=0.0)

    def test_a_repeated_syn_does_not(self) -> None:
        table, flow = self.start()
        assert table.observe(packet(40_000, 443, "S", seq=5), now=1.0) is flow

    def test_after_a_reset_it_does(self) -> None:
        table, flow = self.start(resync=False)
        self.establish(table)
        flow.closed = True
        again = table.observe(packet(40_000, 443, "S", seq=5), now=1.0)
        assert again is not flow
        assert (again.seen, again.closed) == (1.0, False)
        assert len(table) == 1
        assert table.evicted == [(flow, "anew")]

    def test_with_another_number_it_does_unless_told_otherwise(self) -> None:
        for resync in (True, False):
            table, flow = self.start(resync=resync)
            self.establish(table)
            again = table.observe(packet(40_000, 443, "S", seq=99), now=1.0)
            assert (again is not flow) is resync

    def test_the_first_counts_if_told_so(self) -> None:
        table, flow = self.start(resync=False)
        again = table.observe(packet(40_000, 443, "S", seq=99), now=1.0)
        assert again is flow
        assert again.client_first == 6

    def test_an_answer_does_not(self) -> None:
        table, flow = self.start()
        self.establish(table)
        assert table.observe(packet(443, 40_000, "SA", back=True, seq=9), now=1.0) is flow


def test_a_stream_begins_behind_its_syn() -> None:
    table = FlowTable(Flow)
    flow = table.observe(packet(40_000, 443, "S", seq=2**32 - 1), now=0.0)
    assert flow.client_stream is None
    stream = flow.stream(True, limit=9)
    assert stream is flow.stream(True) is flow.client_stream
    assert stream.feed(2, b"cd") is None
    assert stream.feed(0, b"ab") == b"abcd"
    assert flow.stream(False).base is None
    assert flow.server_stream is flow.stream(False)
    flow.drop_streams()
    assert flow.client_stream is flow.server_stream is None
    for from_client in (True, False):
        flow.restart(from_client, 0)
        assert flow.stream(from_client).base == 0


def test_the_least_recently_used_goes_first() -> None:
    table = FlowTable(Flow, limit=2)
    one = table.observe(packet(1001, 443, "S"), now=0.0)
    two = table.observe(packet(1002, 443, "S"), now=1.0)
    table.observe(packet(1001, 443, "A"), now=2.0)
    table.observe(packet(1003, 443, "S"), now=3.0)
    assert table.evicted == [(two, "limit")]
    assert table.get(one.key) is one
    assert two.key not in table
    assert len(table) == 2


def test_idle_flows_are_forgotten_when_time_has_passed() -> None:
    table = FlowTable(Flow, idle=10.0)
    one = table.observe(packet(1001, 443, "S"), now=0.0)
    two = table.observe(packet(1002, 443, "S"), now=5.0)
    table.expire(10.0)
    assert table.evicted == []
    table.expire(10.1)
    assert table.evicted == [(one, "idle")]
    assert table.observe(packet(1002, 443, "A"), now=15.1) is not two
    assert [gone for gone, _ in table.evicted] == [one, two]
    assert len(table) == 1


def test_forgetting_on_purpose_is_no_eviction() -> None:
    table = FlowTable(Flow)
    flow = table.observe(packet(1001, 443, "S"), now=0.0)
    assert table.forget(flow.key) is flow
    assert table.forget(flow.key) is None
    assert table.evicted == []
    assert table.flows() == []


def test_a_table_for_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="limit 0"):
        FlowTable(Flow, limit=0)


@given(
    st.lists(
        st.tuples(
            st.integers(1, 6),
            st.sampled_from(["S", "SA", "A", "PA", "FA", "R", "SF", "SRF", ""]),
            st.booleans(),
            st.integers(0, 30),
        ),
        max_size=60,
    ),
    st.integers(1, 4),
)
def test_every_flow_is_in_the_table_or_was_replaced_or_evicted(
    steps: list[tuple[int, str, bool, int]], limit: int
) -> None:
    table = FlowTable(Flow, limit=limit, idle=20.0)
    now = 0.0
    for port, flags, back, wait in steps:
        now += wait
        before = table.flows()
        flow = table.observe(packet(port, 7, flags, back=back), now=now)
        assert flow.seen == now
        assert table.flows()[-1] is flow
        assert len(table) <= limit
        if flow not in before:
            assert all(now - kept.seen <= 20.0 for kept in table.flows())
        seen = [kept.seen for kept in table.flows()]
        assert seen == sorted(seen)
    assert not {gone for gone, _ in table.evicted} & set(table.flows())


def test_a_flow_takes_less_than_a_kilobyte() -> None:
    """100,000 flows must stay under 100 MB, so one must stay under 1,000 bytes."""
    count = 5_000
    seeds = bytearray(packet(1, 443, "S").data)
    table = FlowTable(Flow)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for index in range(count):
            seeds[12:16] = (0x0A000000 + index).to_bytes(4, "big")
            seeds[16:20] = (0xC6336400 + index * 7).to_bytes(4, "big")
            seeds[20:22] = (1024 + index * 5).to_bytes(2, "big")
            made = parse(bytes(seeds))
            assert isinstance(made, Packet)
            flow = table.observe(made, now=index / 7, inside=True)
            flow.stream(True).feed(0, bytes(100))
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (after - before) / count < 1_000
