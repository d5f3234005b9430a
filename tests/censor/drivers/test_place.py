"""Places: interfaces by name, logs that can be written."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from censor.drivers.place import Place
from censor.errors import MachineError


def place(tmp_path: Path, inside: str = "lo", events: str = "events") -> Place:
    return Place(queue=0, inside=(inside,), outside=(), events=tmp_path / events)


def test_sides_by_index(tmp_path: Path) -> None:
    sides = place(tmp_path).sides()
    assert sides[socket.if_nametoindex("lo")] is True
    with pytest.raises(OSError, match=r"ENXIO|No such"):
        sides[99999]


def test_an_interface_on_neither_side_is_said(tmp_path: Path) -> None:
    nowhere = Place(queue=0, inside=(), outside=(), events=tmp_path / "e").sides()
    with pytest.raises(MachineError, match="came in on lo, which is named neither"):
        nowhere[socket.if_nametoindex("lo")]


def test_an_interface_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"no interface 'eth99' here; there are .*lo"):
        place(tmp_path, "eth99").sides()


def test_a_log_is_written_line_by_line(tmp_path: Path) -> None:
    with place(tmp_path).open_log() as log:
        log.write("{}\n")
        assert (tmp_path / "events").read_text() == "{}\n"
    with pytest.raises(MachineError, match="--events"):
        place(tmp_path, events="no/where").open_log()
