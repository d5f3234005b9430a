"""Be the media of callees: speak and listen in the calls of their sipp, and tell what came.

sipp does the signalling on loopback; this program stands between it and the network. It passes
every message on, and changes three things in what sipp says: the port of the audio (each call
has a socket of its own), and in a BYE and in the 200 that answers one the header X-RTP-Stat, which
holds what this end sent and received (`filterbed.probe.account`). That 200 is held back for at most
GRACE seconds while packets that the caller says it sent are still on their way.

Our own stream begins with the caller's first packet, or HESITATE seconds after ACK where none
comes: so the caller is who began the flow, in the eyes of every box between.

Wire:    RFC 3261 over UDP; RFC 3550; audio ports 30000 to 39999.
Limits:  one audio stream a call, G.711; LIMIT calls at once, of which the oldest gives way.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import select
import socket
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from filterbed.probe import account, datagram, sdp
from filterbed.probe.address import family
from filterbed.probe.media import PACKET, TICKS, Audio
from filterbed.probe.sip import Message, parse

LOOPBACK: Final = "127.0.0.1"
PORTS: Final = range(30_000, 40_000)
LIMIT: Final = 256
#: Seconds: to wait for the caller's first packet; for its last ones after its BYE; how long a call
#: that is over is remembered; how long one may be silent.
HESITATE: Final = 0.2
GRACE: Final = 0.35
MEMORY: Final = 8.0
PATIENCE: Final = 60.0
#: After so many ICMP errors in a row nobody listens any more.
REFUSALS: Final = 5


@dataclass(slots=True)
class Call:
    """One call of one callee. Times are of the monotonic clock."""

    audio: Audio
    touched: float
    answered: bool = False
    start: float | None = None  # when to speak at the latest
    spoken: float | None = None  # when the first packet left
    count: int = 0  # packets due so far
    ended_by: account.Side | None = None
    over: float | None = None
    held: list[tuple[bytes, float]] = field(default_factory=list)
    told: str | None = None

    def due(self) -> float | None:
        """When the next thing is to be done; None when nothing is."""
        if self.held:
            return self.held[0][1]
        if self.over is not None or self.audio.peer is None:
            return None
        if self.spoken is not None:
            return self.spoken + PACKET * self.count
        return self.start

    def speak(self, now: float) -> None:
        """Send what is due."""
        while (due := self.due()) is not None and due <= now and self.over is None:
            self.spoken = now if self.spoken is None else self.spoken
            self.count += 1
            self.audio.send()
            if self.audio.refused > REFUSALS:
                self.end("them", now)

    def end(self, side: account.Side, now: float) -> None:
        """Fall silent; the first to end a call is who ended it."""
        if self.over is None:
            self.over, self.ended_by = now, side
            self.audio.report(bye="hung up" if side == "us" else "the other side hung up")

    def settled(self) -> bool:
        """Whether all that the caller says it sent has come, or nothing will.

        Only its last report, which says BYE, counts all of it.
        """
        if not self.audio.heard:
            return True
        audio, announced = self.audio, self.audio.announced
        return audio.bye is not None and announced is not None and audio.count() >= announced

    def statistics(self) -> str:
        """Return our account of the call; once told, it stays as it is."""
        if self.told is None:
            heard = self.audio.reception()
            self.told = account.tell(
                self.audio.sent,
                heard,
                payload=TICKS,
                delay=self.audio.delay(heard),
                ended_by=self.ended_by,
            )
        return self.told


class Callee:
    """One callee: its sockets and its calls."""

    def __init__(self, address: str, port: int, inner: int, *, speaks: bool = True) -> None:
        """Listen at `address` and `port` for the sipp that answers at loopback's port `inner`.

        Args: `speaks` is whether it has anything to say: a mute one hears alone.
        Raises: OSError when the port is not to be had.
        """
        self.address, self.inner, self.speaks = address, inner, speaks
        self.outside = socket.socket(family(address), socket.SOCK_DGRAM)
        self.inside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.outside.bind((address, port))
        self.inside.bind((LOOPBACK, 0))
        for sock in (self.outside, self.inside):
            datagram.prepare(sock)
        self.calls: dict[str, Call] = {}
        self.peers: dict[str, tuple[str, int]] = {}

    def sockets(self) -> list[socket.socket]:
        """Return all that may become readable."""
        return [self.outside, self.inside, *(call.audio.sock for call in self.calls.values())]

    def due(self) -> float | None:
        """When the next thing is to be done; None when nothing is."""
        return min(
            (d for call in self.calls.values() if (d := call.due()) is not None), default=None
        )

    def step(self, now: float) -> None:
        """Do all that can be done now."""
        with contextlib.suppress(OSError):  # an ICMP error: that message is lost, as on any path
            while got := datagram.receive(self.outside):
                self._network(got, now)
        with contextlib.suppress(OSError):
            while got := datagram.receive(self.inside):
                self._sipp(got.data, now)
        for name, call in [*self.calls.items()]:
            if call.audio.receive():
                call.touched = now
                if call.spoken is None and call.start is not None:
                    call.start = min(call.start, now)
            call.speak(now)
            self._release(name, call, now)
            self._forget(name, call, now)

    def _network(self, got: datagram.Datagram, now: float) -> None:
        message = parse(got.data)
        if message is None:
            return
        name = _name(message)
        self._remember(name, (got.address, got.port))
        if message.code is None:
            self._request(name, message, now)
        elif message.code == 200 and message.method == "INVITE":
            self._taken(name, message)
        with contextlib.suppress(OSError):  # sipp is not up yet, or no more
            self.inside.sendto(got.data, (LOOPBACK, self.inner))

    def _request(self, name: str, message: Message, now: float) -> None:
        method = message.start.split(" ", 1)[0].upper()
        call = self.calls.get(name)
        if method == "INVITE" and call is None and (offer := sdp.read(message.body)):
            peer = (offer.address, offer.port)
            self._open(name, offer, now).audio.peer = peer
        elif call and method == "ACK":
            self._up(call, now)
        elif call and method in ("BYE", "CANCEL"):
            call.end("them", now)

    def _taken(self, name: str, message: Message) -> None:
        """Learn where the audio goes of a call that we place."""
        call, offer = self.calls.get(name), sdp.read(message.body)
        if call and offer and call.audio.peer is None:
            call.audio.peer, call.audio.mux = (offer.address, offer.port), offer.mux
            call.answered = True

    def _up(self, call: Call, now: float) -> None:
        """Begin to talk, or to wait for the other end to begin."""
        if call.answered and call.start is None and self.speaks:
            call.start = now if call.audio.heard else now + HESITATE

    def _open(self, name: str, offer: sdp.Offer, now: float) -> Call:
        if len(self.calls) >= LIMIT:
            self.calls.pop(next(iter(self.calls))).audio.sock.close()
        sock = _bound(self.address)
        datagram.prepare(sock)
        codec = "PCMA" if 8 in offer.kinds and 0 not in offer.kinds else "PCMU"
        self.calls[name] = Call(Audio(sock=sock, codec=codec, mux=offer.mux), now)
        return self.calls[name]

    def _sipp(self, data: bytes, now: float) -> None:
        message = parse(data)
        if message is None:
            return
        name = _name(message)
        call = self.calls.get(name)
        if message.code is None and call is None and message.method == "INVITE":
            offer = sdp.read(message.body)
            call = self._open(name, offer, now) if offer else None
        if call and message.code is None and message.method == "ACK":
            self._up(call, now)
        if call and message.code == 200 and message.method == "BYE":
            call.held = [(data, min(call.over or now, now) + GRACE)]
            return
        header = None
        if call and message.method == "INVITE" and (message.code or 0) >= 200:
            call.answered = message.code == 200
        if call and message.code is None and message.method == "BYE":
            call.end("us", now)
            header = call.statistics()
        port = call.audio.sock.getsockname()[1] if call else None
        self._out(name, sdp.fill(data, port=port, header=header))

    def _release(self, name: str, call: Call, now: float) -> None:
        """Let go of the answer to BYE once its account is whole, or its time is over."""
        if call.held and (call.settled() or call.held[0][1] <= now):
            self._out(name, sdp.fill(call.held.pop()[0], header=call.statistics()))

    def _out(self, name: str, data: bytes) -> None:
        if peer := self.peers.get(name):
            with contextlib.suppress(OSError):
                self.outside.sendto(data, peer)

    def _remember(self, name: str, peer: tuple[str, int]) -> None:
        self.peers[name] = peer
        while len(self.peers) > 4 * LIMIT:
            del self.peers[next(iter(self.peers))]

    def _forget(self, name: str, call: Call, now: float) -> None:
        if call.over is None and now - call.touched > PATIENCE:
            call.end("us", now)
        if call.over is not None and now - call.over > MEMORY:
            self.calls.pop(name).audio.sock.close()


def _name(message: Message) -> str:
    """Return by which name a call is known: a call that a REFER asks for, by that REFER's Call-ID.

    sipp writes it behind three slashes into the Call-ID of the INVITE.
    """
    return message.headers.get("call-id", "").rpartition("///")[2]


def _bound(address: str) -> socket.socket:
    """Open a socket on the next free audio port."""
    sock = socket.socket(family(address), socket.SOCK_DGRAM)
    for _ in PORTS:
        with contextlib.suppress(OSError):
            sock.bind((address, next(_NEXT)))
            return sock
    sock.close()
    raise OSError(f"no free port for audio at {address}, of {PORTS.start} to {PORTS.stop - 1}")


_NEXT: Final = itertools.cycle(PORTS)


def serve(callees: list[Callee]) -> None:
    """Serve until killed."""
    while True:
        watched = [sock for one in callees for sock in one.sockets()]
        wake = min((d for one in callees if (d := one.due()) is not None), default=None)
        now = time.monotonic()
        select.select(watched, [], [], 1.0 if wake is None else max(0.0, min(1.0, wake - now)))
        now = time.monotonic()
        for one in callees:
            one.step(now)


def main(argv: list[str] | None = None) -> int:
    """Run as a program; print one line of JSON once all sockets are open."""
    parser = argparse.ArgumentParser(prog="filterbed.probe.callee", description=__doc__)
    parser.add_argument("config", type=Path, help="JSON: a list of {address, port, inner, speaks}")
    options = parser.parse_args(argv)
    entries: list[dict[str, Any]] = json.loads(options.config.read_text())
    try:
        callees = [
            Callee(one["address"], one["port"], one["inner"], speaks=one.get("speaks", True))
            for one in entries
        ]
    except OSError as error:
        print(f"{options.config}: {error}", file=sys.stderr)
        return 2
    print(json.dumps({"ready": True, "callees": len(callees)}), flush=True)
    try:
        serve(callees)
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
