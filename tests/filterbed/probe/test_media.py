"""One end of a call's audio, against another of its kind."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator

import pytest

from filterbed.probe import rtcp, rtp
from filterbed.probe.datagram import Datagram, prepare
from filterbed.probe.media import PAYLOADS, TICKS, Audio


@pytest.fixture
def pair() -> Iterator[tuple[Audio, Audio]]:
    socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    for sock in socks:
        sock.bind(("127.0.0.1", 0))
        prepare(sock)
    one, other = (Audio(sock=sock) for sock in socks)
    one.peer, other.peer = socks[1].getsockname(), socks[0].getsockname()
    yield one, other
    for sock in socks:
        sock.close()


def hear(audio: Audio) -> None:
    select.select([audio.sock], [], [], 5)
    audio.receive()


@pytest.mark.parametrize("codec", PAYLOADS)
def test_packets_are_of_20_ms_and_follow_each_other(codec: str) -> None:
    with socket.socket(socket.AF_INET, 2) as sock, socket.socket(socket.AF_INET, 2) as ear:
        ear.bind(("127.0.0.1", 0))
        ear.settimeout(5)
        audio = Audio(
            sock=sock,
            codec=codec,
            peer=ear.getsockname(),
            mux=False,
            first=65535,
            origin=2**32 - 1,
        )
        for _ in range(3):
            audio.send()
        packets = [rtp.read(ear.recv(2048)) for _ in range(3)]
    assert [p and (p.number, p.timestamp) for p in packets] == [(65535, 2**32 - 1), (0, 159),
                                                                (1, 319)]  # fmt: skip
    assert {p and (p.kind, len(p.payload)) for p in packets} == {(PAYLOADS[codec][0], TICKS)}


def test_each_end_counts_the_other(pair: tuple[Audio, Audio]) -> None:
    one, other = pair
    for _ in range(5):
        one.send()
    one.report(bye="done")
    hear(other)
    assert other.reception().received == other.count() == one.sent == 5
    assert (other.announced, other.bye) == (5, "done")
    delay = other.delay(other.reception())
    assert delay is not None
    assert 0 <= delay < 0.2


def test_what_the_other_end_heard_comes_back_by_rtcp(pair: tuple[Audio, Audio]) -> None:
    one, other = pair
    for _ in range(4):
        one.send()
    hear(other)
    other.report()
    hear(one)
    assert one.block is not None
    assert (one.block.source, one.block.lost) == (one.source, 0)
    assert rtp.nearest(one.block.highest - one.first, 16) == 3
    one.send()
    assert one.block is None  # it does not know of the last one


def test_noise_is_not_counted(pair: tuple[Audio, Audio]) -> None:
    _, other = pair
    for noise in (b"short", b"\x00" * 40, b"\xff" * 200, b""):
        other.take(Datagram(noise, "192.0.2.1", 9, 1.0, None))
    assert other.heard == {}
    assert (other.stream(), other.count(), other.announced) == (None, 0, None)
    assert other.delay(other.reception()) is None


def test_the_stream_heard_most_counts(pair: tuple[Audio, Audio]) -> None:
    one, other = pair
    stray = rtp.write(rtp.Packet(0, 9, 9, 99, b"x"))
    other.take(Datagram(stray, "192.0.2.1", 9, 1.0, None))
    for _ in range(3):
        one.send()
    hear(other)
    assert other.stream() == one.source
    assert other.reception().received == 3


def test_delay_is_against_the_senders_clock(pair: tuple[Audio, Audio]) -> None:
    _, other = pair
    for n in range(5):
        packet = rtp.write(rtp.Packet(0, n, (2**32 - 320 + 160 * n) % 2**32, 5, b"x"))
        other.take(Datagram(packet, "192.0.2.1", 9, 1000 + 0.02 * n + 0.025, None))
    report = rtcp.Report(5, rtcp.Sender(5, 1000.04, 0, 5, 5))
    other.take(Datagram(rtcp.write(report, "x"), "192.0.2.1", 9, 1001.0, None))
    assert other.delay(other.reception()) == pytest.approx(0.025, abs=1e-4)


def test_nobody_there(closed_port: int) -> None:
    with socket.socket(socket.AF_INET, 2) as sock:
        sock.bind(("127.0.0.1", 0))
        prepare(sock)
        audio = Audio(sock=sock, peer=("127.0.0.1", closed_port))
        deadline = time.monotonic() + 5
        while audio.refused < 3 and time.monotonic() < deadline:
            audio.send()
            audio.receive()
        assert audio.refused >= 3
