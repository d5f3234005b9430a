"""Make a call's measurement of its signalling and its media, both ways.

What the callee counted comes in the order of trust: its account in SIP, its RTCP, our own packets
sent back by a callee that only echoes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from filterbed.probe import quality, rtp
from filterbed.probe.address import shown
from filterbed.probe.dialog import Dialog
from filterbed.probe.ear import Ear
from filterbed.probe.quality import Direction
from filterbed.probe.stream import Row

#: Media this much later than a BYE was sent after it, in seconds: the path may be uneven.
AFTER: Final = 0.1
_TOLD: Final = (
    "late", "duplicates", "out_of_order", "jitter", "longest_gap", "delay", "head", "burst",
    "spacing",
)  # fmt: skip


def row(dialog: Dialog, audio: Ear, *, silenced: int = 0) -> Row:
    """Return the `sip.call` part of a measurement, but for its `seconds`."""
    echoed = rtp.reception(audio.heard.get(audio.source, ())).received
    outward, inward = to_callee(dialog, audio, echoed), from_callee(dialog, audio)
    by = dialog.by
    return {
        "outcome": dialog.outcome(),
        "code": dialog.code,
        "server": dialog.server,
        "cut": dialog.cut,
        "rtp_sent": audio.sent,
        "rtp_received": sum(rtp.reception(one).received for one in audio.heard.values()),
        "rtp_echoed": max(echoed, outward.received or 0),
        "answered_by": f"{shown(by.address)}:{by.port}" if by else None,
        "ttl": by.ttl if by else None,
        "answers": dialog.answers,
        "times": {
            word: dialog.since(word)
            for word in ("trying", "ringing", "answered", "refused", "bye", "ended")
        },
        "end": dialog.end(bool(inward.received)),
        "codec": audio.codec,
        "media": {
            "to_callee": quality.json(outward, audio.codec),
            "from_callee": quality.json(inward, audio.codec),
        },
        "not_sent": silenced,
        "after_bye": _after(dialog, audio),
        "rtcp_bye": _left(dialog, audio),
        "account": dialog.told.json() if dialog.told else None,
    }


def to_callee(dialog: Dialog, audio: Ear, echoed: int) -> Direction:
    """Return what became of our own packets."""
    sent = audio.sent if dialog.answered else None
    if told := dialog.told:
        said = {name: getattr(told, name) for name in _TOLD}
        passed = audio.passage(told.transit)
        said["delay"] = passed if passed is not None else told.delay
        known = Direction(sent=sent, received=told.received, counted_by="header", **said)
        if told.ended_by == "us":  # who hangs up does not hear what is still on its way
            return replace(quality.complete(replace(known, sent=None), told.lost), sent=sent)
        return quality.complete(known, told.lost)
    if block := audio.block:
        span = (block.highest - audio.first) % (1 << 16) + 1  # who began late counted no cycle
        got = min(max(0, span - block.lost), audio.sent)
        jitter = block.jitter / rtp.CLOCK
        known = Direction(sent=sent, received=got, jitter=jitter, counted_by="rtcp")
        return quality.complete(known, block.lost)
    if echoed:
        return quality.complete(Direction(sent=sent, received=echoed, counted_by="echo"), None)
    return Direction(sent=sent)


def from_callee(dialog: Dialog, audio: Ear) -> Direction:
    """Return what we received, against what the callee says it sent."""
    if dialog.answered is None:
        return Direction()
    heard = audio.reception()
    sent = dialog.told.sent if dialog.told else None
    if sent is None and audio.bye is not None:
        sent = audio.announced
    found = Direction(
        sent=sent,
        received=heard.received,
        late=heard.late,
        duplicates=heard.duplicates,
        out_of_order=heard.out_of_order,
        jitter=heard.jitter if heard.received else None,
        longest_gap=heard.longest_gap if heard.received else None,
        delay=audio.delay(heard),
        head=heard.head,
        burst=heard.burst,
        spacing=heard.spacing,
        counted_by="numbers",
    )
    found = quality.complete(found, heard.lost)
    return found if heard.received else replace(found, burst=None)


def _after(dialog: Dialog, audio: Ear) -> int | None:
    """Count the media that came clearly after the other side's BYE; None without such a BYE."""
    if not dialog.cut:
        return None
    since = dialog.marks["bye"] + AFTER
    return sum(a.at > since for one in audio.heard.values() for a in one)


def _left(dialog: Dialog, audio: Ear) -> Row | None:
    """Say why the callee's media ended, in its own words, and whether before our BYE."""
    if audio.bye is None or audio.bye_at is None:
        return None
    ours = dialog.marks.get("bye") if dialog.hung_up else None
    return {"reason": audio.bye, "before_ours": ours is None or audio.bye_at < ours}
