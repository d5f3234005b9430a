"""Have the kernel forward by itself the flows that nothing can match any more, until something can.

A mark says which; it carries the generation, so that a change of policy ends all of them at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from censor.drivers import kernel
from censor.drivers.conntrack import Conntrack
from censor.engine.decision import Decision

Say = Callable[..., None]


class Settling:
    """The kernel's rules and marks; without `offload`, rules that have it ask about every packet.

    mark: what settled flows bear in this generation; 0 while none may be settled. count: how many
    packets were marked. `say` logs an event; `n` is everywhere the number of the packet it is of.
    """

    __slots__ = ("_conntrack", "_filter", "_offload", "_say", "count", "mark")

    def __init__(self, rules: kernel.Filter, say: Say, *, offload: bool) -> None:
        self._filter = rules
        self._say = say
        self._offload = offload
        self._conntrack = Conntrack() if offload else None
        self.count = self.mark = 0

    def begin(self, generation: int | None) -> None:
        """Settle in this generation, None: not at all; no mark of an older one counts any more."""
        if not self._offload:
            generation = None
        self._filter.install(generation)
        self.mark = 0 if generation is None else kernel.mark(generation)

    def wake(self, decision: Decision, data: bytes, n: int) -> None:
        """Have the kernel ask again about what a packet has made matter: settled flows between its
        two addresses, and those that had to make room for its own."""
        if self._conntrack is None or not self.mark:
            return
        if decision.unsettle:
            size, start = (4, 12) if data[0] >> 4 == 4 else (16, 8)
            src, dst = data[start : start + size], data[start + size : start + 2 * size]
            if self._conntrack.unmark(src, dst, self.mark):
                self._say("unsettled", n, what="pair")
        for flow in decision.forgotten:
            if kernel.may_be_marked(flow):
                self._conntrack.release(flow)
                self._say("unsettled", n, what="evicted", flow=flow)

    def sign(self, packet: Any, data: bytes, settled: bool, n: int) -> None:
        """Mark a packet that is let go: its flow is settled, or no more.

        An ICMP error's mark would be that of the connection it is about.
        """
        if not self.mark:
            return
        if settled and kernel.bears_mark(data):
            self.count += 1
            packet.set_mark(self.mark)
            self._say("settled", n)
        elif packet.mark:
            if packet.mark == self.mark:
                self._say("unsettled", n, what="flow")
            packet.set_mark(kernel.MARK)  # a new connection inherits nothing from its ports

    def close(self) -> None:
        """Ask nothing of the kernel any more; the rules stay."""
        if self._conntrack is not None:
            self._conntrack.close()
