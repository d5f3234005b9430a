"""See each packet of the queue through: to the engine, and on as it decided."""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic_ns
from typing import Any

from censor.drivers.capture import Door, length
from censor.drivers.clock import SECOND, Clock
from censor.drivers.diversion import Diversion
from censor.drivers.sender import Sender
from censor.drivers.session import Session
from censor.drivers.settling import Say, Settling
from censor.drivers.shelf import Shelf
from censor.drivers.verdict import Verdicts
from censor.engine.decision import PASS, SETTLED, Decision, Verdict


class Gate:
    """What every packet passes. injected, dropped: how many were.

    What came first leaves first: before anything else is sent or refused, `Verdicts` are given.
    While the shelf keeps packets each is accepted by itself, for they must not go with it.
    """

    __slots__ = (
        "_clock",
        "_diversion",
        "_door",
        "_known",
        "_say",
        "_sender",
        "_session",
        "_settling",
        "_shelf",
        "_sides",
        "_verdicts",
        "dropped",
        "injected",
    )

    def __init__(
        self,
        session: Session,
        clock: Clock,
        sides: Mapping[int, bool],
        say: Say,
        *,
        sender: Sender,
        shelf: Shelf,
        settling: Settling,
        verdicts: Verdicts,
        door: Door | None,
        diversion: Diversion | None,
    ) -> None:
        self._session = session
        self._clock = clock
        self._sides = sides
        self._say = say
        self._known: dict[int, bool] = {}
        self._sender = sender
        self._shelf = shelf
        self._settling = settling
        self._verdicts = verdicts
        self._door = door
        self._diversion = diversion
        self.injected = self.dropped = 0

    def meet(self, packet: Any) -> int:
        """Ask the engine about a packet and do what it says; return when it was read."""
        clock = self._clock
        now = monotonic_ns() + clock.skew
        if self._sender.waiting:
            self.send(now)  # what is due leaves before what comes later may pass
        data = packet.get_payload()
        inside = self._known.get(packet.indev)
        if inside is None:
            inside = self._learn(packet)
        if self._door is not None:
            self._door.write(now, data, inside=inside, length=length(data))
        held = self._shelf.held
        if held:
            self._shelf.release(now)
        elif self._verdicts.due <= now:
            self._verdicts.give()  # the engine may take its time
        decision = self._session.receive(data, (now - clock.epoch) / SECOND, inside)
        if (decision is SETTLED and not self._settling.mark) or (
            decision is PASS and not packet.mark
        ):
            if not held:
                self._verdicts.accept(packet, now)
                return now
            packet.accept()
        else:
            self._carry_out(decision, packet, data, now, inside)
        return now

    def send(self, now: int) -> None:
        """Send what is due, behind what was let go before."""
        due = self._sender.due
        if due is not None and due <= now:
            self._verdicts.give()
            self._sender.flush()

    def _learn(self, packet: Any) -> bool:
        """Return the side of an interface seen for the first time, and who is behind it."""
        inside = self._known[packet.indev] = self._sides[packet.indev]
        self._sender.learn(packet.indev, packet.get_hw())
        return inside

    def _carry_out(
        self, decision: Decision, packet: Any, data: bytes, now: int, inside: bool
    ) -> None:
        """Send and schedule injections; then give the verdict, with a mark if the kernel may
        forward the flow by itself."""
        self._verdicts.give()
        self._inject(decision, packet, now, inside)
        self._settling.wake(decision, data, self._session.n)
        if decision.takeover is not None and self._diversion is not None:
            self._say("relayed", **self._diversion.take(decision.takeover))
        if decision.verdict is Verdict.DROP:
            self.dropped += 1
            packet.drop()
            return
        if decision.data is not None:
            packet.set_payload(decision.data)
        self._settling.sign(packet, data, decision.settled, self._session.n)
        if decision.until is None:
            packet.accept()
        else:
            packet.retain()
            self._shelf.put(packet, self._clock.at(decision.until))

    def _inject(self, decision: Decision, packet: Any, now: int, inside: bool) -> None:
        """Send forged packets, or have them sent later.

        A latency counts from when the packet came, not from when we were let on a processor. The
        engine's time is still that of the door: decisions do not depend on the kernel's stamps.
        """
        came = None
        for injection in decision.injections:
            self.injected += 1
            interface = packet.indev if injection.inward == inside else packet.outdev
            at = None
            if injection.after > 0:
                if came is None:  # once: packets with one latency leave in their order
                    came = self._clock.arrival(packet.get_timestamp(), now)
                at = came + int(injection.after * SECOND)
            self._sender.send(injection.data, interface, at)
