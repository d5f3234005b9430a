"""Take the mark off connections the kernel forwards by itself, so that their packets are asked
about again.

Source: ctnetlink as in include/uapi/linux/netfilter/nfnetlink_conntrack.h and
    net/netfilter/nf_conntrack_netlink.c.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from struct import pack, unpack_from
from typing import Any, Final

from censor.drivers.netlink import (
    ACK,
    DONE,
    DUMP,
    ERROR,
    NESTED,
    REQUEST,
    attribute,
    attributes,
    message,
    messages,
)
from censor.errors import MachineError
from censor.wire.number import Protocol

_NETLINK_NETFILTER: Final = 12
_SUBSYSTEM: Final = 1 << 8
_NEW, _GET = 0, 1
_TUPLE_ORIGINAL, _MARK = 1, 8
_TUPLE_IP, _TUPLE_PORTS = 1, 2
_NOT_FOUND: Final = 2


class Conntrack:
    """A netlink socket to this namespace's connection table.

    Marks will have to be taken off: whether that can be is asked at once.
    """

    def __init__(self) -> None:
        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
            self._socket.bind((0, 0))
        except OSError as fault:
            raise MachineError(f"no netlink socket to conntrack: {fault.strerror}") from fault
        self._sequence = 0
        self._require()

    def _require(self) -> None:
        """Ask once for what `unmark` will ask, before any packet depends on it.

        Raises: MachineError if this kernel does not list connections (no nf_conntrack_netlink).
        """
        try:
            for _ in self._connections(socket.AF_INET):
                pass
        except (MachineError, OSError) as fault:
            raise MachineError(
                f"{fault}: this kernel does not list its connections, and marks must be taken off"
                " them where a flow is to be asked about again; start with --no-offload"
            ) from fault

    def unmark(self, one: bytes, other: bytes, mark: int) -> int:
        """Set the mark to 0 of all connections between two addresses that carry `mark`.

        Returns: how many there were.
        Raises: MachineError if the kernel will not.
        """
        family = socket.AF_INET if len(one) == 4 else socket.AF_INET6
        count = 0
        for original, ends, found in list(self._connections(family)):
            if found == mark and ends == frozenset((one, other)):
                self._clear(family, original)
                count += 1
        return count

    def release(self, flow: Mapping[str, Any]) -> None:
        """Set the mark to 0 of one connection, named as events name flows; it may be gone.

        Raises: MachineError if the kernel will not.
        """
        client, server = ip_address(flow["client"]), ip_address(flow["server"])
        family, first = (socket.AF_INET, 1) if client.version == 4 else (socket.AF_INET6, 3)
        ends = attribute(first, client.packed) + attribute(first + 1, server.packed)
        kind = pack("B", Protocol[flow["protocol"].upper()])
        ports = [pack("!H", flow[key]) for key in ("client_port", "server_port")]
        apart = b"".join(attribute(n, value) for n, value in enumerate((kind, *ports), start=1))
        original = attribute(_TUPLE_IP | NESTED, ends) + attribute(_TUPLE_PORTS | NESTED, apart)
        self._clear(family, original)

    def _clear(self, family: int, original: bytes) -> None:
        body = attribute(_TUPLE_ORIGINAL | NESTED, original) + attribute(_MARK, pack("!I", 0))
        for _ in self._ask(_NEW, REQUEST | ACK, family, body):
            pass

    def _connections(self, family: int) -> Iterator[tuple[bytes, frozenset[bytes], int]]:
        """Yield each connection's original tuple as it came, its two addresses, and its mark."""
        for said in self._ask(_GET, REQUEST | DUMP, family, b""):
            parts = dict(attributes(said[4:]))
            original = parts.get(_TUPLE_ORIGINAL)
            if original is None:
                continue
            addresses = dict(attributes(dict(attributes(original)).get(_TUPLE_IP, b"")))
            mark = int.from_bytes(parts.get(_MARK, b""), "big")
            yield original, frozenset(addresses.values()), mark

    def _ask(self, kind: int, flags: int, family: int, body: bytes) -> Iterator[bytes]:
        self._sequence += 1
        head = pack("=BBH", family, 0, 0)
        self._socket.send(message(_SUBSYSTEM | kind, flags, head + body, self._sequence))
        while True:
            for answer, sequence, said in messages(self._socket.recv(1 << 16)):
                if sequence != self._sequence:
                    continue
                if answer == DONE:
                    return
                if answer == ERROR:
                    code = -int(unpack_from("=i", said)[0])
                    if code not in (0, _NOT_FOUND):
                        raise MachineError(f"conntrack answered with error {code}")
                    return
                yield said

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
