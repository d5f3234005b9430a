"""Have a TURN server relay datagrams: allocate, bind a channel to the peer, send and receive.

A `Relay` stands where a socket would: what is sent to its peer goes through the server, and what
the peer sends to the relayed address comes out of it.

Wire:    RFC 8656 sections 7 (Allocate), 12 (ChannelBind, which permits too), 12.4 (ChannelData: a
         channel's number and a length, four bytes), 11 (Data indication); long-term credentials
         (RFC 8489 section 9.2). UDP to the server, UDP to the peer.
Limits:  one peer; no refreshing: permissions last 300 s, allocations 600 s, calls 60 s.
"""

from __future__ import annotations

import contextlib
import hashlib
import select
import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from filterbed.probe import datagram, stun
from filterbed.probe.address import family, shown
from filterbed.probe.stream import Row, elapsed, outcome
from filterbed.probe.stun import Address, Attribute, Message, Method

CHANNEL: Final = 0x4000
_UDP: Final = struct.pack("!B3x", 17)
_FAMILY: Final = {
    socket.AF_INET: struct.pack("!B3x", 1),
    socket.AF_INET6: struct.pack("!B3x", 2),
}


@dataclass(frozen=True, slots=True)
class Server:
    """A TURN server, and who we are there."""

    address: str
    port: int
    user: str
    password: str


class Relay:
    """An allocation. Make it, `allocate`, `reach` the peer; `close` gives it back."""

    def __init__(self, server: Server, *, timeout: float) -> None:
        self.server, self.timeout = server, timeout
        self.relayed: Address | None = None
        self.peer: Address | None = None
        self._realm = self._nonce = b""
        self.sock = socket.socket(family(server.address), socket.SOCK_DGRAM)
        try:
            self.sock.connect((server.address, server.port))
        except OSError:
            self.sock.close()
            raise
        datagram.prepare(self.sock)

    def allocate(self) -> Row:
        """Ask for a relayed address.

        Returns: `outcome` (ok, rejected, timeout, or an ICMP error), `code` of a rejection,
            `relayed`, `seconds`.
        """
        began = time.monotonic()
        row: Row = {"outcome": "timeout", "code": None, "relayed": None}
        wanted: dict[int, bytes] = {
            Attribute.REQUESTED_TRANSPORT: _UDP,
            Attribute.REQUESTED_ADDRESS_FAMILY: _FAMILY[self.sock.family],
        }
        try:
            answer = self._ask(Method.ALLOCATE, wanted)
        except OSError as error:
            row["outcome"], answer = outcome(error), None
        if answer is not None:
            self.relayed = answer.address(Attribute.XOR_RELAYED_ADDRESS)
            row["outcome"] = "ok" if answer.kind == 2 and self.relayed else "rejected"
            row["code"] = answer.code
        if self.relayed:
            row["relayed"] = f"{shown(self.relayed[0])}:{self.relayed[1]}"
        return row | {"seconds": elapsed(began)}

    def reach(self, peer: Address) -> bool:
        """Bind the channel to a peer; whether the server agreed."""
        number = {int(Attribute.CHANNEL_NUMBER): struct.pack("!H2x", CHANNEL)}
        answer = None
        with contextlib.suppress(OSError):
            answer = self._ask(Method.CHANNEL_BIND, number, peer)
        self.peer = peer
        return answer is not None and answer.kind == 2

    def _ask(
        self, method: Method, attributes: Mapping[int, bytes], peer: Address | None = None
    ) -> Message | None:
        """Say a request, and say it again with what a challenge asks for; None if unanswered."""
        answer: Message | None = None
        for _ in range(3):
            message = stun.request(method)
            said: dict[int, bytes] = {**attributes}
            if peer is not None:
                there = stun.write_address(peer, message.transaction)
                said[Attribute.XOR_PEER_ADDRESS] = there
            key = self._key() if self._nonce else None
            said |= self._credentials() if key is not None else {}
            wire = stun.write(replace(message, attributes=said), key)
            answer = self._transact(wire, message.transaction)
            if answer is None or answer.code not in (401, 438):
                break
            if answer.code == 401 and key is not None:
                break  # it knows who we are, and does not want us
            self._realm = answer.attributes.get(Attribute.REALM, self._realm)
            self._nonce = answer.attributes.get(Attribute.NONCE, b"")
        return answer

    def _key(self) -> bytes:
        who = (self.server.user.encode(), self._realm, self.server.password.encode())
        return hashlib.md5(b":".join(who), usedforsecurity=False).digest()

    def _credentials(self) -> dict[int, bytes]:
        return {
            Attribute.USERNAME: self.server.user.encode(),
            Attribute.REALM: self._realm,
            Attribute.NONCE: self._nonce,
        }

    def _transact(self, data: bytes, transaction: bytes) -> Message | None:
        now = time.monotonic()
        deadline, again = now + self.timeout, now
        while now < deadline:
            if now >= again:
                self.sock.send(data)
                again = now + stun.RTO
            if select.select([self.sock], [], [], max(0.0, min(again, deadline) - now))[0]:
                got = datagram.receive(self.sock)
                answer = stun.read(got.data) if got else None
                if answer and answer.transaction == transaction:
                    return answer
            now = time.monotonic()
        return None

    # What `filterbed.probe.media.Audio` asks of a socket.

    def fileno(self) -> int:
        """Return the socket's own."""
        return self.sock.fileno()

    def getsockname(self) -> Any:
        """Return our end of the way to the server."""
        return self.sock.getsockname()

    def sendto(self, data: bytes, _peer: Address) -> int:
        """Send to the peer the channel is bound to."""
        self.sock.send(struct.pack("!HH", CHANNEL, len(data)) + data)
        return len(data)

    def recvmsg(self, size: int, room: int, flags: int = 0) -> tuple[bytes, Any, int, Any]:
        """Receive what the peer sent, without its wrapping; what the server says is nothing."""
        data, notes, seen, address = self.sock.recvmsg(size, room, flags)
        return unwrap(data), notes, seen, self.peer or address

    def close(self) -> None:
        """Give the allocation back, awaiting no answer."""
        if self.relayed and self._nonce:
            ended = {int(Attribute.LIFETIME): bytes(4)} | self._credentials()
            freed = stun.request(Method.REFRESH, ended)
            with contextlib.suppress(OSError):
                self.sock.send(stun.write(freed, self._key()))
        self.sock.close()


def unwrap(data: bytes) -> bytes:
    """Return what a relay passed on: the payload of ChannelData or of a Data indication."""
    if len(data) >= 4 and data[0] >> 6 == 1:
        return data[4 : 4 + int.from_bytes(data[2:4], "big")]
    message = stun.read(data)
    if message is not None and (message.method, message.kind) == (Method.DATA, 1):
        return message.attributes.get(Attribute.DATA, b"")
    return b""
