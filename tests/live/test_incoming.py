"""Telephones that ring us, over a kernel that loses some of it, each end counting.

Run as a program this file is the inside of a sandbox of its own, a network namespace in which
providers, gateways and the caller stand on loopback; it prints what was measured, and how many
packets each rule dropped.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from filterbed.baseline import holds
from filterbed.probe.judge import judge
from tests.live.stage import UNSHARE
from topologies.service import Sip
from topologies.services import kamailio, sipp
from topologies.services.standing import Standing

pytestmark = pytest.mark.live

PROGRAMS = ("kamailio", "sipp", "unshare", "ip", "iptables")
NUMBER = "+97144380000"
SIP, AUDIO = "-p udp --dport 1024:65535 --sport 5060", "-p udp -m length --length 200"
TEXT = "-m string --algo bm --string"
LUCK = "-m statistic --mode random --probability 0.3"
#: Audio ports below 32768 are the gateway's, those above the kernel's choice for us.
#: Name, version of IP, seconds, and what is dropped on loopback; _ stands for a space.
CASES: dict[str, tuple[int, int, tuple[str, ...]]] = {
    "whole": (4, 1, ()),
    "six": (6, 1, ()),
    "lost": (
        4, 5,
        (f"{AUDIO} --sport 30000:32767 {LUCK}", f"{AUDIO} --dport 30000:32767 {LUCK}"),
    ),
    "not-rung": (4, 1, (f"{SIP} {TEXT} INVITE_sip:alice",)),
    "answer-lost": (4, 1, (f"-p udp --dport 5060 {TEXT} m=audio --sport 32768:65535",)),
    "unasked": (4, 1, (f"-p udp --dport 5060 {TEXT} REFER",)),
}  # fmt: skip


def address(name: str) -> str:
    number = list(CASES).index(name) + 1
    return f"212.23.7.{number}" if CASES[name][0] == 4 else f"2001:678:1::{number}"


def services() -> list[Sip]:
    return [
        Sip(
            name, "host", (f"{name}.example.net",), (address(name),), (("alice", "secret"),), (),
            conducts=((NUMBER, "calls-back"),), numbers=(NUMBER,),
        )
        for name in CASES
    ]  # fmt: skip


def spawn(node: str, argv: Sequence[str], **params: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(argv, **params)


def inside(directory: Path) -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    sips, rules = services(), []
    for name, (version, _, harm) in CASES.items():
        bits = ["32"] if version == 4 else ["128", "nodad"]
        added = [f"{address(name)}/{bits[0]}", "dev", "lo", *bits[1:]]
        subprocess.run(["ip", "addr", "add", *added], check=True)
        rules += [(name, rule) for rule in harm]
    standing = Standing(directory, spawn, lambda _: "/proc/self/ns/net")
    registrar = kamailio.program("host", sips, directory, sipp.trunks("host", sips))
    assert registrar is not None
    standing.start([registrar, *sipp.programs("host", sips, directory)], limit=30)
    for name, rule in rules:
        words = [word.replace("_", " ") for word in rule.split()]
        argv = ["iptables", "-w", "-A", "INPUT", "-d", address(name), *words, "-j", "DROP"]
        subprocess.run(argv, check=True)
    found = measured_all()
    shown = subprocess.run(
        ["iptables", "-w", "-nvxL", "INPUT"], capture_output=True, text=True, check=True
    ).stdout.splitlines()[2:]
    for (name, _), line in zip(rules, shown, strict=True):
        found[name].setdefault("dropped", []).append(int(line.split()[0]))
    assert standing.alive() == (), standing.alive()
    standing.stop()
    print(json.dumps(found))


def measured_all() -> dict[str, dict[str, Any]]:
    lines = [
        json.dumps({
            "target": name, "kind": "call", "direction": "in", "registrar": f"{name}.example.net",
            "user": "alice", "password": "secret", "callee": NUMBER, "seconds": seconds,
            "addresses": [address(name)],
        })
        for name, (_, seconds, _) in CASES.items()
    ]  # fmt: skip
    argv = [sys.executable, "-m", "filterbed.probe.measure"]
    done = subprocess.run(argv, input="\n".join(lines), capture_output=True, text=True, check=False)
    rows = {row["target"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert rows.keys() == CASES.keys(), done.stdout + done.stderr
    return rows


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    directory = tmp_path_factory.mktemp("incoming")
    found = subprocess.run(
        [*UNSHARE, sys.executable, "-P", __file__, str(directory)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert found.returncode == 0, found.stdout[-2000:] + found.stderr[-3000:]
    rows: dict[str, Any] = json.loads(found.stdout.splitlines()[-1])
    return rows


@pytest.mark.parametrize("case", ["whole", "six"])
def test_a_telephone_rings_us(measured: dict[str, Any], case: str) -> None:
    found = measured[case]["sip"]["call"]
    assert (found["outcome"], found["code"], found["end"]["why"]) == ("ok", 200, "completed")
    assert (found["direction"], found["refer"]["code"]) == ("in", 202)
    for way in found["media"].values():
        assert (way["lost"], way["duplicates"]) == (0, 0)
        assert way["sent"] == way["received"] >= 40 * CASES[case][1]
    assert holds("answers", measured[case], {"kind": "call", "addresses": []}, ()) == []


def test_loss_injected_is_loss_measured(measured: dict[str, Any]) -> None:
    """Within one packet in 250."""
    media = measured["lost"]["sip"]["call"]["media"]
    lost = [media[way]["lost"] for way in ("from_callee", "to_callee")]
    assert all(measured["lost"]["dropped"])
    assert measured["lost"]["dropped"] == pytest.approx(lost, abs=1)


@pytest.mark.parametrize(
    ("case", "at", "mechanism"),
    [
        ("not-rung", "INVITE", "sip.invite.timeout"),
        ("answer-lost", "ACK", "sip.invite.timeout"),
        ("unasked", "INVITE", "sip"),
        ("lost", None, "rtp.loss"),
    ],
)
def test_harm_is_named(measured: dict[str, Any], case: str, at: str | None, mechanism: str) -> None:
    assert all(measured[case]["dropped"])
    assert measured[case]["sip"]["call"]["end"]["at"] == at
    found = judge(measured[case], measured["whole"])
    assert (found.verdict, found.mechanisms, found.locus) == ("blocked", (mechanism,), "network")
    assert judge(measured[case], measured[case]).verdict == "down"


if __name__ == "__main__":
    inside(Path(sys.argv[1]))
