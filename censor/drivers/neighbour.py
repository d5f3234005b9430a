"""Ask the kernel who is next on the way to an address, so that frames can be sent there below IP.

Source: rtnetlink(7), include/uapi/linux/neighbour.h; neigh_add in net/core/neighbour.c.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from struct import Struct, pack
from typing import Final

from censor.drivers.netlink import CREATE, ERROR, REQUEST, attribute, attributes, message, messages

#: How long an answer from the link is waited for, in seconds.
PATIENCE: Final = 0.1

_NEW_ROUTE, _GET_ROUTE = 24, 26
_NEW_NEIGHBOUR, _GET_NEIGHBOUR = 28, 30
_NEIGHBOURS: Final = 4  # RTMGRP_NEIGH
_DESTINATION, _INTERFACE, _GATEWAY = 1, 4, 5
_HARDWARE: Final = 2
_USE: Final = 1  # NTF_USE: find out, as if a packet had to go there
_VALID: Final = 0x80 | 0x40 | 0x10 | 0x08 | 0x04 | 0x02
#: rtmsg and ndmsg: family, then what a question leaves at 0.
_ROUTE: Final = Struct("=BBBBBBBBI")
_NEIGHBOUR: Final = Struct("=BxHiHBB")


def find(interface: int, address: bytes) -> bytes | None:
    """Return the hardware address to which packets for `address` leave by an interface.

    What the kernel does not know is asked on the link. None: there is no way, or nobody answers.
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as one:
        one.bind((0, _NEIGHBOURS))
        one.settimeout(PATIENCE)
        try:
            return _find(one, interface, address)
        except OSError:
            return None


def _find(one: socket.socket, interface: int, address: bytes) -> bytes | None:
    family = socket.AF_INET if len(address) == 4 else socket.AF_INET6
    way = _ROUTE.pack(family, 8 * len(address), 0, 0, 0, 0, 0, 0, 0)
    way += attribute(_DESTINATION, address) + attribute(_INTERFACE, pack("=i", interface))
    one.send(message(_GET_ROUTE, REQUEST, way))
    news = (said for said in _answers(one) if said[0] in (_NEW_ROUTE, ERROR))
    kind, body = next(news, (ERROR, b""))
    if kind == ERROR:
        return None
    hop = dict(attributes(body[_ROUTE.size :])).get(_GATEWAY, address)
    who = _NEIGHBOUR.pack(family, 0, interface, 0, _USE, 0) + attribute(_DESTINATION, hop)
    one.send(message(_NEW_NEIGHBOUR, REQUEST | CREATE, who))
    who = _NEIGHBOUR.pack(family, 0, interface, 0, 0, 0) + attribute(_DESTINATION, hop)
    one.send(message(_GET_NEIGHBOUR, REQUEST, who))
    for kind, body in _answers(one):
        if kind == _NEW_NEIGHBOUR:
            _, _, index, state, _, _ = _NEIGHBOUR.unpack_from(body)
            parts = dict(attributes(body[_NEIGHBOUR.size :]))
            if index == interface and parts.get(_DESTINATION) == hop and state & _VALID:
                return parts.get(_HARDWARE)
    return None


def _answers(one: socket.socket) -> Iterator[tuple[int, bytes]]:
    """Yield what the kernel says, each with its kind, until it has been silent for too long."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        for kind, _, body in messages(one.recv(1 << 16)):
            yield kind, body
