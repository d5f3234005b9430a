"""RTP packets, and what a receiver can know of a stream."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterbed.probe.rtp import BUFFER, Arrival, Packet, Reception, read, reception, write


def stream(numbers: list[int], *, first: int = 0, delay: float = 0.05) -> list[Arrival]:
    """Send packet n at n * 20 ms; each comes `delay` later, in the order given."""
    return [
        Arrival((first + n) % 65536, (7 + 160 * n) % 2**32, 1000 + 0.02 * n + delay)
        for n in numbers
    ]


def test_nothing() -> None:
    assert reception([]) == Reception()


@given(st.integers(0, 65535), st.integers(1, 300), st.data())
def test_numbers_wrap_and_losses_are_counted(first: int, count: int, data: st.DataObject) -> None:
    kept = sorted(data.draw(st.sets(st.integers(0, count - 1), min_size=1)))
    found = reception(stream(kept, first=first))
    assert (found.received, found.expected) == (len(kept), kept[-1] - kept[0] + 1)
    assert found.lost == found.expected - found.received
    assert (found.duplicates, found.strays, found.out_of_order, found.late) == (0, 0, 0, 0)
    assert found.jitter == pytest.approx(0, abs=1e-9)


@given(st.integers(0, 65535), st.integers(2, 120), st.randoms())
def test_order_changes_no_count(first: int, count: int, luck: random.Random) -> None:
    """Reorder within the RFC's window: nothing is lost, and each inversion is seen."""
    numbers = sorted(range(count), key=lambda n: n + luck.uniform(0, 30))
    found = reception(stream(numbers, first=first))
    highest, disorder = numbers[0], 0
    for number in numbers[1:]:
        disorder += number < highest
        highest = max(highest, number)
    assert (found.received, found.lost, found.out_of_order) == (count, 0, disorder)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=80))
def test_repeats_count_once(numbers: list[int]) -> None:
    found = reception(stream(numbers, first=65520))
    assert found.received == len(set(numbers))
    assert found.duplicates == len(numbers) - len(set(numbers))


@given(st.lists(st.builds(Arrival, st.integers(0, 65535), st.integers(0, 2**32 - 1),
                          st.floats(0, 1e9)), max_size=60))  # fmt: skip
def test_anything_is_summed_up(arrivals: list[Arrival]) -> None:
    found = reception(arrivals)
    assert found.received + found.duplicates + found.strays == len(arrivals)
    assert found.lost >= 0


def test_strays_are_left_out() -> None:
    found = reception([*stream([0, 1]), *stream([20_000]), *stream([2])])
    assert (found.received, found.lost, found.strays) == (3, 0, 1)


def test_jitter_is_the_rfcs() -> None:
    """Appendix A.8 by hand: differences of 10 ms make J = d/16, then J += (d - J)/16."""
    even = stream([0, 1, 2])
    late = [even[0], Arrival(even[1].number, even[1].timestamp, even[1].at + 0.01), even[2]]
    first = 0.01 / 16
    assert reception(late).jitter == pytest.approx(first + (0.01 - first) / 16)


def test_late_is_against_the_quickest_though_it_came_later() -> None:
    arrivals = [*stream([0, 1], delay=0.3), *stream([2, 3], delay=0.3 - BUFFER - 0.01)]
    assert reception(arrivals).late == 2
    assert reception([*stream([0], delay=0.3), *stream([1], delay=0.3 + BUFFER - 0.01)]).late == 0


def test_timestamps_wrap() -> None:
    arrivals = [Arrival(n, (2**32 - 320 + 160 * n) % 2**32, 5 + 0.02 * n) for n in range(9)]
    found = reception(arrivals)
    assert found.late == 0
    assert found.jitter == pytest.approx(0, abs=1e-9)


def test_longest_gap_is_of_time() -> None:
    assert reception(stream([0, 1, 2, 12, 13])).longest_gap == pytest.approx(0.2)


def test_patterns_of_loss() -> None:
    policed = reception(stream([*range(6), *range(6, 90, 7)]))
    assert policed.head == 7
    assert policed.spacing == pytest.approx(0)
    luck = random.Random(1)
    thinned = reception(stream([n for n in range(500) if luck.random() < 0.3]))
    assert thinned.spacing is not None
    assert thinned.spacing > 0.6
    assert thinned.burst == pytest.approx(1, abs=0.15)
    gap = reception(stream([*range(10), *range(40, 60)]))
    assert gap.burst > 10


@given(st.integers(0, 127).filter(lambda k: not 64 <= k <= 95), st.integers(0, 65535),
       st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.binary(max_size=200),
       st.booleans())  # fmt: skip
def test_packets_survive_the_wire(
    kind: int, number: int, timestamp: int, source: int, payload: bytes, marker: bool
) -> None:
    packet = Packet(kind, number, timestamp, source, payload)
    assert read(write(packet, marker=marker)) == packet


def test_extension_csrcs_and_padding_are_taken_off() -> None:
    head = bytes([0x80 | 0x20 | 0x10 | 2, 0]) + b"\0\1" + bytes(8)
    data = head + b"CSRCCSRC" + b"\xbe\xde\0\1" + b"exte" + b"sound" + b"\0\0\3"
    packet = read(data)
    assert packet is not None
    assert packet.payload == b"sound"


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    packet = read(data)
    assert packet is None or len(packet.payload) <= len(data) - 12


@pytest.mark.parametrize("data", [b"", b"\x80" * 11, b"\x00" * 40, bytes([0x80, 200]) + bytes(30)])
def test_what_is_no_rtp(data: bytes) -> None:
    assert read(data) is None


def test_scapy_reads_ours() -> None:
    layers = pytest.importorskip("scapy.layers.rtp")
    seen = layers.RTP(write(Packet(8, 65535, 2**32 - 1, 99, b"abc"), marker=True))
    assert (seen.version, seen.payload_type, seen.marker) == (2, 8, 1)
    assert (seen.sequence, seen.timestamp, seen.sourcesync) == (65535, 2**32 - 1, 99)
    assert bytes(seen.payload) == b"abc"
