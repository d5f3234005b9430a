"""What is there when a policy was loaded is not looked at again, and what is made later is."""

from __future__ import annotations

import gc
import subprocess
import sys
from typing import Any

import pytest

from censor.engine.state import FlowState

PROGRAM = """
import gc
from censor.drivers import garbage

kept = [[] for _ in range(1000)]
garbage.spare()
assert gc.get_freeze_count() >= 1000
assert not any(one is kept for one in gc.get_objects())
assert gc.get_threshold()[0] == garbage.YOUNG
circle = []
circle.append(circle)
del circle
assert gc.isenabled()
assert gc.collect() == 1
"""


def test_what_lasts_is_spared_and_circles_are_still_found() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)


@pytest.mark.parametrize("tcp", [{}, {"profile": "gfw-2017"}])
def test_forgotten_flows_are_gone_without_the_collector(
    Talk: Any, policy: Any, HOST: Any, get: Any, tcp: Any
) -> None:
    talk = Talk(policy(HOST, tcp=tcp, limits={"flows": 2}))
    gc.collect()
    gc.disable()
    try:
        before = _states()
        for sport in range(50_000, 50_009):
            tcp = talk.connection(sport=sport)
            tcp.say(get("free.example")[:9])
        talk.log.clear()
        assert _states() - before == 2
    finally:
        gc.enable()


def _states() -> int:
    return sum(isinstance(one, FlowState) for one in gc.get_objects())
