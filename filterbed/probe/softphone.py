"""Register and place one call by the real client baresip, and count it at both ends.

All of it is baresip's own: signalling, retransmissions, media and its reports. It owns its sockets
and speaks to the network unchanged; a tap in the same host sees each packet with its sender, its
time and its TTL (`filterbed.probe.tap`), and RTP is counted there by sequence numbers, both ways.
What baresip itself says of the call is kept beside it, and believed in nothing.

Limits:  as `filterbed.probe.tap` and `filterbed.probe.baresip`; no helper of media (STUN, TURN), no
         calls from outside; media at the address and port that baresip offers.
"""

from __future__ import annotations

import select
import time
from dataclasses import dataclass, field
from typing import Any, Final

from filterbed.probe import account as statistics
from filterbed.probe import baresip, path, rtp, sdp, ways
from filterbed.probe.address import shown
from filterbed.probe.baresip import Baresip
from filterbed.probe.call import TRIES, check
from filterbed.probe.dialog import Dialog
from filterbed.probe.ear import LIMIT, Ear
from filterbed.probe.errors import MachineError, TargetError
from filterbed.probe.line import GRACE, TAIL, WINDOW, toward
from filterbed.probe.media import PACKET
from filterbed.probe.registration import Registration
from filterbed.probe.sip import T1, Account, parse
from filterbed.probe.stream import Flow, Row, elapsed
from filterbed.probe.tap import Overheard, Tap

NAME: Final = "baresip"
#: Seconds, beyond twice the time-out of a step, that a caller lets it ring.
RINGING: Final = 2.0


@dataclass(slots=True, kw_only=True)
class Eavesdropper(Ear):
    """What a tap knows of one end's audio; `said` is what left, as `heard` is what came."""

    said: list[rtp.Arrival] = field(default_factory=list)
    _numbers: set[int] = field(default_factory=set)

    def left(self, data: bytes, at: float) -> None:
        """Note a datagram of ours; the first stream is the one."""
        packet = rtp.read(data)
        if packet is None or len(self.said) >= LIMIT:
            return
        if not self.said:
            self.source, self.first = packet.source, packet.number
        if packet.source == self.source:
            self.said.append(rtp.Arrival(packet.number, packet.timestamp, at))
            self._numbers.add(packet.number)
            self.sent = len(self._numbers)
            self.block = None  # what was said does not know of this one

    def passage(self, transit: float | None) -> float | None:
        """Return the delay of what we sent, from the transit the other end saw; None if unknown."""
        ours = rtp.reception(self.said).transit
        if transit is None or ours is None:
            return None
        half = statistics.PERIOD / 2
        return max(0.0, (transit - ours + half) % statistics.PERIOD - half)


@dataclass(slots=True)
class Conversation:
    """One call in the making. Times are of the monotonic clock."""

    account: Account
    callee: str
    own: str
    seconds: float
    timeout: float
    tap: Tap
    phone: Baresip
    audio: Eavesdropper
    registration: Registration = field(default_factory=Registration)
    dialog: Dialog = field(default_factory=Dialog)
    offered: tuple[str, int] | None = None  # where we are to be sent audio
    peer: tuple[str, int] | None = None  # where we send it
    agent: str | None = None
    told: statistics.Account | None = None  # what baresip says of its own media

    def register(self) -> None:
        """Wait until the registration is over, one way or the other."""
        deadline = time.monotonic() + self.timeout + T1
        while not (self.registration.over or self.registration.refused):
            if self._step(deadline):
                return

    def call(self) -> None:
        """Call, talk, hang up, and listen a little longer for what belongs to it."""
        domain = shown(self.account.domain)
        self.phone.dial(f"sip:{self.callee}@{domain}")
        dialog, deadline = self.dialog, time.monotonic() + 2 * self.timeout + RINGING
        enough: float | None = None
        while not (dialog.ended or dialog.cut or dialog.refused):
            if enough is None and dialog.answered:
                enough = time.monotonic() + self.seconds + TAIL
                deadline = enough + 2 * self.timeout + GRACE
                self._answered()
            if enough is not None and time.monotonic() >= enough and not dialog.hung_up:
                self.phone.hang_up()
                enough = deadline
            if self._step(min(deadline, enough or deadline)) and (
                enough is None or time.monotonic() >= deadline or self._gone()
            ):
                break
        self._linger()

    def _answered(self) -> None:
        answer = self.dialog.answered
        offer = sdp.read(answer.body) if answer else None
        self.peer = (offer.address, offer.port) if offer else None

    def _linger(self) -> None:
        dialog = self.dialog
        if dialog.refused:
            return
        until = time.monotonic() + (WINDOW if dialog.outcome() == "rejected" else GRACE)
        while self._awaited() and not self._step(until):
            pass

    def _awaited(self) -> bool:
        """Whether anything may still come that would change the picture."""
        dialog = self.dialog
        if dialog.answered is None:
            return dialog.outcome() == "rejected"
        sent = dialog.told.sent if dialog.told else None
        return dialog.cut or (sent is not None and self.audio.count() < sent)

    def _gone(self) -> bool:
        return bool(select.select([self.phone.ended], [], [], 0)[0])

    def _step(self, until: float) -> bool:
        """Wait for the next packet, and note it; whether the time is over, or baresip ended."""
        left = until - time.monotonic()
        if left <= 0:
            return True
        watched: list[Any] = [self.tap, self.phone.control, self.phone.ended]
        ready, _, _ = select.select(watched, [], [], left)
        if self.phone.control in ready:
            self.phone.listen()
        for one in self.tap.read():
            self._note(one)
        return self.phone.ended in ready and self.tap not in ready

    def _note(self, one: Overheard) -> None:
        got = one.got
        if one.port == self.phone.port and got.address == self.account.address:
            self._signalled(one)
        elif self.offered and one.port == self.offered[1] and one.refused is None:
            if one.outward:
                self.audio.left(got.data, got.at)
            else:
                self.audio.take(got)

    def _signalled(self, one: Overheard) -> None:
        if one.refused:
            self.registration.failed(one.refused)
            if self.dialog.tries and self.dialog.code is None:
                self.dialog.refused = one.refused
        elif one.outward:
            self._ours(one.got.data)
            self.registration.sent(one.got.data, one.got.at)
            self.dialog.sent(one.got.data, one.got.at)
        else:
            self.registration.received(one.got)
            self.dialog.received(one.got)

    def _ours(self, data: bytes) -> None:
        message = parse(data)
        if message is None or message.code is not None:
            return
        self.agent = message.headers.get("user-agent", self.agent)
        if message.method == "INVITE" and (offer := sdp.read(message.body)):
            self.offered = (offer.address, offer.port)
        if message.method == "BYE" and (said := message.headers.get(statistics.HEADER.lower())):
            self.told = statistics.understand(said)

    def row(self) -> Row:
        """Return the `sip.call` part of a measurement, but for its `seconds`."""
        due = int(self.seconds / PACKET) if self.dialog.answered else 0
        row = ways.row(self.dialog, self.audio, silenced=max(0, due - self.audio.sent))
        offered = f"{shown(self.offered[0])}:{self.offered[1]}" if self.offered else None
        row["path"] = {"how": "direct", "offered": offered, "stun": None, "turn": None}
        own = self.told.json() if self.told else None
        return row | {"client": NAME, "agent": self.agent, "own": own}

    def flows(self) -> list[Flow]:
        """Return the sockets that spoke to the network."""
        account = self.account
        found: list[Flow] = []
        if self.registration.began is not None:
            found.append(["udp", self.own, self.phone.port, account.address, account.port])
        if self.offered and self.peer:
            found.append(["udp", *self.offered, *self.peer])
        return found


def place(
    account: Account,
    callee: str,
    *,
    seconds: float,
    timeout: float,
    flows: list[Flow],
    codec: str = "PCMU",
    helpers: path.Help | None = None,
    aside: list[Flow] | None = None,
) -> tuple[Row, Row | None]:
    """Register, call `callee` and talk for `seconds`; return both parts of a measurement.

    The parts are `sip.register`, and `sip.call`, which is None where registering failed.
    """
    check(account, callee, codec)
    if helpers is not None and helpers != path.Help():
        raise TargetError(
            "client 'baresip': expected neither stun nor turn; sipp's calls have them"
        )
    own, said = toward(account), ""
    for _ in range(TRIES):
        audio = Eavesdropper(codec=codec)
        try:
            ports = baresip.free_pair(own)
            with (
                Tap(own, ports) as tap,
                baresip.started(account, own, ports, codec, seconds) as phone,
            ):
                one = Conversation(account, callee, own, seconds, timeout, tap, phone, audio)
                found = _held(one)
                said = phone.last_words()
                if missed := tap.missed():
                    raise MachineError(
                        f"{missed} packets were not overheard: counts would be wrong"
                    )
        except baresip.StartError as error:
            said = str(error)
            continue
        if found is not None:
            flows += one.flows()
            return found
    raise MachineError(f"baresip did not speak, {TRIES} times: {said}")


def _held(one: Conversation) -> tuple[Row, Row | None] | None:
    """Hold the call; None where baresip did not even try."""
    began = time.monotonic()
    one.register()
    if one.registration.began is None:
        return None
    registered = one.registration.row(one.account, elapsed(began))
    if not one.registration.ok:
        return registered, None
    began = time.monotonic()
    one.call()
    row = one.row() | {"seconds": elapsed(began)}
    return (registered, row) if one.dialog.tries else None
