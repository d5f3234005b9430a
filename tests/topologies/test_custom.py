"""Every topology as Mininet's own command finds it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mininet.util import buildTopo

from topologies import custom
from topologies.catalogue import TOPOLOGIES
from topologies.errors import PlanError


def topos() -> dict[str, Any]:
    """Read the file the way `mn --custom` does: by executing its text."""
    found: dict[str, Any] = {}
    exec(compile(Path(custom.__file__).read_text(), custom.__file__, "exec"), found, found)
    return dict(found["topos"])


@pytest.mark.parametrize("use", TOPOLOGIES)
def test_mn_builds_it(use: str) -> None:
    topo = buildTopo(topos(), f"{use},clients=3")
    assert {"c1", "c2", "c3", "control", "auth", "resolver"} <= set(topo.hosts())
    assert topo.switches() == []
    for near, far, info in topo.links(withInfo=True):
        assert {info["intfName1"].rpartition("-")[0], info["intfName2"].rpartition("-")[0]} == {
            near,
            far,
        }


def test_options_reach_the_plan() -> None:
    assert "r7" in buildTopo(topos(), "hops,hops=7,censor=2").hosts()
    assert "bb-cm" in buildTopo(topos(), "national,clients=3,borders=each").hosts()
    assert "wh-r-ct" not in buildTopo(topos(), "series,province=wuhan,carrier=telecom").hosts()
    with pytest.raises(PlanError, match="a whole number from 1 to 4"):
        buildTopo(topos(), "hops,hops=5,censor=9")
