"""The callee's media, between a sipp and a registrar that the test plays itself."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from filterbed.probe import callee as module
from filterbed.probe.account import Account, understand
from filterbed.probe.callee import Callee
from filterbed.probe.datagram import prepare
from filterbed.probe.media import Audio
from filterbed.probe.sdp import fill, read
from filterbed.probe.sip import Message, parse

SDP = "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 12345 RTP/AVP 0\r\na=rtcp-mux\r\n"


def message(start: str, cseq: str, body: str = "") -> bytes:
    lines = [start, "Call-ID: one", f"CSeq: {cseq}", f"Content-Length: {len(body)}", "", body]
    return "\r\n".join(lines).encode()


class Stage:
    """A callee, the sipp behind it, and the registrar with the caller's audio before it."""

    def __init__(self, *, speaks: bool = True) -> None:
        self.sipp, self.registrar, self.sound = (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(3)
        )
        for sock in (self.sipp, self.registrar, self.sound):
            sock.bind(("127.0.0.1", 0))
            sock.settimeout(5)
        prepare(self.sound)
        self.caller = Audio(sock=self.sound)
        self.callee = Callee("127.0.0.1", 0, self.sipp.getsockname()[1], speaks=speaks)
        self.at = self.callee.outside.getsockname()

    def say(self, data: bytes) -> None:
        """Have the registrar say something; check that sipp is told."""
        self.registrar.sendto(data, self.at)
        self.turn()
        assert self.sipp.recv(4096) == data

    def answer(self, data: bytes) -> None:
        """Have sipp say something."""
        self.sipp.sendto(data, self.callee.inside.getsockname())
        self.turn()

    def heard(self) -> Message:
        found = parse(self.registrar.recv(4096))
        assert found is not None
        return found

    def turn(self) -> None:
        self.callee.step(time.monotonic())

    def until(self, done: Callable[[], Any]) -> None:
        deadline = time.monotonic() + 5
        while not done():
            assert time.monotonic() < deadline
            self.turn()
            self.caller.receive()

    def up(self) -> None:
        """Bring the call up."""
        port = self.sound.getsockname()[1]
        offer = SDP.replace("12345", str(port))
        self.say(message("INVITE sip:bob@x SIP/2.0", "1 INVITE", offer))
        self.answer(message("SIP/2.0 200 OK", "1 INVITE", SDP))
        answered = self.heard()
        where = read(answered.body)
        assert where is not None
        assert where.port in module.PORTS
        self.caller.peer = ("127.0.0.1", where.port)
        self.say(message("ACK sip:bob@x SIP/2.0", "1 ACK"))

    def end(self) -> Account:
        """Hang up as the caller; return what the callee says."""
        self.say(message("BYE sip:bob@x SIP/2.0", "2 BYE"))
        self.answer(message("SIP/2.0 200 OK", "2 BYE"))
        self.registrar.setblocking(False)
        got: list[bytes] = []

        def answered() -> bool:
            try:
                got.append(self.registrar.recv(4096))
            except BlockingIOError:
                return False
            return True

        self.until(answered)
        found = parse(got[0])
        assert found is not None
        told = understand(found.headers["x-rtp-stat"])
        assert told is not None
        return told

    def close(self) -> None:
        for sock in (self.sipp, self.registrar, self.sound, *self.callee.sockets()):
            sock.close()


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.close()


def test_a_whole_call(stage: Stage) -> None:
    stage.up()
    for _ in range(5):
        stage.caller.send()
    stage.until(lambda: stage.caller.count() >= 4)
    stage.caller.report(bye="done")
    told = stage.end()
    stage.caller.receive()
    assert (told.received, told.lost, told.ended_by) == (5, 0, "them")
    assert told.sent == stage.caller.count()
    assert told.delay is not None
    assert stage.caller.bye == "the other side hung up"


def test_it_speaks_though_it_hears_nothing(stage: Stage) -> None:
    stage.up()
    began = time.monotonic()
    stage.until(lambda: stage.caller.count() >= 1)
    assert time.monotonic() - began > module.HESITATE / 2
    told = stage.end()
    assert told.received == 0
    assert (told.sent or 0) >= 1


def test_it_waits_for_what_is_announced_but_not_for_ever(stage: Stage) -> None:
    stage.up()
    stage.caller.send()
    stage.caller.sent = 9  # eight were lost
    stage.caller.report()
    began = time.monotonic()
    told = stage.end()
    assert told.received == 1
    assert module.GRACE * 0.8 < time.monotonic() - began < 3


def test_what_was_said_on_the_way_is_not_all_that_was_sent(stage: Stage) -> None:
    stage.up()
    stage.caller.send()
    stage.caller.report()  # one so far; the second and the last report are late
    began = time.monotonic()
    told = stage.end()
    assert told.received == 1
    assert time.monotonic() - began > module.GRACE * 0.8


def test_it_hangs_up(stage: Stage) -> None:
    stage.up()
    stage.caller.send()
    stage.until(lambda: stage.caller.count() >= 1)
    stage.answer(message("BYE sip:alice@x SIP/2.0", "1 BYE"))
    told = understand(stage.heard().headers["x-rtp-stat"])
    assert told is not None
    assert told.ended_by == "us"
    stage.until(lambda: stage.caller.bye)
    assert stage.caller.bye == "hung up"


def test_refused_calls_have_no_media(stage: Stage) -> None:
    offer = SDP.replace("12345", str(stage.sound.getsockname()[1]))
    stage.say(message("INVITE sip:bob@x SIP/2.0", "1 INVITE", offer))
    stage.answer(message("SIP/2.0 486 Busy Here", "1 INVITE"))
    assert stage.heard().code == 486
    stage.say(message("ACK sip:bob@x SIP/2.0", "1 ACK"))
    assert stage.callee.due() is None


def test_mute() -> None:
    stage = Stage(speaks=False)
    stage.up()
    stage.caller.send()
    stage.caller.report(bye="done")
    told = stage.end()
    assert (told.sent, told.received) == (0, 1)
    stage.close()


def test_oldest_call_gives_way_and_noise_is_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LIMIT", 2)
    for number in range(4):
        invite = message("INVITE sip:bob@x SIP/2.0", "1 INVITE", SDP)
        stage.say(invite.replace(b"one", f"call-{number}".encode()))
    stage.registrar.sendto(b"\xff\x00 noise", stage.at)
    stage.turn()
    assert list(stage.callee.calls) == ["call-2", "call-3"]


@pytest.mark.parametrize(
    ("port", "header", "parts"),
    [
        (31999, None, [b"m=audio 31999 RTP/AVP 0"]),
        (None, "PS=1", [b"\r\nX-RTP-Stat: PS=1\r\n\r\n", b"m=audio 12345 "]),
        (6, "PS=1", [b"m=audio 6 ", b"X-RTP-Stat: PS=1"]),
    ],
)
def test_fill(port: int | None, header: str | None, parts: list[bytes]) -> None:
    made = fill(message("SIP/2.0 200 OK", "1 X", SDP), port=port, header=header)
    assert all(part in made for part in parts)
    found = parse(made)
    assert found is not None
    body = made.partition(b"\r\n\r\n")[2]
    assert found.headers["content-length"] == str(len(body))


def test_it_calls_whom_a_refer_names(stage: Stage) -> None:
    """The INVITE, which sipp names after the REFER, goes where that came from, and is one call."""
    stage.say(message("REFER sip:+86@x SIP/2.0", "1 REFER"))
    invite = message("INVITE sip:alice@x SIP/2.0", "1 INVITE", SDP)
    stage.answer(invite.replace(b"Call-ID: one", b"Call-ID: back///one"))
    offer = read(stage.heard().body)
    assert offer is not None
    assert offer.port in module.PORTS
    stage.caller.peer = ("127.0.0.1", offer.port)
    port = stage.sound.getsockname()[1]
    stage.say(message("SIP/2.0 200 OK", "1 INVITE", SDP.replace("12345", str(port))))
    assert stage.callee.due() is None  # nobody has said ACK
    stage.answer(message("ACK sip:alice@x SIP/2.0", "1 ACK").replace(b": one", b": back///one"))
    assert stage.heard().method == "ACK"
    stage.until(lambda: stage.caller.count() >= 2)
    told = stage.end()
    assert (told.ended_by, told.received) == ("them", 0)
    assert len(stage.callee.calls) == 1
