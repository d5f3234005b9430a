"""What is there when a policy was loaded is not looked at again, and what is made later is."""

from __future__ import annotations

import subprocess
import sys

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
