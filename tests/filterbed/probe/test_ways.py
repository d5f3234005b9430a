"""A call's measurement, of its signalling and its media."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from filterbed.probe import rtcp, rtp, ways
from filterbed.probe.account import understand
from filterbed.probe.datagram import Datagram
from filterbed.probe.dialog import Dialog
from filterbed.probe.media import Audio
from filterbed.probe.sip import parse


@pytest.fixture
def audio() -> Iterator[Audio]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        yield Audio(sock=sock, first=100, sent=50)


@pytest.fixture
def dialog() -> Dialog:
    made = Dialog(began=10.0, tries=1, code=200)
    made.answered = parse(b"SIP/2.0 200 OK\r\nCSeq: 1 INVITE\r\n\r\n")
    made.by = Datagram(b"", "2001:db8::1", 5060, 10.1, 61)
    made.marks |= {"answered": 10.1, "bye": 11.1}
    return made


def hear(audio: Audio, numbers: list[int], source: int = 7, at: float = 10.0) -> None:
    for n in numbers:
        data = rtp.write(rtp.Packet(0, n, 160 * n, source, b"x"))
        audio.take(Datagram(data, "192.0.2.1", 9, at + 0.02 * n, None))


def leave(audio: Audio, reason: str, at: float, lost: int = 0, highest: int = 0) -> None:
    block = rtcp.Block(audio.source, lost, highest, 80)
    report = rtcp.Report(7, rtcp.Sender(7, at, 0, 60, 1), (block,), reason)
    audio.take(Datagram(rtcp.write(report, "x"), "192.0.2.1", 9, at, None))


def test_both_ends_by_the_callees_account(audio: Audio, dialog: Dialog) -> None:
    hear(audio, [*range(40), *range(45, 60)])
    dialog.told, dialog.ended = understand("PS=62;PR=48;PL=1;JI=2;LA=30;XE=them"), True
    row = ways.row(dialog, audio)
    there, back = row["media"]["to_callee"], row["media"]["from_callee"]
    assert (there["sent"], there["received"], there["lost"], there["tail"]) == (50, 48, 2, 1)
    assert (there["delay"], there["jitter"], there["counted_by"]) == (0.03, 0.002, "header")
    assert (back["sent"], back["received"], back["lost"], back["tail"]) == (62, 55, 7, 2)
    assert (row["rtp_sent"], row["rtp_received"], row["rtp_echoed"]) == (50, 55, 48)
    assert (row["answered_by"], row["ttl"]) == ("[2001:db8::1]:5060", 61)
    assert row["end"] == {"why": "completed", "at": None, "code": None, "seconds": 1.0}
    assert row["account"]["ended_by"] == "them"


def test_what_was_on_its_way_when_the_callee_hung_up_is_not_lost(
    audio: Audio, dialog: Dialog
) -> None:
    dialog.told, dialog.cut = understand("PS=26;PR=24;PL=1;XE=us"), True
    there = ways.row(dialog, audio)["media"]["to_callee"]
    assert (there["sent"], there["received"], there["lost"], there["tail"]) == (50, 24, 1, None)


def test_by_rtcp_where_the_first_heard_came_after_the_numbers_began_anew(
    audio: Audio, dialog: Dialog
) -> None:
    """Who never heard a number from before counts no cycle (RFC 3550, appendix A.1)."""
    hear(audio, [*range(60)])
    audio.first = 0xFFFA
    leave(audio, "x", 11.0, highest=43)
    assert ways.to_callee(dialog, audio, 0).received == 50
    leave(audio, "x", 11.0, highest=0x10000 + 43)
    assert ways.to_callee(dialog, audio, 0).received == 50


def test_by_rtcp_where_the_account_is_missing(audio: Audio, dialog: Dialog) -> None:
    hear(audio, [*range(58)])
    leave(audio, "the other side hung up", at=11.3, lost=3, highest=147)
    row = ways.row(dialog, audio)
    there, back = row["media"]["to_callee"], row["media"]["from_callee"]
    assert (there["received"], there["lost"], there["tail"]) == (45, 5, 2)
    assert (there["jitter"], there["counted_by"]) == (0.01, "rtcp")
    assert (back["sent"], back["lost"], back["tail"]) == (60, 2, 2)


def test_by_the_echo_where_nobody_tells(audio: Audio, dialog: Dialog) -> None:
    hear(audio, [*range(30)], source=audio.source)
    there = ways.row(dialog, audio)["media"]["to_callee"]
    assert (there["received"], there["lost"], there["counted_by"]) == (30, 20, "echo")
    assert 1 <= there["mos"] < 1.1


def test_nobody_knows(audio: Audio, dialog: Dialog) -> None:
    there = ways.row(dialog, audio)["media"]["to_callee"]
    assert (there["sent"], there["received"], there["lost"], there["mos"]) == (50, None, None, None)


def test_nothing_was_answered(audio: Audio) -> None:
    row = ways.row(Dialog(began=1.0, tries=1), audio)
    assert row["outcome"] == "timeout"
    for way in row["media"].values():
        assert all(value is None for value in way.values())


@pytest.mark.parametrize(("ours", "before"), [(11.0, False), (11.6, True)])
def test_whether_the_callee_left_first(
    audio: Audio, dialog: Dialog, ours: float, before: bool
) -> None:
    dialog.hung_up, dialog.marks["bye"] = True, ours
    leave(audio, "the other side hung up", at=11.3)
    left: dict[str, Any] = ways.row(dialog, audio)["rtcp_bye"]
    assert left == {"reason": "the other side hung up", "before_ours": before}


def test_media_after_a_bye_is_counted(audio: Audio, dialog: Dialog) -> None:
    hear(audio, [*range(70)])  # until 11.38; the BYE came at 11.1
    assert ways.row(dialog, audio)["after_bye"] is None
    dialog.cut = True
    assert ways.row(dialog, audio)["after_bye"] == 9


def keys(value: Any) -> Any:
    """Return a measurement's shape: its keys, as deep as they go."""
    return {key: keys(one) for key, one in value.items()} if isinstance(value, dict) else None


def test_the_page_shows_every_key(audio: Audio, dialog: Dialog) -> None:
    page = (Path(__file__).parents[3] / "docs" / "voip.md").read_text()
    (shown,) = re.findall(r"```json\n(.*?)```", page, re.S)
    example = json.loads(shown)
    hear(audio, [*range(40)])
    leave(audio, "hung up", at=11.3)
    dialog.told = understand("PS=62;PR=48")
    row = ways.row(dialog, audio) | {"seconds": 1.0, "client": "sipp"}
    for one in (example, row):
        one["account"] = None
        for way in one["media"].values():
            way["mos_inputs"] = None
    assert keys(example) == keys(row)
    table = set(re.findall(r"`([a-z_]+)`", page))
    assert set(row) | set(row["media"]["to_callee"]) <= table
