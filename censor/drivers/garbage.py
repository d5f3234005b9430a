"""Spare the garbage collector what is never garbage.

A policy of a million names is walked through again and again, for milliseconds each time, while a
packet waits; and flows that are forgotten hold nothing in circles (`Engine` sees to that), so that
looking for such among them is in vain.
"""

from __future__ import annotations

import gc
from typing import Final

#: How many more objects must have been made than given up before the collector looks; of Python's
#: own 700 it looks for every hundredth packet.
YOUNG: Final = 50_000


def spare() -> None:
    """Take all that is there for lasting, and look for garbage more rarely."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
