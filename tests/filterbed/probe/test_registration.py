"""A registration that a client makes by itself, message by message."""

from __future__ import annotations

import pytest

from filterbed.probe.datagram import Datagram
from filterbed.probe.registration import ANSWERS, Registration
from filterbed.probe.sip import Account

ACCOUNT = Account("sip.site.net", "alice", "secret", "192.0.2.1", 5060)


def asks(registration: Registration, number: int, at: float, *more: str) -> None:
    lines = ["REGISTER sip:site.net SIP/2.0", f"CSeq: {number} REGISTER", *more, "", ""]
    registration.sent("\r\n".join(lines).encode(), at)


def hears(registration: Registration, code: int, number: int, at: float, ttl: int = 60) -> None:
    lines = [f"SIP/2.0 {code} X", f"CSeq: {number} REGISTER", "Server: kamailio", "", ""]
    data = "\r\n".join(lines).encode()
    registration.received(Datagram(data, "192.0.2.1", 5060, at, ttl))


CREDENTIALS = 'Authorization: Digest username="alice"'


def test_a_challenge_is_met() -> None:
    one = Registration()
    asks(one, 1, 10.0)
    hears(one, 401, 1, 10.04)
    assert not one.over
    asks(one, 2, 10.05, CREDENTIALS)
    asks(one, 2, 10.55, CREDENTIALS)  # once more: the first was lost
    hears(one, 200, 2, 10.6)
    row = one.row(ACCOUNT, 0.6)
    assert (row["outcome"], row["code"], row["server"]) == ("ok", 200, "kamailio")
    assert (row["answered_by"], row["ttl"], row["seconds"]) == ("192.0.2.1:5060", 60, 0.6)
    assert [(a["code"], a["cseq"], a["seconds"]) for a in row["answers"]] == [
        (401, "1", 0.04),
        (200, "2", 0.55),
    ]


def test_the_first_final_answer_counts_and_the_second_is_kept() -> None:
    one = Registration()
    asks(one, 1, 10.0)
    hears(one, 503, 1, 10.01, ttl=63)
    hears(one, 401, 1, 10.04)
    row = one.row(ACCOUNT, 0.1)
    assert (row["outcome"], row["code"], row["ttl"]) == ("rejected", 503, 63)
    assert [a["code"] for a in row["answers"]] == [503, 401]


@pytest.mark.parametrize(("proof", "over"), [(CREDENTIALS, True), ("X: y", False)])
def test_refused_credentials_are_final(proof: str, over: bool) -> None:
    one = Registration()
    asks(one, 1, 10.0, proof)
    hears(one, 100, 1, 10.01)
    hears(one, 401, 1, 10.04)
    assert one.over is over
    assert one.row(ACCOUNT, 1.5)["outcome"] == "rejected"


def test_silence_and_icmp() -> None:
    one = Registration()
    asks(one, 1, 10.0)
    assert (one.row(ACCOUNT, 2.0)["outcome"], one.row(ACCOUNT, 2.0)["code"]) == ("timeout", None)
    one.failed("refused")
    assert one.row(ACCOUNT, 0.1)["outcome"] == "refused"


def test_what_is_no_answer_to_it() -> None:
    one = Registration()
    asks(one, 1, 10.0)
    one.received(Datagram(b"\x80\x00junk", "192.0.2.1", 5060, 10.1, 60))
    one.received(Datagram(b"SIP/2.0 200 OK\r\nCSeq: 1 INVITE\r\n\r\n", "192.0.2.1", 5060, 10.1, 6))
    hears(one, 200, 9, 10.2)
    assert not one.over
    for _ in range(2 * ANSWERS):
        hears(one, 200, 9, 10.2)
    assert len(one.answers) == ANSWERS
