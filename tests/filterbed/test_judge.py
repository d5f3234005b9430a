"""A capture that lost packets is no witness."""

from __future__ import annotations

from pathlib import Path

import pytest

from filterbed import judge
from filterbed.rundir import RunDir
from topologies.plan import Box

BOX = Box("censor", inside=("censor-eth0",), outside=("censor-eth1",))
SAID = """Capturing on 'INTERFACE'
File: x.pcapng
Packets: 15
Packets received/dropped on interface 'INTERFACE': 15/DROPPED (pcap:0/dumpcap:0/flushed:0) (100.0%)
"""


def lost(tmp_path: Path, outside: str) -> list[str]:
    directory = RunDir(tmp_path)
    directory.logs.mkdir()
    inside = SAID.replace("INTERFACE", "censor-eth0").replace("DROPPED", "0")
    (directory.logs / "dumpcap-censor-eth0.log").write_text(inside)
    (directory.logs / "dumpcap-censor-eth1.log").write_text(outside)
    return judge._lost(BOX, directory)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (SAID.replace("DROPPED", "0"), []),
        (SAID.replace("DROPPED", "3"), ["capture on censor-eth1: dumpcap dropped 3 packets"]),
        ("Capturing on 'x'\n", ["capture on censor-eth1: dumpcap did not say what it dropped"]),
        ("", ["capture on censor-eth1: dumpcap did not say what it dropped"]),
    ],
)
def test_a_capture_says_what_it_lost(tmp_path: Path, said: str, expected: list[str]) -> None:
    assert lost(tmp_path, said.replace("INTERFACE", "censor-eth1")) == expected
