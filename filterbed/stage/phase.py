"""Go through a scenario's timeline: boxes start and stop enforcing when it says so.

A step never falls into the middle of a measurement, for then nothing could be said about it: while
a tool is still measuring, the next phase waits. When it really began is written down.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

from filterbed.order import Spell
from filterbed.stage.box import BoxError
from filterbed.stage.ground import Ground
from filterbed.stage.trouble import Trouble, watch

#: How often it is looked whether everything lives, while the next phase is awaited; seconds.
_PERIOD = 0.5
#: A phase that begins so much later than the timeline says is told, in seconds.
_LATE = 1.0


def through(ground: Ground, probe: str, say: Callable[[str], None]) -> Iterator[Spell]:
    """Bring the boxes into each phase in turn, fresh in the first, and yield it once it is so.

    A box that goes on enforcing keeps what it remembers. Raises: Trouble, BoxError.
    """
    order = ground.order
    started = time.monotonic()
    enforcing: frozenset[str] = frozenset()
    for number, phase in enumerate(order.phases):
        _await(ground, started + phase.begins, number, say)
        wanted = frozenset() if order.idle else phase.enforcing
        for box in ground.boxes:
            if box.name in wanted and (box.name not in enforcing or not number):
                box.request("active")
            elif box.name not in wanted and (box.name in enforcing or _left_on(ground, number)):
                box.request("idle")
        enforcing = wanted
        late = time.monotonic() - started - phase.begins
        if number and late > _LATE:
            say(f"phase {number + 1} begins {late:.0f} s late: {probe} was still measuring")
        first = {box.name: int(box.request("stats")["n"]) for box in ground.boxes}
        yield Spell(probe, number, time.monotonic() - started, enforcing, first)


def begin(ground: Ground, say: Callable[[str], None]) -> list[Exception]:
    """Bring the boxes into the first phase; those that follow come beside what is done then.

    What goes wrong with them then stands in the list that is returned.
    """
    walk = through(ground, "", say)
    next(walk)
    wrong: list[Exception] = []
    if len(ground.order.phases) > 1:
        threading.Thread(target=_follow, args=(walk, wrong), daemon=True).start()
    return wrong


def _follow(walk: Iterator[Spell], wrong: list[Exception]) -> None:
    try:
        for _ in walk:
            pass
    except (Trouble, BoxError) as error:
        wrong.append(error)


def _left_on(ground: Ground, number: int) -> bool:
    """Say whether the probe before may have left a box enforcing that is not to at first."""
    return not number and not ground.order.idle and len(ground.order.phases) > 1


def _await(ground: Ground, moment: float, number: int, say: Callable[[str], None]) -> None:
    left = moment - time.monotonic()
    if left > 1:
        say(f"phase {number + 1} begins in {left:.0f} s")
    never = threading.Event()
    while (left := moment - time.monotonic()) > 0:
        never.wait(min(left, _PERIOD))
        watch(ground)
