"""A call's signalling, message by message."""

from __future__ import annotations

from typing import Any

import pytest

from filterbed.probe.datagram import Datagram
from filterbed.probe.dialog import ANSWERS, Dialog

SDP = "v=0\r\nc=IN IP4 192.0.2.9\r\nm=audio 4000 RTP/AVP 0\r\n"


def message(start: str, cseq: str, *more: str, body: str = "") -> bytes:
    lines = [start, "Call-ID: x", f"CSeq: {cseq}", *more, f"Content-Length: {len(body)}", "", body]
    return "\r\n".join(lines).encode()


def run(*steps: tuple[str, bytes], ttl: int = 60) -> Dialog:
    """Play messages, one each tenth of a second from 100 on."""
    dialog = Dialog()
    for number, (way, data) in enumerate(steps):
        at = 100 + number / 10
        if way == "sent":
            dialog.sent(data, at)
        else:
            dialog.received(Datagram(data, "192.0.2.1", 5060, at, ttl))
    return dialog


def said(code: int, cseq: str, *more: str, body: str = "") -> tuple[str, bytes]:
    return "received", message(f"SIP/2.0 {code} X", cseq, *more, body=body)


def acked(cseq: int) -> tuple[str, bytes]:
    return "sent", message("ACK sip:echo@site SIP/2.0", f"{cseq} ACK")


INVITE = ("sent", message("INVITE sip:echo@site SIP/2.0", "1 INVITE", body=SDP))
AGAIN = ("sent", message("INVITE sip:echo@site SIP/2.0", "2 INVITE", body=SDP))
ANSWERED = said(200, "1 INVITE", body=SDP)
OURS = ("sent", message("BYE sip:echo@site SIP/2.0", "3 BYE"))
THEIRS = ("received", message("BYE sip:alice@here SIP/2.0", "1 BYE"))

CASES: dict[str, tuple[list[tuple[str, bytes]], str, int | None, bool, str, Any]] = {
    "silent": ([INVITE], "timeout", None, False, "timeout", "INVITE"),
    "tried": ([INVITE, said(100, "1 INVITE")], "timeout", 100, False, "timeout", "INVITE"),
    "refused": (
        [INVITE, said(404, "1 INVITE"), acked(1)], "rejected", 404, True, "rejected", None
    ),
    "challenged": (
        [INVITE, said(407, "1 INVITE"), acked(1)], "rejected", 407, False, "rejected", None
    ),
    "then-silent": (
        [INVITE, said(407, "1 INVITE"), acked(1), AGAIN], "timeout", None, False, "timeout",
        "INVITE",
    ),
    "wrong-password": (
        [INVITE, said(407, "1 INVITE"), acked(1), AGAIN, said(407, "2 INVITE"), acked(2)],
        "rejected", 407, True, "rejected", None,
    ),
    "up": ([INVITE, INVITE, said(100, "1 INVITE"), ANSWERED], "ok", 200, False, "timeout", "BYE"),
    "over": ([INVITE, ANSWERED, OURS, said(200, "3 BYE")], "ok", 200, True, "completed", None),
    "bye-unanswered": ([INVITE, ANSWERED, OURS], "ok", 200, False, "timeout", "BYE"),
    "cut": ([INVITE, ANSWERED, THEIRS], "ok", 200, False, "bye", None),
    "crossing": ([INVITE, ANSWERED, OURS, THEIRS], "ok", 200, False, "timeout", "BYE"),
    "stray": ([INVITE, said(200, "9 INVITE")], "timeout", None, False, "timeout", "INVITE"),
    "second-answer": (
        [INVITE, said(403, "1 INVITE"), acked(1), ANSWERED], "rejected", 403, True, "rejected",
        None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_messages_amount_to(case: str) -> None:
    steps, outcome, code, ended, why, at = CASES[case]
    dialog = run(*steps)
    end = dialog.end(media=True)
    assert (dialog.outcome(), dialog.code, dialog.ended) == (outcome, code, ended)
    assert (end["why"], end["at"]) == (why, at)
    assert dialog.cut is (case == "cut")


def test_every_answer_is_kept_with_who_and_when() -> None:
    dialog = run(INVITE, said(403, "1 INVITE", "Server: box"), acked(1), ANSWERED, ttl=33)
    assert [(a["code"], a["server"], a["from"], a["ttl"]) for a in dialog.answers] == [
        (403, "box", "192.0.2.1:5060", 33),
        (200, None, "192.0.2.1:5060", 33),
    ]
    assert [a["seconds"] for a in dialog.answers] == [0.1, 0.3]
    assert (dialog.by and dialog.by.at) == pytest.approx(100.1)


def test_times_count_from_the_first_invite() -> None:
    steps = (INVITE, said(100, "1 INVITE"), said(180, "1 INVITE"), ANSWERED, OURS)
    dialog = run(*steps, said(200, "3 BYE"))
    found = [dialog.since(word) for word in ("trying", "ringing", "answered", "bye", "ended")]
    assert found == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    assert dialog.since("refused") is None
    assert dialog.end(media=True)["seconds"] == pytest.approx(0.1)
    assert dialog.end(media=False)["why"] == "silent"


def test_a_challenge_is_no_refusal() -> None:
    challenged = (INVITE, said(407, "1 INVITE"), acked(1))
    assert run(*challenged).since("refused") == pytest.approx(0.1)
    assert run(*challenged, AGAIN).since("refused") is None


def test_account_of_the_media_is_read_from_bye_and_from_its_answer() -> None:
    header = "X-RTP-Stat: PS=7;PR=9;XE=us"
    answered = run(INVITE, ANSWERED, OURS, said(200, "3 BYE", header))
    cut = run(INVITE, ANSWERED, (THEIRS[0], message("BYE sip:a SIP/2.0", "1 BYE", header)))
    for dialog in (answered, cut):
        assert dialog.told is not None
        assert (dialog.told.sent, dialog.told.received, dialog.told.ended_by) == (7, 9, "us")


def test_icmp_is_not_silence() -> None:
    dialog = run(INVITE)
    dialog.refused = "refused"
    assert (dialog.outcome(), dialog.end(media=False)["why"]) == ("refused", "refused")


def test_noise_and_floods_are_survived() -> None:
    dialog = run(INVITE, *(("received", noise) for noise in (b"", b"\xff" * 90, SDP.encode())))
    for _ in range(2 * ANSWERS):
        dialog.received(Datagram(said(183, "1 INVITE")[1], "192.0.2.1", 5060, 1.0, None))
    assert len(dialog.answers) == ANSWERS
