"""Be one part of Skype's legacy network: a supernode, the login server, a gateway, a correspondent.

`python -P -m filterbed.probe.supernode PART ADDRESS...` listens at each address as that part does:
a supernode on UDP and TCP 33033 and on TCP 80 and 443, the login server on TCP 33033 and 443, a
gateway to telephones on UDP 12340, a peer that reads messages on TCP 33033. What is said is in
`filterbed.probe.skype` and `filterbed.probe.chat`, with its sources. A PART that
is a number is a port of UDP on which every datagram is sent back as it came.

Limits: one thread, LIMIT connections at once, of which the oldest gives way.
"""

from __future__ import annotations

import argparse
import selectors
import socket
import sys
from collections.abc import Callable, Mapping
from typing import Final, Literal

from filterbed.probe import chat
from filterbed.probe.address import family
from filterbed.probe.skype import (
    ANSWERS,
    BEGINS,
    GATEWAY_PORT,
    GREETING,
    LADDER,
    LOGIN,
    PORT,
    WELCOME,
)

Part = Literal["supernode", "login", "gateway", "peer"]
#: Per part: ports of UDP, ports of TCP.
PORTS: Final[Mapping[Part, tuple[tuple[int, ...], tuple[int, ...]]]] = {
    "supernode": ((PORT,), LADDER),
    "login": ((), (PORT, 443)),
    "gateway": ((GATEWAY_PORT,), ()),
    "peer": ((), (PORT,)),
}
LIMIT: Final = 256
#: Bytes of a connection that are kept until they are answered.
HELD: Final = GREETING + 2 + chat.LONGEST


def echo(data: bytes) -> bytes | None:
    """Answer anything with itself."""
    return data or None


def datagram(data: bytes) -> bytes | None:
    """Answer a datagram that begins something; None for anything else."""
    if len(data) < 16 or data[2] != BEGINS:
        return None
    return data[:2] + bytes((ANSWERS,)) + data[3:]


def greeting(data: bytes) -> bytes | None:
    """Answer a supernode's greeting; None until all of it is there."""
    return data[:2] + bytes(GREETING - 2) if len(data) >= GREETING else None


def login(data: bytes) -> bytes | None:
    """Answer a login; None for anything else."""
    return WELCOME if data.startswith(LOGIN) else None


#: What a part answers on TCP.
_STREAMS: Final[Mapping[str, Callable[[bytes], bytes | None]]] = {
    "login": login,
    "peer": chat.answer,
}


class Server:
    """One part at some addresses; `turn` sees to whatever is ready."""

    def __init__(self, part: Part | int, addresses: list[str]) -> None:
        self._selector = selectors.DefaultSelector()
        self._answer = _STREAMS.get(str(part), greeting)
        self._reply = echo if isinstance(part, int) else datagram
        datagrams, streams = ((part,), ()) if isinstance(part, int) else PORTS[part]
        self._heard: dict[socket.socket, bytes] = {}
        for address in addresses:
            for port in datagrams:
                sock = socket.socket(family(address), socket.SOCK_DGRAM)
                sock.bind((address, port))
                self._register(sock, self._datagram)
            for port in streams:
                listener = socket.create_server((address, port), family=family(address))
                self._register(listener, self._accept)

    def turn(self, seconds: float | None = None) -> None:
        """Wait for something to be ready, for at most so long, and see to it."""
        for key, _ in self._selector.select(seconds):
            key.data(key.fileobj)

    def close(self) -> None:
        """Close everything."""
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()

    def _register(self, sock: socket.socket, ready: Callable[[socket.socket], None]) -> None:
        sock.setblocking(False)
        self._selector.register(sock, selectors.EVENT_READ, ready)

    def _datagram(self, sock: socket.socket) -> None:
        try:
            data, peer = sock.recvfrom(65535)
            if said := self._reply(data):
                sock.sendto(said, peer)
        except OSError:  # an ICMP error for an answer, or nothing there after all
            return

    def _accept(self, listener: socket.socket) -> None:
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        if len(self._heard) >= LIMIT:
            self._drop(next(iter(self._heard)))
        self._heard[sock] = b""
        self._register(sock, self._stream)

    def _stream(self, sock: socket.socket) -> None:
        try:
            data = sock.recv(4096)
            if not data:
                self._drop(sock)
                return
            self._heard[sock] = (self._heard[sock] + data)[:HELD]
            if said := self._answer(self._heard[sock]):
                sock.send(said)
                self._heard[sock] = b""
        except BlockingIOError:
            return
        except OSError:
            self._drop(sock)

    def _drop(self, sock: socket.socket) -> None:
        del self._heard[sock]
        self._selector.unregister(sock)
        sock.close()


def main(argv: list[str] | None = None) -> int:
    """Serve until killed."""
    parser = argparse.ArgumentParser(prog="filterbed.probe.supernode", description=__doc__)
    parser.add_argument("part", metavar="PART", help=f"{', '.join(PORTS)}, or a port")
    parser.add_argument("addresses", nargs="+", metavar="ADDRESS")
    options = parser.parse_args(argv)
    server = Server(
        int(options.part) if options.part.isdecimal() else options.part, options.addresses
    )
    while True:
        server.turn()


if __name__ == "__main__":
    sys.exit(main())
