"""Replays: what a policy does with a recording, and whether it is what a run did."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from scapy.utils import wrpcap

from censor.drivers.capture import Door, Record
from censor.drivers.replay import Sides, active, compare, prefixes
from censor.drivers.session import Session
from censor.errors import CensorError
from censor.events import Event
from censor.policy.loader import load
from censor.rule.rules import Policy
from censor.wire import forge

EPOCH = 1_700_000_000_000_000_000
CLIENT, SERVER = bytes([24, 48, 0, 2]), bytes([93, 184, 216, 34])


def policy(chance: float = 0.5) -> Policy:
    return load(
        {
            "position": "on-path",
            "rules": [
                {
                    "id": "port",
                    "when": {"server.port": ["1-1000"]},
                    "then": {"inject": "reset", "ip_id": "random", "residual": {"seconds": 0.5}},
                    "chance": chance,
                }
            ],
        }
    )


def syns(count: int) -> list[tuple[int, bytes]]:
    return [
        (EPOCH + n * 333_333_337, forge.tcp(forge.Ip(CLIENT, SERVER), forge.Tcp(n, 80, n, 0, 2)))
        for n in range(1, count + 1)
    ]


def live(folder: Path, *, tick: float | None = None) -> tuple[Path, Path]:
    """Do what the live driver does, without a kernel: idle, then active, then idle again."""
    lines: list[Mapping[str, Any]] = []
    session = Session(policy(), lines.append, box="gfw", seed=9, clock_rate=2)
    session.say(Event(0.0, "started", detail={"epoch_ns": EPOCH, "seed": 9, "clock_rate": 2}))
    session.switch(False, t=0.0)
    door = Door(folder / "door", EPOCH)
    for n, (ns, data) in enumerate(syns(30), 1):
        t = (ns - EPOCH) / 1_000_000_000
        if n in (5, 15):
            session.switch(True, t=t - 0.001)
        if n == 25:
            session.switch(False, t=t - 0.001)
        if tick is not None:
            session.tick(t - tick)
        door.write(ns, data, inside=True, length=len(data))
        session.receive(data, t=t, inside=True)
    session.say(Event(20.0, "stopped"))
    door.close()
    (folder / "log").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder / "door", folder / "log"


@pytest.mark.parametrize("tick", [None, 0.2, 0.0001])
def test_a_replay_of_a_run_is_equal_whenever_timers_were_looked_at(
    tmp_path: Path, tick: float | None
) -> None:
    found = compare(*_with(policy(), *live(tmp_path, tick=tick)))
    assert found.equal, found
    assert found.packets == 30
    assert found.events > 10


def _with(one: Policy, door: Path, log: Path) -> tuple[Path, Policy, Path]:
    return door, one, log


def test_a_changed_policy_is_caught(tmp_path: Path) -> None:
    door, log = live(tmp_path)
    found = compare(door, policy(1.0), log)
    assert not found.equal
    assert found.logged != found.replayed


@pytest.mark.parametrize("change", ["drop", "edit", "add"])
def test_a_changed_log_is_caught(tmp_path: Path, change: str) -> None:
    door, log = live(tmp_path)
    lines = log.read_text().splitlines()
    last = max(n for n, line in enumerate(lines) if '"injected"' in line)
    if change == "drop":
        del lines[last]
    elif change == "edit":
        lines[last] = lines[last].replace('"packets": ["45', '"packets": ["46')
    else:
        lines.insert(last, lines[last])
    log.write_text("\n".join(lines) + "\n")
    found = compare(door, policy(), log)
    assert not found.equal
    assert found.index is not None


def test_a_lost_packet_is_caught(tmp_path: Path) -> None:
    _door, log = live(tmp_path)
    other = Door(tmp_path / "short", EPOCH)
    for n, (ns, data) in enumerate(syns(30), 1):
        if n != 9:
            other.write(ns, data, inside=True, length=len(data))
    other.close()
    assert not compare(tmp_path / "short", policy(), log).equal


def test_a_log_that_is_none_is_said(tmp_path: Path) -> None:
    door, log = live(tmp_path)
    log.write_text('{"event": "policy"}\n')
    with pytest.raises(CensorError, match="the first of them 'started'"):
        compare(door, policy(), log)
    log.write_text('{"event"\n')
    with pytest.raises(CensorError, match=r"log:1: "):
        compare(door, policy(), log)


def test_active_from_the_first_packet(tmp_path: Path) -> None:
    door, _ = live(tmp_path)
    lines: list[Mapping[str, Any]] = []
    assert active(door, policy(1e-9), lines.append, certain=True) == 30
    injected = [line for line in lines if line["event"] == "injected"]
    assert len({line["n"] for line in injected}) == 30
    assert injected[0]["t"] == 333_333_337 / 1e9


def test_a_pcap_of_others_begins_with_its_first_packet(tmp_path: Path) -> None:
    from scapy.layers.inet import IP
    from scapy.layers.l2 import Ether

    frames = [Ether() / IP(data) for _, data in syns(3)]
    for n, frame in enumerate(frames):
        frame.time = 1000.0 + n
    wrpcap(str(tmp_path / "p"), frames)
    lines: list[Mapping[str, Any]] = []
    assert active(tmp_path / "p", policy(1.0), lines.append) == 3
    assert [line["t"] for line in lines if line["event"] == "matched"] == [0.0, 1.0, 2.0]


def record(src: bytes, dst: bytes, interface: str = "") -> Record:
    return Record(0, interface, forge.udp(forge.Ip(src, dst), 1, 2, b""), 28)


def test_sides() -> None:
    door = Sides()
    assert not door.inside(record(CLIENT, SERVER, "outside"))
    told = Sides(prefixes(["93.184.0.0/16", "2600::1"]))
    assert told.inside(record(SERVER, CLIENT))
    assert not told.inside(record(CLIENT, SERVER))
    guessed = Sides()
    assert guessed.inside(record(CLIENT, SERVER))
    assert not guessed.inside(record(SERVER, CLIENT))
    assert guessed.inside(record(bytes([24, 48, 0, 9]), SERVER))
