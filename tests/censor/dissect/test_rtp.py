"""RTP and RTCP headers against scapy, and what a flow must do to be called RTP."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.contrib.rtcp import RTCP
from scapy.layers.rtp import RTP, RTPExtension

from censor.dissect import rtp
from censor.dissect.outcome import Foreign, Incomplete
from censor.dissect.rtp import (
    PAYLOAD_TYPES,
    REPORTS,
    SOURCES,
    Habit,
    Packet,
    Report,
    Tracker,
    Verdict,
    dissect,
)

STUN = b"\0\1\0\0\x21\x12\xa4\x42" + b"t" * 12
DTLS = b"\x16\xfe\xfd" + b"\0" * 30
REPORT = bytes.fromhex("80c80006 00000009 0000000000000000 000000a0 00000001 000000a0")


def packet(
    sequence: int = 0,
    timestamp: int = 0,
    *,
    ssrc: int = 9,
    kind: int = 0,
    marker: int = 0,
    body: bytes = b"\xd5" * 160,
    **more: Any,
) -> bytes:
    made = RTP(
        sequence=sequence & 0xFFFF,
        timestamp=timestamp & 0xFFFF_FFFF,
        sourcesync=ssrc,
        payload_type=kind,
        marker=marker,
        **more,
    )
    return bytes(made) + body


def audio(
    count: int, *, start: int = 65_530, clock: int = 0xFFFF_FF00, ssrc: int = 9
) -> list[bytes]:
    """Return PCMU at 20 ms; sequence and timestamp wrap around on the way."""
    return [packet(start + n, clock + 160 * n, ssrc=ssrc) for n in range(count)]


def judge(datagrams: list[bytes], habit: Habit | None = None) -> list[Verdict]:
    tracker = Tracker(habit)
    return [tracker.feed(datagram) for datagram in datagrams]


@given(
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFF_FFFF),
    st.integers(0, 0xFFFF_FFFF),
    st.sampled_from(sorted(PAYLOAD_TYPES)),
    st.lists(st.integers(0, 0xFFFF_FFFF), max_size=15),
    st.booleans(),
    st.binary(max_size=20),
)
@settings(deadline=None)
def test_what_scapy_sends(
    sequence: int,
    timestamp: int,
    ssrc: int,
    kind: int,
    sync: list[int],
    marker: bool,
    body: bytes,
) -> None:
    made = packet(
        sequence, timestamp, ssrc=ssrc, kind=kind, marker=int(marker), body=body, sync=sync
    )
    found = dissect(made)
    assert isinstance(found, Packet)
    assert (found.sequence, found.timestamp, found.ssrc) == (sequence, timestamp, ssrc)
    assert (found.payload_type, found.marker, found.padding) == (kind, marker, False)
    assert (found.csrcs, found.extension) == (tuple(sync), None)
    assert made[found.payload :] == body


def test_extensions() -> None:
    extension = bytes(RTPExtension(header_id=0xBEDE, header=[1, 2]))
    made = bytes(RTP(extension=1)) + extension + b"voice"
    found = dissect(made)
    assert isinstance(found, Packet)
    assert (found.extension, made[found.payload :]) == (0xBEDE, b"voice")
    assert dissect(made[:-5]) is not None
    for size in range(12, len(made) - 5):
        assert dissect(made[:size]) is None


@pytest.mark.parametrize("kind", range(128))
@pytest.mark.parametrize("marker", [0, 0x80])
def test_payload_types(kind: int, marker: int) -> None:
    found = dissect(b"\x80" + bytes((kind | marker,)) + b"\0" * 30)
    if 192 <= kind | marker <= 213:
        assert isinstance(found, Report)
    elif kind <= 34 or kind >= 96:
        assert isinstance(found, Packet)
    else:
        assert found is None


def test_reports() -> None:
    """A sender report and a description, the first of them as scapy reads it."""
    described = bytes.fromhex("81ca0003 00000009 01046e616d650000")
    theirs = RTCP(REPORT)
    assert dissect(REPORT) == Report(200, 0, 9, (200,), True)
    assert (theirs.packet_type, theirs.sourcesync) == (200, 9)
    assert dissect(REPORT + described) == Report(200, 0, 9, (200, 202), True)
    encrypted = REPORT + b"\x37" * 40 + b"\x80\0\0\1" + b"t" * 10
    assert dissect(encrypted) == Report(200, 0, 9, (200,), False)
    assert dissect(REPORT[:-1]) is None
    assert dissect(b"\x80\xc9\0\1\0\0\0\7") == Report(201, 0, 7, (201,), True)


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\x80",
        packet(body=b"")[:-1],
        b"\x40" + packet()[1:],
        b"\xc0" + packet()[1:],
        b"\x82" + packet(body=b"1234")[1:],
        b"\x80\xc9\0\1\0\0\0",
        STUN,
        DTLS,
    ],
)
def test_what_is_neither(datagram: bytes) -> None:
    assert dissect(datagram) is None


def test_a_call_is_told_by_its_third_packet() -> None:
    tracker = Tracker()
    verdicts = [tracker.feed(each) for each in audio(20)]
    assert verdicts == [Verdict.PENDING] * 2 + [Verdict.RTP] * 18
    assert (tracker.ssrc, tracker.payload_type) == (9, 0)
    assert tracker.feed(b"anything") is Verdict.RTP


def test_sequence_numbers_must_differ() -> None:
    same = [packet(7, 160 * n) for n in range(40)]
    assert Verdict.RTP not in judge(same)
    assert judge(same)[-1] is Verdict.OTHER
    again = [each for each in audio(3) for _ in range(3)]
    assert judge(again) == [Verdict.PENDING] * 6 + [Verdict.RTP] * 3


def test_loss_and_disorder_are_borne() -> None:
    calls = audio(12)
    order = [0, 3, 2]
    assert judge([calls[index] for index in order])[-1] is Verdict.RTP
    jump = [packet(0), packet(101, 160), packet(102, 320)]
    assert judge(jump)[-1] is Verdict.PENDING
    assert judge([packet(0), packet(100, 160), packet(0, 320)])[-1] is Verdict.RTP


def test_timestamps_must_be_plausible() -> None:
    habit = Habit(drift=1_000)
    assert judge([packet(n, 1_000 * n) for n in range(3)], habit)[-1] is Verdict.RTP
    assert judge([packet(n, 1_001 * n) for n in range(3)], habit)[-1] is Verdict.PENDING
    assert judge([packet(n, -1_000 * n) for n in range(3)], habit)[-1] is Verdict.RTP
    assert judge([packet(n, 90_000) for n in range(3)], habit)[-1] is Verdict.RTP  # one picture


def test_what_may_share_the_port_contradicts_nothing() -> None:
    calls = audio(3)
    assert judge([STUN, DTLS, calls[0], STUN, REPORT, calls[1], DTLS, calls[2]])[-1] is Verdict.RTP


def test_anything_else_begins_the_count_anew() -> None:
    calls = audio(5)
    mixed = [calls[0], calls[1], b"\xffjunk", *calls[2:]]
    assert judge(mixed) == [Verdict.PENDING] * 5 + [Verdict.RTP]
    patient = Habit(consecutive=False)
    assert judge(mixed, patient) == [Verdict.PENDING] * 3 + [Verdict.RTP] * 3


def test_sources_are_counted_apart() -> None:
    pairs = zip(audio(3, ssrc=1), audio(3, ssrc=2), strict=True)
    mixed = [each for pair in pairs for each in pair]
    assert judge(mixed) == [Verdict.PENDING] * 4 + [Verdict.RTP] * 2
    fresh = [packet(n, 160 * n, ssrc=n) for n in range(40)]
    assert Verdict.RTP not in judge(fresh)
    crowd = [each for step in zip(*(audio(9, ssrc=n) for n in range(SOURCES + 1)), strict=True)
             for each in step]  # fmt: skip
    assert Verdict.RTP not in judge(crowd[:32])


def test_it_gives_up_in_the_end() -> None:
    tracker = Tracker(Habit(window=5))
    assert [tracker.feed(STUN) for _ in range(4)] == [Verdict.PENDING] * 4
    assert tracker.feed(STUN) is Verdict.OTHER
    assert [tracker.feed(each) for each in audio(5)] == [Verdict.OTHER] * 5
    late = [STUN, STUN, *audio(3)]
    assert judge(late, Habit(window=5))[-1] is Verdict.RTP


def test_the_stronger_rule_wants_a_steady_clock() -> None:
    habit = Habit(need=5, steady=True)
    assert judge(audio(5), habit)[-1] is Verdict.RTP
    calls = audio(6)
    assert judge(calls[:2] + calls[3:], habit)[-1] is Verdict.PENDING
    uneven = [packet(n, clock) for n, clock in enumerate([0, 160, 320, 500, 660])]
    assert judge(uneven, habit)[-1] is Verdict.PENDING
    assert judge([packet(n, 5) for n in range(9)], habit)[-1] is Verdict.PENDING


def test_random_bytes_are_no_call() -> None:
    luck = Random(5)
    for _ in range(300):
        flow = [luck.choice((b"\x80\0", b"\x90\x60", b"")) + luck.randbytes(60) for _ in range(40)]
        assert judge(flow)[-1] is Verdict.OTHER


@given(st.lists(st.binary(max_size=60), max_size=40), st.booleans(), st.booleans())
def test_arbitrary_datagrams_are_answered(
    datagrams: list[bytes], likely: bool, steady: bool
) -> None:
    tracker = Tracker(Habit(steady=steady))
    for datagram in datagrams:
        datagram = (b"\x80\0" if likely else b"") + datagram
        assert isinstance(dissect(datagram), (Packet, Report, type(None)))
        assert isinstance(tracker.feed(datagram), Verdict)


@given(st.binary(max_size=80), st.sampled_from(list(REPORTS)))
def test_arbitrary_reports_are_answered(data: bytes, kind: int) -> None:
    found = dissect(b"\x80" + bytes((kind,)) + data)
    assert isinstance(found, (Report, type(None)))


def test_every_prefix_is_answered() -> None:
    for whole in (packet(sync=[1, 2], extension=1), REPORT * 3):
        for size in range(len(whole) + 1):
            for junk in (b"", b"\0", b"\xff" * 40, whole):
                dissect(whole[:size] + junk)


def test_frames_of_a_stream() -> None:
    """Source: RFC 4571, RFC 6544; whole, byte by byte, and cut."""
    media = b"\x80\0\0\1\0\0\0\xa0\0\0\0\7" + bytes(20)
    check = b"\0\1\0\0\x21\x12\xa4\x42" + bytes(12)
    for packet in (media, check, b"\x80\xc9\0\1\0\0\0\7", b"\x16\xfe\xfd" + bytes(30)):
        framed = len(packet).to_bytes(2, "big") + packet
        assert rtp.unframe(framed + b"more") == packet
        for cut in range(len(framed)):
            found = rtp.unframe(framed[:cut])
            assert isinstance(found, Incomplete)
            assert 0 < found.need <= len(framed) - cut
    for junk in (
        b"\0\0",
        b"GET /",
        b"\0\x20\0\1\0\0",
        b"\0\4\x80\x50",
        b"\0\4\x80\0\0\1",
        b"\0\1\xff",
    ):
        assert isinstance(rtp.unframe(junk), Foreign)
