"""A call from outside, message by message; whole calls are in tests/live."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from filterbed.probe import incoming
from filterbed.probe.datagram import Datagram
from filterbed.probe.errors import MachineError, TargetError
from filterbed.probe.incoming import Incoming
from filterbed.probe.sip import Account


def message(start: str, cseq: str, *more: str) -> bytes:
    return "\r\n".join([start, "Call-ID: x", f"CSeq: {cseq}", *more, "", ""]).encode()


def sent(start: str, cseq: str, *more: str) -> tuple[str, bytes]:
    return "sent", message(start, cseq, *more)


def came(start: str, cseq: str, *more: str) -> tuple[str, bytes]:
    return "came", message(start, cseq, *more)


INVITE = came("INVITE sip:alice@here SIP/2.0", "1 INVITE")
RINGING = sent("SIP/2.0 180 Ringing", "1 INVITE")
OK = sent("SIP/2.0 200 OK", "1 INVITE")
ACK = came("ACK sip:alice@here SIP/2.0", "1 ACK")
OURS = sent("BYE sip:phone@there SIP/2.0", "1 BYE")
OVER = came("SIP/2.0 200 OK", "1 BYE", "X-RTP-Stat: PS=7;PR=9;XE=them")
THEIRS = came("BYE sip:alice@here SIP/2.0", "2 BYE", "X-RTP-Stat: PS=7;PR=9;XE=us")

CASES: dict[str, tuple[list[tuple[str, bytes]], str, int | None, str, str | None]] = {
    "nobody-rings": ([], "timeout", None, "timeout", "INVITE"),
    "unacknowledged": ([INVITE, RINGING, OK], "timeout", None, "timeout", "ACK"),
    "repeated": ([INVITE, INVITE, RINGING, OK, OK], "timeout", None, "timeout", "ACK"),
    "stray-ack": ([ACK], "timeout", None, "timeout", "INVITE"),
    "up": ([INVITE, RINGING, OK, ACK, OURS], "ok", 200, "timeout", "BYE"),
    "over": ([INVITE, RINGING, OK, ACK, OURS, OVER], "ok", 200, "completed", None),
    "they-hang-up": ([INVITE, RINGING, OK, ACK, THEIRS], "ok", 200, "bye", None),
}


def run(steps: list[tuple[str, bytes]]) -> Incoming:
    """Play messages, one each tenth of a second from 100 on."""
    dialog = Incoming()
    for number, (way, data) in enumerate(steps):
        at = 100 + number / 10
        if way == "sent":
            dialog.sent(data, at)
        else:
            dialog.received(Datagram(data, "192.0.2.1", 5060, at, 60))
    return dialog


@pytest.mark.parametrize("case", CASES)
def test_what_messages_amount_to(case: str) -> None:
    steps, outcome, code, why, at = CASES[case]
    dialog = run(steps)
    end = dialog.end(media=True)
    assert (dialog.outcome(), dialog.code, end["why"], end["at"]) == (outcome, code, why, at)
    assert dialog.cut is (case == "they-hang-up")


def test_times_count_from_the_first_invite_that_came() -> None:
    dialog = run([INVITE, RINGING, OK, ACK, OURS, OVER])
    found = [dialog.since(word) for word in ("ringing", "answered", "bye", "ended")]
    assert found == pytest.approx([0.1, 0.3, 0.4, 0.5])
    assert (dialog.told and dialog.told.received) == 9
    assert (dialog.by and dialog.by.address) == "192.0.2.1"


def test_hostile_words_and_a_missing_client(monkeypatch: pytest.MonkeyPatch) -> None:
    account = Account("sip.site.net", "alice", "secret", "127.0.0.1", 5060)
    with pytest.raises(TargetError, match="expected letters"):
        incoming.answer(account, "a b", seconds=1, timeout=0.1, flows=[])
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(MachineError, match="apt install sip-tester"):
        incoming.answer(account, "echo", seconds=1, timeout=0.1, flows=[])


def test_without_registrar_there_is_no_call(closed_port: int) -> None:
    account = Account("sip.site.net", "alice", "secret", "127.0.0.1", closed_port)
    flows: list[Any] = []
    registered, call = incoming.answer(account, "echo", seconds=1, timeout=0.3, flows=flows)
    assert (registered["outcome"], call) == ("refused", None)
    assert [flow[3:] for flow in flows] == [["127.0.0.1", closed_port]]


def test_whether_sipp_listens() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        assert incoming._listens(port)
    assert not incoming._listens(port)
