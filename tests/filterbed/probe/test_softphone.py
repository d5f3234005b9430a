"""A softphone's call from what a tap overhears; the real softphone calls in tests/live."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from filterbed.probe import account as statistics
from filterbed.probe import baresip, path, rtp, softphone
from filterbed.probe.baresip import Baresip
from filterbed.probe.datagram import Datagram
from filterbed.probe.errors import MachineError, TargetError
from filterbed.probe.sip import Account
from filterbed.probe.softphone import Conversation, Eavesdropper
from filterbed.probe.tap import Overheard

ACCOUNT = Account("sip.site.net", "alice", "secret", "127.0.0.1", 5060)
OWN, SIP, RTP = "127.0.0.1", 4000, 10000
SDP = "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio {} RTP/AVP 0\r\na=rtcp-mux\r\n"
START = 1_700_000_000.0


def spoken(number: int, ticks: int | None = None) -> bytes:
    ticks = 160 * number if ticks is None else ticks
    return rtp.write(rtp.Packet(0, number, ticks, 7, b"x" * 160))


def sip(start: str, cseq: str, *more: str, body: str = "") -> bytes:
    return "\r\n".join([start, f"CSeq: {cseq}", *more, "", body]).encode()


def out(data: bytes, at: float, port: int = SIP) -> Overheard:
    to = 5060 if port == SIP else 30000
    return Overheard(True, port, Datagram(data, OWN, to, START + at, None))


def come(data: bytes, at: float, port: int = SIP, refused: str | None = None) -> Overheard:
    source = 5060 if port == SIP else 30000
    return Overheard(False, port, Datagram(data, OWN, source, START + at, 60), refused)


REGISTERED = [
    out(sip("REGISTER sip:site SIP/2.0", "1 REGISTER", "User-Agent: baresip v1.0.0"), 0.0),
    come(sip("SIP/2.0 200 OK", "1 REGISTER"), 0.04),
]
ANSWERED = [
    out(sip("INVITE sip:echo@site SIP/2.0", "1 INVITE", body=SDP.format(RTP)), 1.0),
    come(sip("SIP/2.0 200 OK", "1 INVITE", body=SDP.format(30000)), 1.04),
]
#: Three packets each way; of the callee's the second is lost.
TALK = [
    *(out(spoken(n), 1.1 + n / 50, RTP) for n in range(3)),
    *(come(spoken(n), 1.12 + n / 50, RTP) for n in (0, 2)),
]
ENDED = [
    out(sip("BYE sip:echo@site SIP/2.0", "2 BYE", "X-RTP-Stat: EX=BareSip;PR=1;PS=3"), 1.3),
    come(sip("SIP/2.0 200 OK", "2 BYE", "X-RTP-Stat: PS=3;PR=3;PL=0;XT={}"), 1.34),
]


class Tape:
    """A tap that has overheard it all already: one look, one packet."""

    def __init__(self, *heard: Overheard) -> None:
        self.heard = list(heard)
        self.full, self._empty = os.pipe()
        os.write(self._empty, b"x")

    def __enter__(self) -> Tape:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for one in (self.full, self._empty):
            os.close(one)

    def fileno(self) -> int:
        return self.full

    def read(self) -> list[Overheard]:
        if not self.heard:
            return []
        return [self.heard.pop(0)]

    def missed(self) -> int:
        return 0


@contextlib.contextmanager
def phone() -> Iterator[Baresip]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    ended, alive = os.pipe()
    with ours, theirs:
        yield Baresip(SIP, ended, ours, Path("/dev/null"))
    os.close(ended)
    os.close(alive)


def held(monkeypatch: pytest.MonkeyPatch, *heard: Overheard, seconds: float = 0.1) -> Any:
    """Place a call of which this is overheard; return both parts, and the flows."""
    flows: list[list[Any]] = []
    monkeypatch.setattr(softphone, "Tap", lambda *_: Tape(*heard))
    monkeypatch.setattr(baresip, "started", lambda *_: phone())
    for name in ("GRACE", "WINDOW", "T1", "RINGING"):
        monkeypatch.setattr(softphone, name, 0.05)
    parts = softphone.place(ACCOUNT, "echo", seconds=seconds, timeout=0.1, flows=flows)
    return *parts, flows


def test_a_call_from_end_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    transit = (START + 1.13) % statistics.PERIOD * 1000
    told = out(b"", 0), come(ENDED[1].got.data.replace(b"{}", b"%.3f" % transit), 1.34)
    registered, call, flows = held(monkeypatch, *REGISTERED, *ANSWERED, *TALK, ENDED[0], told[1])
    assert (registered["outcome"], registered["ttl"]) == ("ok", 60)
    assert (call["outcome"], call["client"], call["agent"]) == ("ok", "baresip", "baresip v1.0.0")
    there, back = call["media"]["to_callee"], call["media"]["from_callee"]
    assert (there["sent"], there["received"], there["lost"]) == (3, 3, 0)
    assert there["delay"] == pytest.approx(0.03, abs=1e-5)
    assert (back["sent"], back["received"], back["lost"]) == (3, 2, 1)
    assert call["end"] == {"why": "completed", "at": None, "code": None, "seconds": 0.26}
    assert (call["own"]["received"], call["own"]["sent"]) == (1, 3)
    assert call["path"]["offered"] == "127.0.0.1:10000"
    assert call["not_sent"] == 2
    assert flows == [
        ["udp", OWN, SIP, OWN, 5060],
        ["udp", OWN, RTP, OWN, 30000],
    ]


def test_nobody_answers_the_registration(monkeypatch: pytest.MonkeyPatch) -> None:
    registered, call, flows = held(monkeypatch, REGISTERED[0])
    assert (registered["outcome"], registered["code"], call) == ("timeout", None, None)
    assert [flow[4] for flow in flows] == [5060]


def test_icmp_instead_of_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = come(b"", 0.01, refused="refused")
    registered, call, _ = held(monkeypatch, REGISTERED[0], refused)
    assert (registered["outcome"], call) == ("refused", None)
    _, call, _ = held(monkeypatch, *REGISTERED, ANSWERED[0], refused)
    assert (call["outcome"], call["end"]["why"]) == ("refused", "refused")


def test_the_other_side_hangs_up(monkeypatch: pytest.MonkeyPatch) -> None:
    bye = come(sip("BYE sip:alice@here SIP/2.0", "9 BYE"), 1.2)
    late = [come(spoken(n), 1.4 + n / 50, RTP) for n in range(3, 6)]
    _, call, _ = held(monkeypatch, *REGISTERED, *ANSWERED, *TALK, bye, *late)
    assert (call["cut"], call["end"]["why"], call["after_bye"]) == (True, "bye", 3)


def test_the_call_is_refused_or_never_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    forbidden = come(sip("SIP/2.0 403 Forbidden", "1 INVITE"), 1.02)
    acked = out(sip("ACK sip:echo@site SIP/2.0", "1 ACK"), 1.03)
    _, call, _ = held(monkeypatch, *REGISTERED, ANSWERED[0], forbidden, acked)
    assert (call["outcome"], call["code"], call["not_sent"]) == ("rejected", 403, 0)
    _, call, _ = held(monkeypatch, *REGISTERED, ANSWERED[0])
    assert (call["outcome"], call["end"]["at"]) == ("timeout", "INVITE")


def test_one_that_does_not_do_what_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence of our own client is never taken for the network's."""
    for heard in ([], REGISTERED):
        with pytest.raises(MachineError, match="baresip did not speak, 3 times"):
            held(monkeypatch, *heard)


def test_a_tap_that_missed_something(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tape, "missed", lambda self: 4)
    with pytest.raises(MachineError, match="4 packets were not overheard"):
        held(monkeypatch, *REGISTERED, ANSWERED[0])


def test_helpers_are_refused() -> None:
    helpers = path.Help(stun=(("192.0.2.1", 3478),))
    with pytest.raises(TargetError, match="neither stun nor turn"):
        softphone.place(ACCOUNT, "echo", seconds=1, timeout=1, flows=[], helpers=helpers)


def test_what_left_is_counted_once() -> None:
    ear = Eavesdropper()
    for number, at in ((65535, 1.0), (65535, 1.0), (0, 1.02)):
        ear.left(spoken(number, 160 * (number + 1 & 0xFFFF)), at)
    ear.left(b"\x80\xcc\x00\x03" + bytes(12), 1.03)  # RTCP
    ear.left(rtp.write(rtp.Packet(0, 5, 5, 8, b"y")), 1.03)  # another stream
    assert (ear.sent, ear.first, ear.source) == (2, 65535, 7)
    assert ear.passage(None) is None
    assert ear.passage(1.05) == pytest.approx(0.05)
    assert ear.passage(1.05 + statistics.PERIOD) == pytest.approx(0.05)
    assert Eavesdropper().passage(1.05) is None


def test_what_another_program_says_is_not_the_phones() -> None:
    with phone() as one:
        tape = Tape()
        tap: Any = tape
        talk = Conversation(ACCOUNT, "echo", OWN, 1, 1, tap, one, Eavesdropper())
        talk._note(Overheard(False, 4001, REGISTERED[1].got))
        talk._note(Overheard(False, SIP, Datagram(b"SIP/2.0 200 OK", "192.0.2.7", 9, 0.0, 3)))
        talk._note(come(spoken(1), 1.0, RTP))  # no audio was offered yet
        tape.close()
    assert not talk.registration.answers
    assert not talk.audio.heard
