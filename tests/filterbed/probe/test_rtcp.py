"""RTCP: what survives the wire, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterbed.probe.rtcp import Block, Report, Sender, read, write

WORD = st.integers(0, 2**32 - 1)
SENDERS = st.builds(Sender, st.just(7), st.floats(1.5e9, 2e9), WORD, WORD, WORD)
BLOCKS = st.builds(Block, WORD, st.integers(0, 0x7FFFFF), WORD, WORD, st.integers(0, 255))


@given(st.none() | SENDERS, st.lists(BLOCKS, max_size=3), st.none() | st.text(max_size=60))
def test_reports_survive_the_wire(
    sender: Sender | None, blocks: list[Block], bye: str | None
) -> None:
    data = write(Report(7, sender, tuple(blocks), bye), "filterbed")
    assert len(data) % 4 == 0
    found = read(data)
    assert found is not None
    assert (found.source, found.blocks, found.bye) == (7, tuple(blocks), bye)
    if sender is None or found.sender is None:
        assert found.sender is sender
    else:
        assert found.sender.at == pytest.approx(sender.at, abs=1e-5)
        assert (found.sender.rtp, found.sender.packets) == (sender.rtp, sender.packets)


def test_negative_loss_is_read() -> None:
    """More came than was expected, where packets are doubled (RFC 3550 section 6.4.1)."""
    data = bytearray(write(Report(1, None, (Block(2, 0, 9, 0),)), "x"))
    data[13:16] = b"\xff\xff\xfe"
    found = read(bytes(data))
    assert found is not None
    assert found.blocks[0].lost == -2


@given(st.binary(max_size=120))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    read(data)


def test_every_prefix_is_read_or_refused() -> None:
    data = write(Report(7, Sender(7, 1.6e9, 3, 4, 5), (Block(1, 2, 3, 4),), "done"), "filterbed")
    for end in range(len(data)):
        found = read(data[:end])
        assert found is None or found.bye is None
    assert read(data + b"junk") == read(data)


@pytest.mark.parametrize("data", [b"", b"\x80\xca\x00\x00", b"\x00" * 28])
def test_what_is_no_report(data: bytes) -> None:
    assert read(data) is None


def test_scapy_reads_ours() -> None:
    layers = pytest.importorskip("scapy.contrib.rtcp")
    data = write(Report(7, Sender(7, 1.6e9, 3, 4, 640), (Block(9, 2, 3, 4),)), "filterbed")
    seen = layers.RTCP(data)
    assert (seen.packet_type, seen.count, seen.sourcesync) == (200, 1, 7)
    assert seen.sender_info.sender_packet_count == 4
    assert seen.report_blocks[0].cumulative_lost == 2
