"""Change a packet where it stands: make it a RST, set or spoil its fields, put other bytes in it.

What is not changed stays as it came, options included, so that nothing but the change tells. A
packet that is not all here (a fragment, or one captured in part) is never rewritten.
"""

from __future__ import annotations

from typing import Final

from censor.rule.act import Number, RewriteHeader
from censor.rule.luck import Luck
from censor.wire.number import Protocol, TcpFlag, checksum, transport_checksum
from censor.wire.packet import Packet

_TCP: Final = int(Protocol.TCP)
_UDP: Final = int(Protocol.UDP)
_RST: Final = int(TcpFlag.RST)
#: Where a transport's checksum lies in its header.
_CHECKSUMS: Final = {_TCP: 16, _UDP: 6, int(Protocol.ICMP6): 2}


def whole(packet: Packet) -> bool:
    """Say whether all of a packet is here, so that it may be rewritten."""
    return not (packet.truncated or packet.fragment or packet.more_fragments or packet.joined)


def into_reset(packet: Packet, flags: int) -> bytes | None:
    """Replace a TCP segment's flags and cut its payload off; None for what is no such segment."""
    if packet.protocol != _TCP or packet.flags & _RST or not whole(packet):
        return None
    segment = bytearray(packet.data[packet.header_length : packet.data_offset])
    segment[13] = flags & 0xFF
    return _rebuilt(packet, bytearray(packet.data[: packet.header_length]), segment)


def set_fields(act: RewriteHeader, packet: Packet, luck: Luck) -> bytes | None:
    """Set what the act sets; None if that leaves the packet as it was."""
    if not whole(packet):
        return None
    head = bytearray(packet.data[: packet.header_length])
    segment = bytearray(packet.data[packet.header_length : packet.end])
    if act.ttl is not None:
        place = 8 if packet.version == 4 else 7
        head[place] = min(max(_number(act.ttl, packet.ttl, luck), 1), 255)
    if act.ip_id is not None and packet.version == 4:
        head[4:6] = (_number(act.ip_id, packet.ip_id, luck) & 0xFFFF).to_bytes(2, "big")
    if packet.protocol == _TCP and len(segment) >= 20:
        if act.window is not None:
            value = _number(act.window, packet.window, luck) & 0xFFFF
            segment[14:16] = value.to_bytes(2, "big")
        if act.flags is not None:
            segment[13] = act.flags & 0xFF
    if act.spoil:
        for place in range(packet.data_offset - packet.header_length, len(segment)):
            segment[place] ^= 0xFF
    data = _rebuilt(packet, head, segment, wrong=act.bad_checksum)
    return None if data == packet.data else data


def with_payload(packet: Packet, payload: bytes) -> bytes | None:
    """Put another payload into a UDP datagram; None for what is no such datagram."""
    if packet.protocol != _UDP or not whole(packet):
        return None
    ports = packet.data[packet.header_length : packet.header_length + 4]
    segment = ports + (8 + len(payload)).to_bytes(2, "big") + b"\0\0" + payload
    return _rebuilt(packet, bytearray(packet.data[: packet.header_length]), bytearray(segment))


def _rebuilt(packet: Packet, head: bytearray, segment: bytearray, *, wrong: bool = False) -> bytes:
    """Put header and segment together, with the lengths and checksums they now need.

    `wrong` leaves the transport's checksum off by one.
    """
    if packet.version == 4:
        head[2:4] = (len(head) + len(segment)).to_bytes(2, "big")
        head[10:12] = b"\0\0"
        head[10:12] = checksum(bytes(head)).to_bytes(2, "big")
    else:
        head[4:6] = (len(head) - 40 + len(segment)).to_bytes(2, "big")
    place = _CHECKSUMS.get(packet.protocol)
    if place is not None and len(segment) >= place + 2:
        segment[place : place + 2] = b"\0\0"
        value = transport_checksum(packet.src, packet.dst, packet.protocol, bytes(segment))
        value = (value + wrong) & 0xFFFF
        if packet.protocol == _UDP and value == 0:
            value = 0xFFFF - wrong
        segment[place : place + 2] = value.to_bytes(2, "big")
    return bytes(head + segment)


def _number(number: Number, former: int, luck: Luck) -> int:
    if number.mirror:
        return former + number.shift
    if number.step:
        return luck.turn(number.name, number.low, number.high, number.step)
    return luck.between(number.low, number.high)
