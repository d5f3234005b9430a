"""A stated mix of traffic, for measuring the engine offline.

By packets: 70 % bulk TCP (downloads of 200 full segments), 15 % TLS (a ClientHello of 517 bytes,
then 17 packets), 10 % DNS (query and answer), 5 % SIP (register, call, hang up). 64 conversations
of each kind are under way at once. One name in fifty is one that POLICY blocks. Checksums are
right. The same seed gives the same packets.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

SHARES: Final = {"bulk": 70, "tls": 15, "dns": 10, "sip": 5}
UNDER_WAY: Final = 64
SPACING: Final = 10e-6  # seconds between packets
BLOCKED: Final = 5000  # names
CLIENTS: Final = 0x0A000000
SERVERS: Final = 0xC6120000
FULL: Final = 1448
TCP, UDP = 6, 17
SYN, ACK, PSH, FIN = 2, 16, 8, 1

Step = tuple[bytes, bool]

_BEYOND: Final = {"fidelity": "modelled"}


def policy(blocked: list[str]) -> dict[str, Any]:
    """Return a policy that has every dissector read, and blocks these names wherever they are."""
    names = {"suffix": blocked}
    whens: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "dns": ({"dns.name": names}, {"inject": "dns-answer", "addresses": ["203.98.7.65"]}),
        "sni": ({"tls.sni": names}, {"inject": "reset"}),
        "host": ({"http.host": names}, {"inject": "reset"}),
        "sip": ({"sip.host": names}, {"drop": "packet"}),
        "quic": ({"quic.sni": names}, {"drop": "flow"}),
        "dtls": ({"dtls.sni": names}, {"drop": "flow"}),
        "stun": ({"stun.application": ["whatsapp"]}, {"drop": "packet"}),
        "rtp": ({"rtp": True}, {"drop": "flow"}),
        "first": ({"first.fully_encrypted": True}, {"drop": "flow"}),
        "ssh": ({"ssh": True}, {"drop": "flow"}),
        "socks": ({"socks": True}, {"drop": "flow"}),
        "openvpn": ({"openvpn": True}, {"drop": "flow"}),
        "wireguard": ({"wireguard": True}, {"drop": "flow"}),
        "signature": ({"signature": ["skype-login"]}, {"drop": "flow"}),
    }
    rules = [{"id": name, "when": w, "then": t, **_BEYOND} for name, (w, t) in whens.items()]
    return {"position": "in-path", "rules": rules}


POLICY: Final = policy([f"blocked-{n}.example" for n in range(BLOCKED)])


@dataclass(frozen=True, slots=True)
class Arrival:
    """A packet at the engine's door: its bytes, its time in seconds, and from which side."""

    packet: bytes
    now: float
    inside: bool


def mix(count: int, *, seed: int = 0) -> Iterator[Arrival]:
    """Yield `count` packets."""
    luck = random.Random(seed)
    makers = {"bulk": _bulk, "tls": _tls, "dns": _dns, "sip": _sip}
    kinds = list(SHARES)
    under_way = {kind: [makers[kind](luck) for _ in range(UNDER_WAY)] for kind in kinds}
    for number, kind in enumerate(luck.choices(kinds, list(SHARES.values()), k=count)):
        place = luck.randrange(UNDER_WAY)
        step = next(under_way[kind][place], None)
        if step is None:
            under_way[kind][place] = makers[kind](luck)
            step = next(under_way[kind][place])
        yield Arrival(step[0], number * SPACING, step[1])


def opening(count: int, *, seed: int = 0) -> Iterator[Arrival]:
    """Yield the beginnings of `count` TLS connections: a handshake and half a ClientHello each.

    None of them is settled by then: this is the most that a flow makes an engine remember before
    anything is known of it.
    """
    luck = random.Random(seed)
    for number in range(count):
        client, server = CLIENTS + number % (1 << 16), SERVERS + (number >> 16)
        own = 20_000 + number % 40_000
        out, back = luck.getrandbits(32), luck.getrandbits(32)
        now = number * 4 * SPACING
        hello = _hello(_name(luck), luck)
        steps = (
            (_tcp(client, server, own, 443, out, 0, SYN, b""), True),
            (_tcp(server, client, 443, own, back, out + 1, SYN | ACK, b""), False),
            (_tcp(client, server, own, 443, out + 1, back + 1, ACK, b""), True),
            (_tcp(client, server, own, 443, out + 1, back + 1, PSH | ACK, hello[:100]), True),
        )
        for place, (packet, inside) in enumerate(steps):
            yield Arrival(packet, now + place * SPACING, inside)


# Conversations -----------------------------------------------------------------------------------


def _bulk(luck: random.Random) -> Iterator[Step]:
    host = _name(luck).encode()
    ask = b"GET /large HTTP/1.1\r\nHost: " + host + b"\r\nUser-Agent: bulk\r\n\r\n"
    yield from _talk(luck, 80, ask, 200)


def _tls(luck: random.Random) -> Iterator[Step]:
    yield from _talk(luck, 443, _hello(_name(luck), luck), 10)


def _talk(luck: random.Random, port: int, first: bytes, segments: int) -> Iterator[Step]:
    """A connection: handshake, the client's first words, full segments back, both close."""
    client, server, own = _ends(luck)
    out, back = luck.getrandbits(32), luck.getrandbits(32)

    def say(flags: int, payload: bytes = b"") -> Step:
        return _tcp(
            client, server, own, port, out, back if flags & ACK else 0, flags, payload
        ), True

    def answer(flags: int, payload: bytes = b"") -> Step:
        return _tcp(server, client, port, own, back, out, flags, payload), False

    yield say(SYN)
    out += 1
    yield answer(SYN | ACK)
    back += 1
    yield say(ACK)
    yield say(PSH | ACK, first)
    out += len(first)
    filling = bytes(FULL - 8)
    for number in range(segments):
        yield answer(ACK, luck.randbytes(8) + filling)
        back += FULL
        if number % 2:
            yield say(ACK)
    yield answer(FIN | ACK)
    back += 1
    yield say(FIN | ACK)
    out += 1
    yield answer(ACK)


def _dns(luck: random.Random) -> Iterator[Step]:
    client, server, own = _ends(luck)
    labels = b"".join(bytes([len(x)]) + x.encode() for x in _name(luck).split(".")) + b"\0"
    question = labels + struct.pack("!HH", 1, 1)
    number = luck.getrandbits(16)
    query = struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) + question
    answer = struct.pack("!HHHLHL", 0xC00C, 1, 1, 300, 4, luck.getrandbits(32))
    reply = struct.pack("!6H", number, 0x8180, 1, 1, 0, 0) + question + answer
    yield _udp(client, server, own, 53, query), True
    yield _udp(server, client, 53, own, reply), False


def _sip(luck: random.Random) -> Iterator[Step]:
    client, server, own = _ends(luck)
    domain, call = _name(luck), luck.getrandbits(64)
    script = [
        ("REGISTER", True), ("200 OK", False), ("INVITE", True), ("100 Trying", False),
        ("180 Ringing", False), ("200 OK", False), ("ACK", True), ("BYE", True), ("200 OK", False),
    ]  # fmt: skip
    for line, asks in script:
        start = f"{line} sip:echo@{domain} SIP/2.0" if asks else f"SIP/2.0 {line}"
        text = (
            f"{start}\r\nVia: SIP/2.0/UDP 10.0.0.1:{own};branch=z9hG4bK{call:x}\r\n"
            f"From: <sip:caller@{domain}>;tag={call & 0xFFFF:x}\r\nTo: <sip:echo@{domain}>\r\n"
            f"Call-ID: {call:x}\r\nCSeq: 1 {line.split()[0] if asks else 'INVITE'}\r\n"
            "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        ).encode()
        if asks:
            yield _udp(client, server, own, 5060, text), True
        else:
            yield _udp(server, client, 5060, own, text), False


def _ends(luck: random.Random) -> tuple[int, int, int]:
    own = luck.randrange(20_000, 60_000)
    return CLIENTS + luck.randrange(1, 1 << 16), SERVERS + luck.randrange(1, 1 << 12), own


def _name(luck: random.Random) -> str:
    if luck.randrange(50) == 0:
        return f"www.blocked-{luck.randrange(BLOCKED)}.example"
    return f"www.site-{luck.randrange(1 << 20)}.example"


# Packets -----------------------------------------------------------------------------------------


def _hello(name: str, luck: random.Random) -> bytes:
    """A ClientHello with a server name, padded to 517 bytes (RFC 8446 4.1.2, RFC 6066 3, 7685)."""
    host = name.encode()
    entry = struct.pack("!HBH", len(host) + 3, 0, len(host)) + host
    extensions = struct.pack("!HH", 0, len(entry)) + entry
    extensions += struct.pack("!HHBH", 43, 3, 2, 0x0304)
    head = b"\x03\x03" + luck.randbytes(32) + b"\x20" + luck.randbytes(32)
    head += struct.pack("!H3HBB", 6, 0x1301, 0x1302, 0x1303, 1, 0)
    padding = 517 - 9 - len(head) - 2 - len(extensions) - 4
    extensions += struct.pack("!HH", 21, padding) + bytes(padding)
    body = head + struct.pack("!H", len(extensions)) + extensions
    handshake = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + struct.pack("!H", len(handshake)) + handshake


def _tcp(
    source: int, target: int, port: int, other: int, seq: int, ack: int, flags: int, data: bytes
) -> bytes:
    """An IPv4 packet with a TCP segment (RFC 791 3.1, RFC 9293 3.1)."""
    number, acknowledged = seq & 0xFFFFFFFF, ack & 0xFFFFFFFF
    fields = (port, other, number, acknowledged, 5 << 4, flags, 65_535)
    segment = struct.pack("!HHLLBBHHH", *fields, 0, 0) + data
    check = _sum(_pseudo(source, target, TCP, len(segment)) + segment)
    return _ip(source, target, TCP, segment[:16] + check + segment[18:])


def _udp(source: int, target: int, port: int, other: int, data: bytes) -> bytes:
    """An IPv4 packet with a UDP datagram (RFC 768)."""
    length = 8 + len(data)
    datagram = struct.pack("!HHHH", port, other, length, 0) + data
    check = _sum(_pseudo(source, target, UDP, length) + datagram)
    return _ip(source, target, UDP, datagram[:6] + check + datagram[8:])


def _pseudo(source: int, target: int, protocol: int, length: int) -> bytes:
    return struct.pack("!LLHH", source, target, protocol, length)


def _ip(source: int, target: int, protocol: int, payload: bytes) -> bytes:
    length = 20 + len(payload)
    head = struct.pack("!BBHHHBBHLL", 0x45, 0, length, 0, 0x4000, 63, protocol, 0, source, target)
    return head[:10] + _sum(head) + head[12:] + payload


def _sum(data: bytes) -> bytes:
    """The Internet checksum (RFC 1071), as it is written into a header."""
    if len(data) % 2:
        data += b"\0"
    total = int.from_bytes(data, "big") % 0xFFFF
    return (0xFFFF - total).to_bytes(2, "big")
