"""Accept packets of a queue, many with one message where they came one after the other.

The kernel does the rest of a packet's way, up to the socket that waits for it, while it takes the
verdict: a verdict for each wakes the receiver for each. Its batch verdict is for all that waits in
the queue up to a number, so none may be given while an earlier packet waits for another.
Source: include/uapi/linux/netfilter/nfnetlink_queue.h; nfqnl_recv_verdict_batch in
    net/netfilter/nfnetlink_queue.c.
"""

from __future__ import annotations

import os
from struct import Struct
from typing import Final, Protocol

from censor.errors import MachineError

#: How long the first of a batch waits for those behind it, in nanoseconds, and how many they are.
PATIENCE: Final = 50_000
MOST: Final = 32
_NEVER: Final = 1 << 63

_SUBSYSTEM_QUEUE: Final = 3 << 8
_BATCH: Final = 3
_REQUEST: Final = 1
_HEADER: Final = 2
_ACCEPT: Final = 1
#: nlmsghdr, nfgenmsg (by the number of the queue), and one attribute: nfqnl_msg_verdict_hdr.
_MESSAGE: Final = Struct("=IHHII BB 2s HH")
_VERDICT: Final = Struct("!II")


class Numbered(Protocol):
    """A packet with the number that the queue gave it."""

    id: int

    def accept(self) -> None: ...


class Verdicts:
    """Acceptances not yet given; `descriptor` is the socket that the queue is bound to.

    They are given when they are `MOST`, and by `give`: once they are due, before any other verdict
    or a forged packet, which would else overtake them, and when no more packets are there.
    due: when the first of them has waited for its `PATIENCE`, in nanoseconds; else never.
    """

    __slots__ = ("_descriptor", "_head", "_last", "_waiting", "due")

    def __init__(self, descriptor: int, queue: int) -> None:
        self._descriptor = descriptor
        self._head = _MESSAGE.pack(
            _MESSAGE.size + _VERDICT.size, _SUBSYSTEM_QUEUE | _BATCH, _REQUEST, 0, 0,
            0, 0, queue.to_bytes(2, "big"), 4 + _VERDICT.size, _HEADER,
        )  # fmt: skip
        self._last = self._waiting = 0
        self.due = _NEVER

    def accept(self, packet: Numbered, now: int) -> None:
        """Let a packet that was read at `now` go on, soon."""
        self._last = packet.id
        if not self._waiting:
            self._waiting = 1
            self.due = now + PATIENCE
        else:
            self._waiting += 1
            if self._waiting >= MOST:
                self.give()

    def give(self) -> None:
        """Let go on what was accepted.

        Raises: MachineError if the kernel cannot be told. Limits: if it is told and refuses, it
        says so in a netlink error, which is not read; the packets then wait on.
        """
        if self._waiting:
            self._waiting = 0
            self.due = _NEVER
            try:
                os.write(self._descriptor, self._head + _VERDICT.pack(_ACCEPT, self._last))
            except OSError as fault:
                raise MachineError(f"the queue takes no verdict: {fault.strerror}") from fault
