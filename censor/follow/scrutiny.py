"""Tell which packets a box does not take for real, because it looks closely enough.

Inserted packets are made for the box's eyes only: they die before the server, or the server throws
them away. A box that checks what they give away does not see them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from censor.follow.tcb import Tcp
from censor.wire.number import TCP_HEADER, Protocol, TcpFlag
from censor.wire.packet import Packet

_TCP: Final = int(Protocol.TCP)
_ANY: Final = int(TcpFlag.ACK | TcpFlag.SYN | TcpFlag.RST)

#: Kinds of TCP options. Source: https://www.iana.org/assignments/tcp-parameters
_END, _NOTHING, _MD5 = 0, 1, 19


def scrutiny(tcp: Tcp) -> Callable[[Packet], bool] | None:
    """Return what says that a packet is not seen; None where nothing is checked."""
    if not (tcp.verify_checksum or tcp.min_ttl or tcp.ignore):
        return None
    no_ack, md5 = "no-ack" in tcp.ignore, "md5" in tcp.ignore

    def unseen(packet: Packet) -> bool:
        if tcp.verify_checksum and packet.intact() is False:
            return True
        return packet.protocol == _TCP and (
            packet.ttl < tcp.min_ttl
            or (no_ack and not packet.flags & _ANY and not packet.fragment)
            or (md5 and signed(packet))
        )

    return unseen


def signed(packet: Packet) -> bool:
    """Say whether a segment carries the MD5 option, which servers without a key refuse.

    Source: RFC 2385 section 2.
    """
    options = packet.data[packet.header_length + TCP_HEADER : packet.data_offset]
    place = 0
    while place < len(options):
        kind = options[place]
        if kind == _MD5:
            return True
        if kind == _END:
            return False
        if kind == _NOTHING:
            place += 1
        else:
            place += max(options[place + 1], 2) if place + 1 < len(options) else 2
    return False
