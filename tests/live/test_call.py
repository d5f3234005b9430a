"""Calls between real clients over a router that does harm (tests/live/harm.py): what both count."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from filterbed.baseline import holds
from filterbed.probe.judge import judge
from tests.live import harm
from tests.live.harm import CASES, IN, SETUP, address
from tests.live.stage import UNSHARE

pytestmark = pytest.mark.live

PROGRAMS = ("kamailio", "sipp", "unshare", "ip", "iptables", "ip6tables")


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    directory = tmp_path_factory.mktemp("calls")
    found = subprocess.run(
        [*UNSHARE, "sh", "-c",
         f"set -e; {SETUP} exec {sys.executable} -P {harm.__file__} {directory}"],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stdout[-2000:] + found.stderr[-3000:]
    rows: dict[str, Any] = json.loads(found.stdout.splitlines()[-1])
    return rows


def call(measured: dict[str, Any], case: str) -> dict[str, Any]:
    assert measured[case]["sip"]["register"]["code"] == 200
    found: dict[str, Any] = measured[case]["sip"]["call"]
    return found


def lost(measured: dict[str, Any], case: str) -> list[int]:
    """Return what the measurement says was lost, by the direction of the case's rules."""
    media = call(measured, case)["media"]
    ways = ["from_callee" if rule.startswith(IN[:2]) else "to_callee" for rule in CASES[case].rules]
    return [media[way]["lost"] for way in ways]


@pytest.mark.parametrize("case", ["whole", "pcma", "six"])
def test_whole_calls(measured: dict[str, Any], case: str) -> None:
    found = call(measured, case)
    assert (found["outcome"], found["code"], found["end"]["why"]) == ("ok", 200, "completed")
    for way in found["media"].values():
        assert (way["lost"], way["duplicates"]) == (0, 0)
        # Fifty a second, less what a busy machine was late with.
        assert way["sent"] == way["received"] >= 40 * CASES[case].seconds
        assert 0 <= way["delay"] < 0.2
        assert way["mos"] is not None
        assert way["mos_inputs"]["codec"] == CASES[case].media.upper()
    assert found["rtp_sent"] == found["rtp_echoed"]
    target = {"kind": "call", "addresses": []}
    assert holds("answers", measured[case], target, ()) == []


@pytest.mark.parametrize("case", ["lost-out", "lost-in", "lost-both", "cut", "policed", "six-lost"])
def test_loss_injected_is_loss_measured(measured: dict[str, Any], case: str) -> None:
    """Within one packet in 250."""
    dropped = measured[case]["dropped"]
    assert all(dropped), dropped
    for injected, found in zip(dropped, lost(measured, case), strict=True):
        assert abs(injected - found) <= 1, (dropped, lost(measured, case))
    assert holds("answers", measured[case], {"kind": "call", "addresses": []}, ())


def test_the_way_that_is_not_harmed_is_whole(measured: dict[str, Any]) -> None:
    assert call(measured, "lost-out")["media"]["from_callee"]["lost"] == 0
    assert call(measured, "lost-in")["media"]["to_callee"]["lost"] == 0


@pytest.mark.parametrize(
    ("case", "mechanism"),
    [
        ("lost-out", "rtp.loss"), ("lost-in", "rtp.loss"), ("six-lost", "rtp.loss"),
        ("policed", "rtp.throttle"), ("cut", "rtp.timeout"), ("deaf", "rtp.oneway"),
        ("dumb", "rtp.oneway"), ("silent", "rtp.timeout"), ("no-invite", "sip.invite.timeout"),
        ("no-answer", "sip.invite.timeout"), ("forged-403", "sip.invite.reject"),
        ("forged-bye", "sip.bye"), ("uneven", "rtp.jitter"),
    ],
)  # fmt: skip
def test_harm_is_named(measured: dict[str, Any], case: str, mechanism: str) -> None:
    found = judge(measured[case], measured["whole"])
    assert (found.verdict, found.mechanisms, found.locus) == ("blocked", (mechanism,), "network")


@pytest.mark.parametrize(
    ("case", "word", "verdict"),
    [
        ("busy", "status: 486", "down"), ("codec", "status: 488", "down"),
        ("rings", "no-answer", "down"), ("hangs-up", "hangs-up", "ok"), ("mute", "one-way", "down"),
        ("one-way", "one-way", "down"), ("unpaid", "status: 403", "down"),
    ],
)  # fmt: skip
def test_honest_failures_are_nobodys_doing(
    measured: dict[str, Any], case: str, word: str, verdict: str
) -> None:
    target = {"kind": "call", "addresses": []}
    assert holds(word, measured[case], target, ()) == []
    assert holds("answers", measured[case], target, ())
    assert judge(measured[case], measured[case]).verdict == verdict


def test_why_calls_end(measured: dict[str, Any]) -> None:
    ends = {case: call(measured, case)["end"] for case in CASES}
    assert {case: (end["why"], end["at"], end["code"]) for case, end in ends.items()} == {
        **dict.fromkeys(CASES, ("completed", None, None)),
        "dumb": ("silent", None, None), "silent": ("silent", None, None),
        "mute": ("silent", None, None), "busy": ("rejected", None, 486),
        "codec": ("rejected", None, 488), "unpaid": ("rejected", None, 403),
        "forged-403": ("rejected", None, 403), "rings": ("timeout", "INVITE", 180),
        "no-invite": ("timeout", "INVITE", None), "no-answer": ("timeout", "INVITE", None),
        "no-bye": ("timeout", "BYE", None), "hangs-up": ("bye", None, None),
        "forged-bye": ("bye", None, None),
    }  # fmt: skip
    assert ends["hangs-up"]["seconds"] == pytest.approx(0.5, abs=0.3)
    assert call(measured, "hangs-up")["account"]["ended_by"] == "us"
    assert call(measured, "forged-bye")["after_bye"] > 3


def test_uneven_media_comes_late_and_out_of_order_and_is_not_lost(
    measured: dict[str, Any],
) -> None:
    media = call(measured, "uneven")["media"]
    back = media["from_callee"]
    assert back["lost"] == 0
    assert back["jitter"] > 0.05
    assert min(back["late"], back["out_of_order"]) > 20
    assert 0.1 < back["delay"] < 0.25
    assert back["mos"] < 2 < 4 < media["to_callee"]["mos"]


def test_no_media_no_score(measured: dict[str, Any]) -> None:
    media = call(measured, "silent")["media"]
    assert [way["mos"] for way in media.values()] == [None, None]
    assert [way["received"] for way in media.values()] == [0, 0]


def test_who_answered(measured: dict[str, Any]) -> None:
    assert call(measured, "whole")["answered_by"] == f"{address(0, 4)}:5060"
    assert call(measured, "whole")["ttl"] == 63
    codes = [answer["code"] for answer in call(measured, "forged-403")["answers"]]
    assert codes[0] == 403
    assert {407, 100} & {*codes}
    assert call(measured, "six")["answered_by"].startswith("[2001:678:1::")
