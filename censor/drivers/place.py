"""Say where a live censor stands, and prepare that place."""

from __future__ import annotations

import ctypes
import os
import platform
import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from struct import pack
from typing import Final, TextIO

from censor.errors import MachineError

_PR_SET_TIMERSLACK: Final = 29
_SCHED_SETATTR: Final = {"x86_64": 314, "aarch64": 274}
#: The shortest slice of a processor the kernel gives, in nanoseconds (kernel/sched/syscalls.c).
_SLICE: Final = 100_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where and as whom a live censor stands.

    inside, outside: interfaces that look at the censored side, and at the other. door: where to
    record what reaches the engine. clock_rate: scenario seconds a real second. offload: let the
    kernel forward settled flows by itself.
    """

    queue: int
    inside: tuple[str, ...]
    outside: tuple[str, ...]
    events: Path
    door: Path | None = None
    box: str = "box"
    seed: int = 0
    clock_rate: float = 1.0
    offload: bool = True

    def suited(self, *, fragments: bool, idle: float) -> Place:
        """Return the place as a policy wants it: fragments come as they are only without offload,
        for settled flows need connection tracking, and that joins them; and the kernel cannot
        forget connections that were silent for less than a second, as the box forgets flows."""
        return replace(self, offload=self.offload and not fragments and idle >= 1)

    def sides(self) -> Mapping[int, bool]:
        """Return for each interface's index whether it looks inside.

        Raises: MachineError for an interface that is not there.
        """
        return _Sides(
            (_index(name), inside)
            for names, inside in ((self.inside, True), (self.outside, False))
            for name in names
        )

    def open_log(self) -> TextIO:
        """Open the log of events, one line written at a time."""
        try:
            return self.events.open("w", encoding="utf-8", buffering=1)
        except OSError as fault:
            raise MachineError(
                f"{self.events}: {fault.strerror}; --events names a new file"
            ) from fault


class _Sides(dict[int, bool]):
    """Sides by interface index; one that is on neither side is a mistake in how we were started."""

    def __missing__(self, index: int) -> bool:
        raise MachineError(
            f"a packet came in on {socket.if_indextoname(index)}, which is named neither by"
            " --inside nor by --outside"
        )


def _index(name: str) -> int:
    try:
        return socket.if_nametoindex(name)
    except OSError:
        there = ", ".join(name for _, name in socket.if_nameindex())
        raise MachineError(f"no interface {name!r} here; there are {there}") from None


def sharpen_timers() -> None:
    """Ask for wake-ups as exact as the kernel can make them, also among busy neighbours.

    Who asks for short slices of a processor is let on it sooner (EEVDF, since Linux 6.12); it costs
    nobody any of their share, so anybody may. Older kernels, and other architectures, ignore it.
    Source: prctl(2), sched_setattr(2), Documentation/scheduler/sched-eevdf.rst.
    """
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
    number = _SCHED_SETATTR.get(platform.machine())
    if number is not None:
        # size, policy (SCHED_OTHER), flags, nice, priority, runtime, deadline, period
        wanted = pack("=IIQiIQQQ", 48, 0, 0, os.nice(0), 0, _SLICE, 0, 0)
        libc.syscall(number, 0, wanted, 0)
