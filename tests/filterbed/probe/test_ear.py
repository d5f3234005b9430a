"""What one end of a call hears."""

from __future__ import annotations

import pytest

from filterbed.probe import rtcp, rtp
from filterbed.probe.datagram import Datagram
from filterbed.probe.ear import Ear


def hear(ear: Ear, data: bytes, at: float) -> bool:
    return ear.take(Datagram(data, "192.0.2.1", 4000, at, 60))


def spoken(number: int, source: int = 7) -> bytes:
    return rtp.write(rtp.Packet(0, number, 160 * number, source, b"x" * 160))


def test_the_stream_heard_most_is_the_one() -> None:
    ear = Ear()
    assert [hear(ear, spoken(n), n / 50) for n in (1, 2, 4, 4)] == [True] * 4
    assert hear(ear, spoken(1, source=8), 1.0)
    assert not hear(ear, b"REGISTER sip:site.net SIP/2.0\r\n\r\n", 1.0)
    assert (ear.stream(), ear.count()) == (7, 3)
    assert (ear.reception().lost, ear.reception().duplicates) == (1, 1)


def test_nothing_heard() -> None:
    ear = Ear()
    assert (ear.stream(), ear.count(), ear.announced) == (None, 0, None)
    assert ear.reception() == rtp.Reception()
    assert ear.delay(ear.reception()) is None


def test_what_the_other_end_tells() -> None:
    """Its clock gives the delay, its count what it sent, its block what it heard of us."""
    ear = Ear(source=9)
    for number in range(3):
        hear(ear, spoken(number), 10.03 + number / 50)
    block = rtcp.Block(9, 2, 50, 80)
    report = rtcp.Report(7, rtcp.Sender(7, 10.06, 480, 3, 480), (block,), "hung up")
    hear(ear, rtcp.write(report, "x"), 10.2)
    assert ear.delay(ear.reception()) == pytest.approx(0.03, abs=1e-6)
    assert (ear.announced, ear.bye, ear.bye_at) == (3, "hung up", 10.2)
    assert ear.block is not None
    assert ear.block.lost == 2
    assert ear.passage(5.0) is None  # its own reports say it
