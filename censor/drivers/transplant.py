"""Give a connection that two others began to this kernel, in the middle.

The socket that results says and hears what the server would have: its address, its numbers, the
options both ends agreed on. What the client has said already lies in it, to be read.
Source: Documentation of TCP_REPAIR (Linux commit ee9952831cfd), tcp(7), include/uapi/linux/tcp.h;
        Documentation/networking/tproxy.rst.
"""

from __future__ import annotations

import socket
import struct
from ipaddress import ip_address
from typing import Final

from censor.rule.takeover import Takeover

# include/uapi/linux/tcp.h
_REPAIR: Final = 19
_REPAIR_QUEUE: Final = 20
_QUEUE_SEQ: Final = 21
_REPAIR_OPTIONS: Final = 22
_TIMESTAMP: Final = 24
_RECEIVED, _SENT = 1, 2
_MSS, _SCALE, _SACK, _TIMESTAMPS = 2, 3, 4, 8

# include/uapi/linux/in.h, in6.h
_IP_TRANSPARENT: Final = 19
_IPV6_TRANSPARENT: Final = 75

_NUMBERS: Final = 0xFFFFFFFF
#: Later than what the client saw last, and even: the lowest bit asks for microseconds.
_STEP: Final = 2


def transparent(raw: bytes) -> socket.socket:
    """Return a TCP socket, non-blocking, that may have an address that is not this machine's."""
    six = len(raw) == 16
    made = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        if six:
            made.setsockopt(socket.IPPROTO_IPV6, _IPV6_TRANSPARENT, 1)
        else:
            made.setsockopt(socket.IPPROTO_IP, _IP_TRANSPARENT, 1)
    except OSError:
        made.close()
        raise
    return made


def transplant(takeover: Takeover) -> socket.socket:
    """Return the server's end of a connection that is taken over. Raises: OSError."""
    made = transparent(takeover.server)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _set(made, _REPAIR, 1)
        for queue, number in ((_SENT, takeover.next), (_RECEIVED, takeover.first)):
            _set(made, _REPAIR_QUEUE, queue)
            made.setsockopt(socket.IPPROTO_TCP, _QUEUE_SEQ, struct.pack("=I", number & _NUMBERS))
        made.bind((_text(takeover.server), takeover.server_port))
        made.connect((_text(takeover.client), takeover.client_port))
        made.setsockopt(socket.IPPROTO_TCP, _REPAIR_OPTIONS, _agreed(takeover))
        if takeover.echoed is not None:
            stamp = (takeover.echoed + _STEP & ~1) & _NUMBERS
            made.setsockopt(socket.IPPROTO_TCP, _TIMESTAMP, struct.pack("=I", stamp))
        _set(made, _REPAIR_QUEUE, _RECEIVED)
        made.send(takeover.received)
        _set(made, _REPAIR, 0)
    except OSError:
        made.close()
        raise
    return made


def onward(takeover: Takeover) -> socket.socket:
    """Return a socket with the client's address and a port of its own, for the server.

    It is bound and not connected. Raises: OSError.
    """
    made = transparent(takeover.client)
    try:
        made.bind((_text(takeover.client), 0))
    except OSError:
        made.close()
        raise
    return made


def _agreed(takeover: Takeover) -> bytes:
    """Return what was agreed on in the handshake, as the kernel takes it."""
    said = [(_MSS, takeover.size)]
    if takeover.scales is not None:
        client, server = takeover.scales
        said.append((_SCALE, server << 16 | client))
    if takeover.sack:
        said.append((_SACK, 0))
    if takeover.echoed is not None:
        said.append((_TIMESTAMPS, 0))
    return b"".join(struct.pack("=II", *one) for one in said)


def _set(made: socket.socket, option: int, value: int) -> None:
    made.setsockopt(socket.IPPROTO_TCP, option, value)


def _text(raw: bytes) -> str:
    return str(ip_address(raw))
