"""The call's trace, its media and its outcome; a whole call is in tests/live."""

from __future__ import annotations

import socket
import struct

import pytest

from filterbed.probe import call
from filterbed.probe.errors import MachineError, TargetError
from filterbed.probe.sip import Account, parse

SDP = "v=0\r\nc=IN IP4 192.0.2.9\r\nm=audio 4000 RTP/AVP 0\r\n"
ACCOUNT = Account("sip.site.net", "alice", "secret", "127.0.0.1", 5060)


def entry(way: str, start: str, cseq: str, body: str = "") -> bytes:
    """Write a message as sipp's trace does."""
    length = f"Content-Length: {len(body)}"
    text = "\r\n".join([start, "Call-ID: x", f"CSeq: {cseq}", length, "", body])
    head = "-" * 47 + " 2026-11-23\t19:24:01.123456\t1795461841.1234"
    return f"{head}\nUDP message {way} [{len(text)}] bytes:\n\n{text}\n".encode()


INVITE = entry("sent", "INVITE sip:echo@site SIP/2.0", "1 INVITE", SDP)
AGAIN = entry("sent", "INVITE sip:echo@site SIP/2.0", "2 INVITE", SDP)
TRYING = entry("received", "SIP/2.0 100 Trying", "1 INVITE")
ANSWERED = entry("received", "SIP/2.0 200 OK", "1 INVITE", SDP)


def said(code: int, cseq: str) -> bytes:
    return entry("received", f"SIP/2.0 {code} X", cseq)


def acked(cseq: int) -> bytes:
    return entry("sent", "ACK sip:echo@site SIP/2.0", f"{cseq} ACK")


@pytest.mark.parametrize(
    ("entries", "outcome", "code", "ended"),
    [
        ([INVITE], "timeout", None, False),
        ([INVITE, TRYING], "timeout", 100, False),
        ([INVITE, said(404, "1 INVITE"), acked(1)], "rejected", 404, True),
        ([INVITE, said(407, "1 INVITE"), acked(1)], "rejected", 407, False),
        ([INVITE, said(407, "1 INVITE"), acked(1), AGAIN], "timeout", None, False),
        (
            [INVITE, said(407, "1 INVITE"), acked(1), AGAIN, said(407, "2 INVITE"), acked(2)],
            "rejected",
            407,
            True,
        ),
        ([INVITE, INVITE, TRYING, ANSWERED, acked(1)], "ok", 200, False),
        ([INVITE, ANSWERED, acked(1), said(200, "3 BYE")], "ok", 200, True),
        ([INVITE, said(200, "9 INVITE")], "timeout", None, False),
    ],
    ids=["silent", "tried", "404", "challenged", "then-silent", "wrong", "up", "over", "stray"],
)
@pytest.mark.parametrize("step", [1, 50, 100_000])
def test_trace(entries: list[bytes], outcome: str, code: int, ended: bool, step: int) -> None:
    trace, data = call._Trace(), b"".join(entries)
    for at in range(0, len(data), step):
        trace.feed(data[at : at + step])
    assert (call._outcome(trace), trace.code, trace.ended) == (outcome, code, ended)
    assert trace.cut is False


def test_bye_from_the_other_side_is_noticed() -> None:
    trace = call._Trace()
    trace.feed(INVITE + ANSWERED + entry("received", "BYE sip:alice@here SIP/2.0", "1 BYE"))
    assert trace.cut is True


def test_trace_survives_anything() -> None:
    trace = call._Trace()
    trace.feed(b"\xff" * 1000 + INVITE + b"\x00" * (call.TRACE_LIMIT + 1))
    trace.feed(INVITE)
    assert trace.answered is None


@pytest.mark.parametrize(
    ("sdp", "peer"),
    [
        (SDP, ("192.0.2.9", 4000)),
        ("c=IN IP6 2001:db8::9\nm=audio 6 RTP/AVP 0\n", ("2001:db8::9", 6)),
        ("c=IN IP4 media.site.net\nm=audio 4000 RTP/AVP 0\n", None),
        ("c=IN IP4 192.0.2.9\nm=audio 0 RTP/AVP 0\n", None),
        ("c=IN IP4 192.0.2.9\nm=audio 99999 RTP/AVP 0\n", None),
        ("", None),
    ],
)
def test_where_the_media_goes(sdp: str, peer: tuple[str, int] | None) -> None:
    message = parse(f"SIP/2.0 200 OK\n\n{sdp}".encode())
    assert message is not None
    assert call._peer(message) == peer


def test_media_counts_numbers_not_packets() -> None:
    ours, theirs = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    with ours, theirs:
        ours.bind(("127.0.0.1", 0))
        theirs.bind(("127.0.0.1", 0))
        ours.settimeout(1)
        media = call._Media(ours, source=7, peer=theirs.getsockname())
        for _ in range(3):
            media.send()
        packets = [theirs.recv(2048) for _ in range(3)]
        assert [struct.unpack("!H", p[2:4])[0] for p in packets] == [0, 1, 2]
        assert {len(p) for p in packets} == {172}
        foreign = struct.pack("!BBHII", 0x80, 0, 1, 0, 99)
        for one in (packets[0], packets[0], packets[1], b"short", b"\x00" * 20, foreign):
            theirs.sendto(one, ours.getsockname())
            media.receive()
    assert media.sent == 3
    assert media.heard == {(7, 0), (7, 1), (99, 1)}


def test_hostile_words_are_not_put_into_messages() -> None:
    with pytest.raises(TargetError, match="expected letters"):
        call.place(ACCOUNT, "a b\r\nX: y", seconds=1, timeout=0.1, flows=[])


def test_without_sipp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(MachineError, match="apt install sip-tester"):
        call.place(ACCOUNT, "echo", seconds=1, timeout=0.1, flows=[])
