"""Turn any bytes into a conversation, and a conversation into bytes.

So that a fuzzer that only knows bytes gets past checksums, handshakes and sequence numbers: each
record says what somebody sends, and the packet is made as a real host would make it, or given raw.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from censor.wire import forge
from censor.wire.number import TcpFlag

#: What a record holds: bits 0 to 2 of its first byte.
RAW, CLIENT_UDP, SERVER_UDP, CLIENT_TCP, SERVER_TCP, CONTROL, WAIT, SHIFTED = range(8)

#: Server ports: bits 3 to 5. Bit 6 says another client port, bit 7 IPv6.
PORTS: Final = (53, 80, 443, 1080, 5060, 3478, 22, 7000)

_ACK: Final = int(TcpFlag.ACK)
_SYN: Final = int(TcpFlag.SYN)
_ENDS: Final = (
    (bytes((24, 48, 0, 2)), bytes((93, 184, 216, 34))),
    (b"\x26\0" + bytes(13) + b"\2", b"\x26\6" + bytes(13) + b"\x34"),
)
_SPACE: Final = 1 << 32


@dataclass(frozen=True, slots=True)
class Arrival:
    """One packet at the box."""

    data: bytes
    now: float
    inside: bool


def record(kind: int, payload: bytes, *, port: int = 80, other: int = 0, six: int = 0) -> bytes:
    """Return the bytes that say so; what is longer than 65,535 bytes is cut."""
    payload = payload[:0xFFFF]
    head = kind | PORTS.index(port) << 3 | other << 6 | six << 7
    return bytes((head,)) + len(payload).to_bytes(2, "big") + payload


def records(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Split bytes into records: (first byte, payload). A cut payload is what there is of it."""
    place = 0
    while place + 3 <= len(data):
        size = int.from_bytes(data[place + 1 : place + 3], "big")
        yield data[place], data[place + 3 : place + 3 + size]
        place += 3 + size


def arrivals(data: bytes) -> Iterator[Arrival]:
    """Speak a conversation. Sequence numbers follow what was sent; time only grows."""
    now = 0.0
    numbers: dict[tuple[int, bool], int] = {}
    for head, payload in records(data):
        now += 0.001
        kind = head & 7
        if kind == WAIT:
            now += len(payload) / 2
            continue
        if kind == RAW:
            yield Arrival(payload, now, not head & 8)
            continue
        back = kind in (SERVER_UDP, SERVER_TCP) or (kind in (CONTROL, SHIFTED) and _odd(payload))
        yield Arrival(_packet(head, payload, back, numbers), now, not back)


def _odd(payload: bytes) -> bool:
    return bool(payload and payload[-1] & 1)


def _packet(head: int, payload: bytes, back: bool, numbers: dict[tuple[int, bool], int]) -> bytes:
    kind, port, sport = head & 7, PORTS[head >> 3 & 7], 50_000 + (head >> 6 & 1)
    ends = _ENDS[head >> 7]
    ip = forge.Ip(*(ends[::-1] if back else ends), 60, 7)
    ports = (port, sport) if back else (sport, port)
    if kind in (CLIENT_UDP, SERVER_UDP):
        return forge.udp(ip, *ports, payload[:65_000])
    flow = head >> 3
    seq, ack = numbers.get((flow, back), 1000), numbers.get((flow, not back), 1000)
    flags, shift = _ACK, 0
    if kind == CONTROL:
        flags, payload = (payload[0] & 0x3F if payload else _SYN), payload[1:-1]
    elif kind == SHIFTED:  # out of order, repeated, or far away
        shift, payload = int.from_bytes(payload[:2], "big", signed=True), payload[2:]
    payload = payload[:65_000]
    if not shift:
        numbers[flow, back] = (seq + len(payload) + (flags & 1) + (flags >> 1 & 1)) % _SPACE
    return forge.tcp(ip, forge.Tcp(*ports, (seq + shift) % _SPACE, ack, flags, 500), payload)


def handshake(*, port: int) -> bytes:
    """Return the records of a client that connects."""
    return b"".join(
        record(CONTROL, bytes((flags, last)), port=port)
        for flags, last in ((_SYN, 0), (_SYN | _ACK, 1), (_ACK, 0))
    )


def said(payloads: Sequence[tuple[int, bytes]], *, port: int, box: int = 0) -> bytes:
    """Return a conversation under a policy: (kind, payload) pairs, behind a handshake for TCP."""
    shake = any(kind in (CLIENT_TCP, SERVER_TCP) for kind, _ in payloads)
    spoken = b"".join(record(kind, payload, port=port) for kind, payload in payloads)
    return bytes((box,)) + (handshake(port=port) if shake else b"") + spoken
