"""Find how a call's media can reach us: directly, by what STUN says of us, or through a relay.

As ICE gathers candidates (RFC 8445 section 5.1.1), every helper that is given is asked before the
call; then the best is offered, without checks between the two ends:

1. our own address, where STUN says that it is what others see, or where nobody helps;
2. the address STUN saw, where a translator gives the same one to every destination;
3. the relayed one.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from filterbed.probe import stun, turn
from filterbed.probe.address import endpoint
from filterbed.probe.stream import Flow, Row, note

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Help:
    """Whom to ask: STUN servers (addresses of one server, two at best), and a TURN server."""

    stun: tuple[Address, ...] = ()
    turn: turn.Server | None = None


@dataclass(slots=True)
class Path:
    """How media goes. `sock` sends and hears it; `offered` is what the session description says.

    `flows` are those to the other end; `aside` those to helpers, without whom there may be another
    way.
    """

    how: str
    sock: Any
    offered: Address
    row: Row
    relay: turn.Relay | None = None
    flows: list[Flow] = field(default_factory=list)
    aside: list[Flow] = field(default_factory=list)

    def reach(self, peer: Address) -> None:
        """Make ready to send to the other end."""
        if self.relay is not None:
            self.row["reached"] = self.relay.reach(peer)
        else:
            self.flows.append(["udp", *self.sock.getsockname()[:2], *peer])


@contextlib.contextmanager
def find(sound: socket.socket, own: str, help_: Help, *, timeout: float) -> Iterator[Path]:
    """Ask all helpers at once and choose; the relay is given back at the end."""
    asked: dict[str, Row | None] = {"stun": None, "turn": None}
    aside: list[Flow] = []
    relay: turn.Relay | None = None
    threads = []
    if help_.stun:
        port = sound.getsockname()[1]
        aside += [["udp", own, port, *server] for server in help_.stun]

        def binding() -> None:
            asked["stun"] = stun.bind(sound, help_.stun, timeout=timeout)

        threads.append(threading.Thread(target=binding))
    if help_.turn is not None:
        with contextlib.suppress(OSError):
            relay = turn.Relay(help_.turn, timeout=timeout)
    if relay is not None:
        allocated = relay

        def allocation() -> None:
            asked["turn"] = allocated.allocate()

        threads.append(threading.Thread(target=allocation))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    try:
        yield _chosen(sound, own, asked, relay, aside)
    finally:
        if relay is not None:
            relay.close()


def _chosen(
    sound: socket.socket,
    own: str,
    asked: dict[str, Row | None],
    relay: turn.Relay | None,
    aside: list[Flow],
) -> Path:
    here = (own, int(sound.getsockname()[1]))
    mapped = [endpoint(text, 0) for text in (asked["stun"] or {}).get("mapped", ())]
    dependent = (asked["stun"] or {}).get("mapping") == "dependent"
    if relay is not None:
        note(aside, "udp", relay.sock, relay.server.address, relay.server.port)
    if relay is not None and relay.relayed and (dependent or not mapped):
        row = {"how": "turn", "offered": _text(relay.relayed), **asked}
        return Path("turn", relay, relay.relayed, row, relay, aside=aside)
    offered = mapped[0] if mapped else here
    how = "direct" if offered == here else "stun"
    row = {"how": how, "offered": _text(offered), **asked}
    return Path(how, sound, offered, row, aside=aside)


def _text(address: Address) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
