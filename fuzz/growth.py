"""Count how much work inputs cost, and how that grows: `python -m fuzz.growth`.

Work is lines of the censor's Python that are run: the same on every machine. What C does inside
one line (a search, a copy) it cannot see; each such step is linear in what it is given, and
regular expressions repeat no repetition (tests/fuzz/test_growth.py looks).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, Final

from fuzz import conversation as talk
from fuzz.target import TARGETS

_CENSOR: Final = str(Path(__file__).parents[1] / "censor")

#: How much larger the second input is, and by how much more work may grow than that.
FACTOR: Final = 4
SLACK: Final = 1.5


def work(run: Callable[[Any], object], data: Any, room: str = _CENSOR) -> int:
    """Return how many lines of the censor (or of another folder, `room`) one input costs."""
    lines = 0

    def local(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal lines
        lines += event == "line"
        return local

    def begin(frame: FrameType, event: str, _: Any) -> Any:
        return local if frame.f_code.co_filename.startswith(room) else None

    former = sys.gettrace()
    sys.settrace(begin)
    try:
        run(data)
    finally:
        sys.settrace(former)
    return lines


def growth(target: str, make: Callable[[int], bytes], size: int) -> float:
    """Return how many times the work of `make(FACTOR * size)` is that of `make(size)`."""
    run = TARGETS[target]
    small = work(run, make(size))
    return work(run, make(FACTOR * size)) / max(small, 1)


def _again(before: bytes, unit: bytes, behind: bytes = b"") -> Callable[[int], bytes]:
    return lambda size: before + unit * size + behind


def _spoken(
    kind: int, payload: bytes, unit: int, port: int, box: int, before: bytes = b""
) -> Callable[[int], bytes]:
    """Say a payload, repeated for as long as it takes, in pieces of `unit` bytes."""

    def make(size: int) -> bytes:
        whole = before + payload * (size * unit // len(payload) + 1)
        pieces = [(kind, whole[at : at + unit]) for at in range(0, size * unit, unit)]
        return talk.said(pieces, port=port, box=box)

    return make


_RECORD: Final = b"\x16\x03\x01\0\4\1\0\x3f\xff"
_HELLO: Final = bytes.fromhex("1603010200010001fc0303") + bytes(32)
_STUN: Final = bytes.fromhex("0001f0002112a442") + bytes(12)

#: Inputs made to cost much: the target, and how to make one of a size.
HEAVY: Final[Mapping[str, tuple[str, Callable[[int], bytes]]]] = {
    "dns: pointers": ("dns", _again(bytes.fromhex("000001000001000000000000"), b"\xc0\x0c")),
    "dns: questions": ("dns", _again(bytes.fromhex("00000100ffff000000000000"), b"\0\0\1\0\1")),
    "http: headers": ("http", _again(b"GET / HTTP/1.1\r\n", b"a: b\r\n", b"\r\n")),
    "http: folds": ("http", _again(b"GET / HTTP/1.1\r\na: ", b"\r\n ", b"\r\n\r\n")),
    "http: empty lines": ("http", _again(b"", b"\r\n", b"GET / HTTP/1.1\r\n\r\n")),
    "http: hosts": ("http", _again(b"GET / HTTP/1.1\r\n", b"Host: [\r\n", b"\r\n")),
    "tls: records": ("tls", _again(_RECORD, b"\x16\x03\x01\0\x01\0")),
    "tls: empty records": ("tls", _again(b"", b"\x16\x03\x01\0\0")),
    "tls: extensions": ("tls", _again(_HELLO + bytes.fromhex("000002000100ffff"), b"\0\7\0\0")),
    "quic: coalesced": ("quic", _again(b"", bytes.fromhex("c000000001000000020000"))),
    "quic: frames": ("quic-frames", _again(b"", b"\x06\0\1\xaa\x01")),
    "quic: padding": ("quic-frames", _again(b"", b"\0", b"\x01")),
    "quic: holes": ("quic-frames", lambda size: b"".join(
        b"\x06" + (0x4000 | at * 3 % 0x3FFF).to_bytes(2, "big") + b"\1\xaa" for at in range(size))),
    "quic: ranges": ("quic-frames", _again(b"\x02\x40\xff\0\x7f\xff\0", b"\0\0")),
    "dtls: records": ("dtls", _again(b"", b"\x16\xfe\xfd" + bytes(8) + b"\0\0")),
    "sip: headers": ("sip", _again(b"INVITE sip:a@b SIP/2.0\r\n", b"Via: ;,;,\r\n", b"\r\n")),
    "sip: one long via": ("sip", _again(b"INVITE sip:a@b SIP/2.0\r\nVia: ", b';,"', b"\r\n\r\n")),
    "sip: quotes": ("sip", _again(b"INVITE sip:a@b SIP/2.0\r\nTo: ", b'"<', b"\r\n\r\n")),
    "sip: digits": ("sip", _again(b"INVITE sip:a@b:", b"9", b" SIP/2.0\r\n\r\n")),
    "sdp: media": ("sdp", _again(b"v=0\r\nc=IN IP4 1.2.3.4\r\n", b"m=audio 1 RTP/AVP 0\r\n")),
    "stun: attributes": ("stun", _again(_STUN, b"\0\7\0\0")),
    "rtp: sources": ("rtp", lambda size: b"".join(
        talk.record(1, b"\x80\0\0\1\0\0\0\0" + at.to_bytes(4, "big")) for at in range(size))),
    "looks: printable": ("looks", _again(b"", b"aaaaa\0")),
    "packet: extensions": ("packet", lambda size: bytes.fromhex("60000000") + min(
        8 * size, 65535).to_bytes(2, "big") + b"\0\x40" + bytes(32) + bytes(8 * size)),
    "packet: options": ("packet", lambda size: bytes.fromhex("4f00ffff0000000040060000")
        + bytes(48) + b"\1" * size),
    "capture: options": ("capture", _again(bytes.fromhex("0a0d0d0a0000ffff1a2b3c4d"), b"\0\1\0\0")),
    "engine: records, byte by byte": ("engine", _spoken(
        talk.CLIENT_TCP, b"\x16\x03\x01\0\1\0", 1, 443, 0, _RECORD)),
    "engine: headers, byte by byte": ("engine", _spoken(
        talk.CLIENT_TCP, b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 400, 1, 80, 0)),
    "engine: no end of requests": ("engine", _spoken(
        talk.CLIENT_TCP, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27, 80, 4)),
    "engine: fragments ahead": ("engine", lambda size: b"\0" + talk.handshake(port=443) + b"".join(
        talk.record(talk.SHIFTED, (2 * at + 2).to_bytes(2, "big") + b"\0x", port=443)
        for at in range(size))),
    "engine: queries": ("engine", _spoken(
        talk.CLIENT_UDP, bytes.fromhex("000001000001000000000000016100001c0001"), 19, 53, 1)),
    "engine: a tunnel over TCP, byte by byte": (
        "engine",
        _spoken(talk.CLIENT_TCP, b"\0\x06\x48abcde", 1, 7000, 1, b"\0\x0e\x38" + bytes(13)),
    ),
    "engine: datagrams": ("engine", _spoken(talk.CLIENT_UDP, b"\xc0\0\0\0\1\0\0", 40, 443, 1)),
}  # fmt: skip


def main() -> None:
    """Print each input, its work at two sizes, and how that grew."""
    for name, (target, make) in HEAVY.items():
        small, large = (work(TARGETS[target], make(size)) for size in (100, 100 * FACTOR))
        grown = large / max(small, 1)
        told = "" if grown <= FACTOR * SLACK else "  MORE THAN LINEAR"
        print(f"{name:32}{small:10,}{large:10,}{grown:8.2f}{told}")


if __name__ == "__main__":
    main()
