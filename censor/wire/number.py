"""Numbers that go on the wire, and the checksums that protect them."""

from __future__ import annotations

from enum import IntEnum, IntFlag

#: Lengths of headers without options or extensions, in bytes.
IPV4_HEADER = 20
IPV6_HEADER = 40
TCP_HEADER = 20
UDP_HEADER = 8
ICMP_HEADER = 8


class Protocol(IntEnum):
    """What an IP packet carries.

    Source: https://www.iana.org/assignments/protocol-numbers
    """

    ICMP = 1
    TCP = 6
    UDP = 17
    ICMP6 = 58


class Extension(IntEnum):
    """IPv6 extension headers that stand between the IP header and the transport.

    Source: https://www.rfc-editor.org/rfc/rfc8200#section-4,
    https://www.rfc-editor.org/rfc/rfc4302 (authentication), https://www.rfc-editor.org/rfc/rfc7045
    """

    HOP_BY_HOP = 0
    ROUTING = 43
    FRAGMENT = 44
    AUTHENTICATION = 51
    DESTINATION = 60
    MOBILITY = 135
    HOST_IDENTITY = 139
    SHIM6 = 140


class TcpFlag(IntFlag):
    """Control bits of a TCP segment.

    Source: https://www.rfc-editor.org/rfc/rfc9293#section-3.1
    """

    FIN = 0x01
    SYN = 0x02
    RST = 0x04
    PSH = 0x08
    ACK = 0x10
    URG = 0x20
    ECE = 0x40
    CWR = 0x80


def checksum(data: bytes) -> int:
    """Return the Internet checksum of `data`, padded with a zero byte to an even length.

    Over bytes that contain their own right checksum the result is 0.

    Source: RFC 1071. One's complement addition does not care how wide the words are, as long as the
        carries are folded: 2^16 is 1 modulo 65535, so the sum is the remainder of one big integer.
    """
    if len(data) & 1:
        data = bytes(data) + b"\0"
    total = int.from_bytes(data, "big")
    if not total:
        return 0xFFFF
    return 0xFFFF - (total % 0xFFFF or 0xFFFF)


def transport_checksum(src: bytes, dst: bytes, protocol: int, segment: bytes) -> int:
    """Return the checksum of a TCP, UDP or ICMPv6 segment with its pseudo-header.

    `src` and `dst` are 4 or 16 raw bytes. UDP sends a result of 0 as 0xFFFF (RFC 768); that is the
    caller's to do.

    Source: RFC 9293 section 3.1 (IPv4), RFC 8200 section 8.1 (IPv6).
    """
    if len(src) == 4:
        tail = bytes((0, protocol)) + len(segment).to_bytes(2, "big")
    else:
        tail = len(segment).to_bytes(4, "big") + bytes((0, 0, 0, protocol))
    return checksum(b"".join((src, dst, tail, segment)))
