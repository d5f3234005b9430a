"""The media of two calls compared, each way by itself."""

from __future__ import annotations

from typing import Any

import pytest

from filterbed.probe.hearing import media, ways

Spec = dict[str, Any]
FINE: Spec = {"sent": 250, "received": 250, "lost": 0, "tail": 0, "jitter": 0.001}
NONE: Spec = {"received": 0, "lost": 250, "tail": 250, "jitter": None}
CUT: Spec = {"received": 100, "lost": 150, "tail": 148, "head": 100}
LOSSY: Spec = {"received": 75, "lost": 175, "tail": 2, "head": 1, "spacing": 0.8}
POLICED: Spec = {"received": 40, "lost": 210, "tail": 3, "head": 5, "spacing": 0.1}
NTH: Spec = {"received": 84, "lost": 166, "tail": 2, "head": 1, "spacing": 0.0}
UNEVEN: Spec = {"jitter": 0.09}
LATE: Spec = {"jitter": 0.02, "late": 150}
UNTOLD: Spec = {"received": None, "lost": None, "tail": None, "jitter": None}
FEW: Spec = {"received": 235, "lost": 15, "tail": 0, "head": 10, "spacing": 0.5}
QUIET: Spec = {"sent": 0, "received": 0, "lost": 0, "tail": 0, "jitter": None}


def part(out: Spec | None = None, back: Spec | None = None, outcome: str = "ok") -> Spec:
    more = {"head": None, "spacing": None}
    return {
        "outcome": outcome,
        "rtp_sent": 250,
        "media": {
            "to_callee": {**FINE, **more, **(out or {})},
            "from_callee": {**FINE, **more, **(back or {})},
        },
    }


WHOLE = part()
CASES: dict[str, tuple[Spec, Spec | None, str, str | None]] = {
    "whole": (WHOLE, WHOLE, "ok", None),
    "whole-whatever-the-control": (WHOLE, part(NONE, NONE), "ok", None),
    "a-little-loss": (part(FEW, FEW), WHOLE, "ok", None),
    "no-media": (part(NONE, NONE), WHOLE, "blocked", "rtp.timeout"),
    "no-media-as-far-as-told": (part(UNTOLD, NONE), WHOLE, "blocked", "rtp.timeout"),
    "deaf": (part(NONE), WHOLE, "blocked", "rtp.oneway"),
    "dumb": (part(None, NONE), WHOLE, "blocked", "rtp.oneway"),
    "cut-both-ways": (part(CUT, CUT), WHOLE, "blocked", "rtp.timeout"),
    "cut-one-way": (part(CUT), WHOLE, "blocked", "rtp.oneway"),
    "none-and-cut": (part(NONE, CUT), WHOLE, "blocked", "rtp.timeout"),
    "thinned": (part(LOSSY, LOSSY), WHOLE, "blocked", "rtp.loss"),
    "thinned-one-way": (part(None, LOSSY), WHOLE, "blocked", "rtp.loss"),
    "policed": (part(None, POLICED), WHOLE, "blocked", "rtp.throttle"),
    "one-in-n": (part(None, NTH), WHOLE, "blocked", "rtp"),
    "uneven": (part(UNEVEN, UNEVEN), WHOLE, "blocked", "rtp.jitter"),
    "bunched-and-late": (part(LATE), WHOLE, "blocked", "rtp.jitter"),
    "late-for-all": (part(LATE), part({"late": 120}), "down", None),
    "uneven-for-all": (part(UNEVEN), part({"jitter": 0.05}), "down", None),
    "no-media-for-all": (part(NONE, NONE), part(NONE, NONE), "down", None),
    "one-way-for-all": (part(NONE), part(NONE), "down", None),
    "mute-callee": (part(None, QUIET), part(None, QUIET), "down", None),
    "mute-here-only": (part(None, QUIET), WHOLE, "unknown", None),
    "congested-for-all": (
        part(LOSSY), part({"received": 90, "lost": 160, "tail": 1}), "down", None
    ),
    "worse-than-the-control": (
        part(LOSSY), part({"received": 190, "lost": 60, "tail": 1}), "unknown", None
    ),
    "no-media-where-the-control-has-little": (part(NONE), part(LOSSY), "unknown", None),
    "control-cannot-call": (part(NONE), part(outcome="rejected"), "unknown", None),
    "control-did-not-call": (part(NONE), None, "unknown", None),
    "nothing-sent": (part(QUIET, QUIET), WHOLE, "unknown", None),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_media(case: str) -> None:
    here, there, verdict, mechanism = CASES[case]
    found = media(here, there)
    assert (found.verdict, *found.mechanisms) == (verdict, *([mechanism] if mechanism else []))
    assert found.locus == ("network" if mechanism else None)


def test_older_measurements_are_read_by_their_echo() -> None:
    out, back = ways({"rtp_sent": 100, "rtp_received": 30, "rtp_echoed": 20})
    assert (out.share, back.received, back.sent) == (0.2, 30, None)
