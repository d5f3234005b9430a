"""Stand between real interfaces: feed the kernel's queue to the engine, and do what it says.

Thin on purpose. Whatever happens to this process, packets it has not accepted do not pass: the
queue has no bypass.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import traceback
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any, Final

import netfilterqueue

from censor.drivers import kernel
from censor.drivers.capture import Door
from censor.drivers.clock import SECOND, Clock
from censor.drivers.dialogue import Dialogue
from censor.drivers.diversion import Diversion
from censor.drivers.gate import Gate
from censor.drivers.place import Place, sharpen_timers
from censor.drivers.sender import Sender
from censor.drivers.session import Session
from censor.drivers.settling import Settling
from censor.drivers.shelf import Shelf
from censor.drivers.verdict import Verdicts
from censor.errors import MachineError
from censor.events import Event
from censor.rule.rules import Policy

#: How long packets are worked off before requests are looked at again, in nanoseconds.
_TURN: Final = 20_000_000
#: Waiting ends this much before a forged packet is due; the rest is spent looking at the clock.
_SPIN: Final = 150_000
#: How often the kernel's counters of lost packets are looked at, in nanoseconds.
_LOOK: Final = SECOND
#: Asked for; the kernel gives at most net.core.rmem_max without privileges outside.
_BUFFER: Final = 1 << 24
_QUEUE_LENGTH: Final = 4096


class _Turn(Exception):
    """Raised out of the queue's endless reading, after a verdict: look at other things."""


class Queue:
    """A live censor. `serve` until it is told to stop."""

    def __init__(self, policy: Policy, place: Place) -> None:
        kernel.refuse_outside_a_sandbox()
        explicit, idle = policy.ip.explicit, policy.limits.idle
        self._place = place = place.suited(fragments=explicit, idle=idle)
        self._clock = clock = Clock()
        self._sides = place.sides()
        self._log = place.open_log()
        self._door = Door(place.door, clock.epoch) if place.door else None
        self._session = Session(
            policy, self._write, box=place.box, seed=place.seed, clock_rate=place.clock_rate
        )
        self._sender = Sender(clock.now, stamps=policy.timed)
        self._shelf = Shelf()
        rules = kernel.Filter(place.queue, place.offload, explicit, idle=idle)
        self._settling = Settling(rules, self._say, offload=place.offload)
        self._diversion = Diversion() if policy.intercepts else None
        self._nfqueue = netfilterqueue.NetfilterQueue()
        self._verdicts = Verdicts(self._nfqueue.get_fd(), place.queue)
        self._gate = Gate(
            self._session,
            clock,
            self._sides,
            self._say,
            sender=self._sender,
            shelf=self._shelf,
            settling=self._settling,
            verdicts=self._verdicts,
            door=self._door,
            diversion=self._diversion,
        )
        self._withdrawn = 0
        self._lost = kernel.Counters(0, 0, 0)
        self._turn = self._look = 0
        self._failure: BaseException | None = None
        self._stopping = False
        self._dialogue = Dialogue(sys.stdin.fileno(), sys.stdout)

    # --- life ----------------------------------------------------------------------------

    def serve(self) -> int:
        """Bind, say that it is ready, and serve until stopped; return the exit status."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        sharpen_timers()
        self._bind()
        self._settling.begin(None)
        self._say(
            "started",
            epoch_ns=self._clock.epoch,
            **{key: getattr(self._place, key) for key in ("seed", "clock_rate", "offload")},
        )
        self._session.switch(False, t=self._clock.t(self._clock.now()))
        ready = {"ready": True, "buffer": self._buffer(), "queue_length": _QUEUE_LENGTH}
        self._dialogue.answer(ready)
        try:
            while not (self._stopping or self._dialogue.over):
                self._serve_once()
        except MachineError as fault:
            self._failure = fault
        self._finish()
        return 1 if self._failure else 0

    def _bind(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # the buffer got is in `ready`
            try:
                self._nfqueue.bind(
                    self._place.queue, self._on_packet, max_len=_QUEUE_LENGTH, sock_len=_BUFFER
                )
            except OSError as fault:
                raise MachineError(
                    f"queue {self._place.queue} cannot be bound: {fault}; is another censor on it,"
                    " or NFQUEUE missing from the kernel?"
                ) from fault
        kernel.counters(self._place.queue)

    def _serve_once(self) -> None:
        """Wait for whatever comes first, and see to it."""
        queue, requests = self._nfqueue.get_fd(), self._dialogue.descriptor
        others = [self._diversion.descriptor] if self._diversion is not None else []
        ready, _, _ = select.select([queue, requests, *others], [], [], self._patience())
        self._turn = self._clock.now() + _TURN
        if queue in ready:
            with suppress(_Turn):
                self._nfqueue.run(False)
            self._verdicts.give()
        self._wait_for_injection()
        self._shelf.release(self._clock.now())
        now = self._clock.now()
        due = self._session.due()
        if due is not None and due <= self._clock.t(now):
            self._session.tick(self._clock.t(now))
        if now >= self._look:
            self._look = now + _LOOK
            self._count_losses()
        self._hear_interceptor()
        if requests in ready:
            for word in self._dialogue.read():
                self._obey(word)

    def _patience(self) -> float:
        """Return for how long nothing need be done, in seconds."""
        now = self._clock.now()
        wait = self._look - now
        if self._sender.due is not None:
            wait = min(wait, self._sender.due - _SPIN - now)
        if self._shelf.due is not None:
            wait = min(wait, self._shelf.due - now)
        due = self._session.due()
        if due is not None:
            wait = min(wait, self._clock.at(due) + 1000 - now)
        return max(wait, 0) / SECOND

    def _wait_for_injection(self) -> None:
        """Send what is due; spend a last moment on the clock rather than be late."""
        self._sender.flush()
        while (due := self._sender.due) is not None and due - self._clock.now() <= _SPIN:
            self._sender.flush()

    # --- packets -------------------------------------------------------------------------

    def _on_packet(self, packet: Any) -> None:
        """Give a verdict, whatever happens; a censor that fails lets nothing pass."""
        try:
            now = self._gate.meet(packet)
        except Exception as fault:
            with suppress(RuntimeError):  # it has a verdict already
                packet.drop()
            self._failure = fault
            self._stopping = True
            raise _Turn from fault
        if now >= self._turn:
            raise _Turn

    def _hear_interceptor(self) -> None:
        """Log what clients of connections taken over were shown."""
        if self._diversion is not None:
            for answer in self._diversion.answers():
                self._say("forged", **answer)

    # --- requests ------------------------------------------------------------------------

    def _obey(self, word: str) -> None:
        if word in ("active", "idle"):
            self._switch(word == "active")
            self._flush()
            self._dialogue.answer(
                {
                    "state": word,
                    "generation": self._session.generation,
                    "n": self._session.n,
                    "t": self._clock.t(self._clock.now()),
                }
            )
        elif word == "stats":
            self._count_losses()
            self._flush()
            self._dialogue.answer(self._stats())
        else:
            self._stopping = True

    def _switch(self, active: bool) -> None:
        """Begin a generation: first no old mark passes any more, then the policy changes."""
        self._shelf.release(None)
        self._withdraw()
        generation = self._session.generation + 1
        self._settling.begin(generation if active else None)
        self._session.switch(active, t=self._clock.t(self._clock.now()))

    def _withdraw(self) -> None:
        """Keep back the forged packets whose time has not come: their policy is over."""
        for data, interface in self._sender.withdraw():
            self._withdrawn += 1
            self._say("withdrawn", inside=self._sides[interface], packets=[data.hex()])

    def _stats(self) -> dict[str, Any]:
        lost = self._lost
        return {
            "t": self._clock.t(self._clock.now()),
            "n": self._session.n,
            "active": self._session.active,
            "generation": self._session.generation,
            "seen": self._session.n,
            "accepted": self._session.n - self._gate.dropped,
            "dropped": self._gate.dropped,
            "injected": self._gate.injected,
            "settled": self._settling.count,
            "sent": self._sender.sent,
            "unsent": len(self._sender.failed),
            "withdrawn": self._withdrawn,
            "late": self._sender.delays(),
            "queue_dropped": lost.queue_dropped,
            "user_dropped": lost.user_dropped,
            "buffer": self._buffer(),
        }

    # --- the end -------------------------------------------------------------------------

    def _finish(self) -> None:
        """Say how it ended. The rules stay: what nobody inspects does not pass."""
        now = self._clock.now()
        if self._failure is None:
            self._shelf.release(None)
            self._session.tick(self._clock.t(now))
            self._withdraw()
            self._count_losses()
            self._hear_interceptor()
        else:
            fault = self._failure
            self._say(
                "failed",
                error=f"{type(fault).__name__}: {fault}",
                traceback=traceback.format_exception(fault),
            )
        for reason in self._sender.failed[:10]:
            self._say("failed", error=f"not sent: {reason}")
        stats = self._stats()
        self._say("stopped", **{key: value for key, value in stats.items() if key != "t"})
        self._flush()
        self._dialogue.answer({"stopped": True, **stats})
        self._nfqueue.unbind()
        self._sender.close()
        for one in (self._diversion, self._settling, self._door, self._log):
            if one is not None:
                one.close()
        if self._failure is not None:
            print(f"censor: {self._failure!r}", file=sys.stderr)

    def _count_losses(self) -> None:
        """Look at the kernel's counters; packets it lost for us are an event."""
        found = kernel.counters(self._place.queue)
        before = (self._lost.queue_dropped, self._lost.user_dropped)
        self._lost = found
        if (found.queue_dropped, found.user_dropped) != before:
            self._say("overflowed", **asdict(found))

    # --- little things -------------------------------------------------------------------

    def _say(self, word: Any, n: int | None = None, /, **detail: Any) -> None:
        self._session.say(Event(self._clock.t(self._clock.now()), word, n, detail=detail))

    def _write(self, line: Mapping[str, Any]) -> None:
        self._log.write(json.dumps(line, separators=(",", ":")) + "\n")

    def _flush(self) -> None:
        self._log.flush()
        if self._door is not None:
            self._door.flush()

    def _buffer(self) -> int:
        """Return the queue socket's receive buffer, in bytes."""
        with socket.socket(fileno=os.dup(self._nfqueue.get_fd())) as one:
            return one.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)

    def _on_signal(self, *_: object) -> None:
        self._stopping = True


def run(policy: Policy, place: Place) -> int:
    """Stand up a live censor and serve until it is told to stop.

    Raises: MachineError if it cannot stand up here.
    """
    try:
        return Queue(policy, place).serve()
    except OSError as fault:
        raise MachineError(f"the queue cannot be opened: {fault}") from fault
