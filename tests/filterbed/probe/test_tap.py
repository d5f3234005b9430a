"""Datagrams as a tap reads them, against what scapy writes; the tap itself is in tests/live."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.all import ICMP, IP, TCP, UDP, ICMPv6DestUnreach, IPv6, Raw  # type: ignore[attr-defined]

from filterbed.probe import tap
from filterbed.probe.datagram import Datagram
from filterbed.probe.errors import MachineError
from filterbed.probe.tap import Overheard, overheard

OWN, OTHER = "192.0.2.9", "198.51.100.1"
OWN6, OTHER6 = "2001:db8::9", "2001:db8::1"


def wire(source: str, to: str, sport: int, dport: int, payload: bytes) -> bytes:
    head = IPv6(src=source, dst=to, hlim=60) if ":" in to else IP(src=source, dst=to, ttl=60)
    return bytes(head / UDP(sport=sport, dport=dport) / Raw(payload))


@pytest.mark.parametrize(("own", "other"), [(OWN, OTHER), (OWN6, OTHER6)])
def test_what_goes_and_what_comes(own: str, other: str) -> None:
    gone = overheard(wire(own, other, 4000, 30000, b"abc"), 1.5, own, True)
    assert gone == Overheard(True, 4000, Datagram(b"abc", other, 30000, 1.5, None))
    come = overheard(wire(other, own, 30000, 4000, b"abc"), 1.5, own, False)
    assert come == Overheard(False, 4000, Datagram(b"abc", other, 30000, 1.5, 60))


def test_padding_of_a_short_frame_is_no_payload() -> None:
    data = wire(OTHER, OWN, 1, 2, b"abc") + bytes(15)
    found = overheard(data, 0.0, OWN, False)
    assert found is not None
    assert found.got.data == b"abc"


def test_what_is_not_ours() -> None:
    assert overheard(wire(OTHER, OWN, 1, 2, b""), 0.0, OWN, True) is None
    assert overheard(wire("192.0.2.8", OTHER, 1, 2, b""), 0.0, OWN, True) is None
    assert overheard(bytes(IP(src=OTHER, dst=OWN) / TCP()), 0.0, OWN, False) is None
    later = IP(src=OTHER, dst=OWN, proto=17, frag=185) / Raw(b"x" * 60)
    assert overheard(bytes(later), 0.0, OWN, False) is None


@pytest.mark.parametrize(
    ("code", "word"), [(3, "refused"), (1, "unreachable"), (13, "unreachable")]
)
def test_icmp_about_a_datagram_of_ours(code: int, word: str) -> None:
    about = IP(src=OWN, dst=OTHER) / UDP(sport=4000, dport=5060) / Raw(b"REGISTER")
    data = bytes(IP(src="192.0.2.1", dst=OWN) / ICMP(type=3, code=code) / about)
    found = overheard(data, 0.0, OWN, False)
    assert found is not None
    assert (found.port, found.got.address, found.got.port) == (4000, OTHER, 5060)
    assert found.refused == word
    assert overheard(data, 0.0, OWN, True) is None


@pytest.mark.parametrize(("code", "word"), [(4, "refused"), (0, "unreachable")])
def test_icmp_of_version_6(code: int, word: str) -> None:
    about = IPv6(src=OWN6, dst=OTHER6) / UDP(sport=4000, dport=5060) / Raw(b"REGISTER")
    data = bytes(IPv6(src="2001:db8::2", dst=OWN6) / ICMPv6DestUnreach(code=code) / about)
    found = overheard(data, 0.0, OWN6, False)
    assert found is not None
    assert (found.port, found.refused) == (4000, word)


def test_icmp_about_somebody_else() -> None:
    about = IP(src="192.0.2.8", dst=OTHER) / UDP(sport=4000, dport=5060)
    data = bytes(IP(src="192.0.2.1", dst=OWN) / ICMP(type=3, code=3) / about)
    assert overheard(data, 0.0, OWN, False) is None
    echo = bytes(IP(src="192.0.2.1", dst=OWN) / ICMP(type=8) / Raw(b"x" * 40))
    assert overheard(echo, 0.0, OWN, False) is None


@given(st.binary(max_size=120), st.booleans())
def test_any_bytes_are_survived(data: bytes, outward: bool) -> None:
    overheard(data, 0.0, OWN, outward)


@given(st.integers(0, 200))
def test_any_prefix_is_survived(cut: int) -> None:
    about = IP(src=OWN, dst=OTHER) / UDP(sport=4000, dport=5060) / Raw(b"REGISTER" * 9)
    data = bytes(IP(src="192.0.2.1", dst=OWN) / ICMP(type=3, code=3) / about)
    overheard(data[:cut], 0.0, OWN, False)
    overheard(bytes(about)[:cut], 0.0, OWN, True)


def test_without_the_right(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(socket, "socket", refused)
    with pytest.raises(MachineError, match="CAP_NET_RAW"):
        tap.Tap(OWN, (4000,))


def passes(steps: tuple[tuple[int, int, int, int], ...], data: bytes) -> bool:
    """Run a kernel's filter as the kernel would; a read beyond the packet refuses it."""
    at = a = x = 0
    while True:
        code, yes, no, k = steps[at]
        at += 1
        match code:
            case 0x30:
                a = data[k]
            case 0x48:
                a = int.from_bytes(data[x + k : x + k + 2], "big")
            case 0x54:
                a &= k
            case 0x15:
                at += yes if a == k else no
            case 0x05:
                at += k
            case 0x01:
                x = k
            case 0xB1:
                x = 4 * (data[k] & 15)
            case _:
                return k > 0


@pytest.mark.parametrize(("own", "other"), [(OWN, OTHER), (OWN6, OTHER6)])
@pytest.mark.parametrize("ports", [(4000,), (4000, 4002), (7, 4000, 9)])
def test_the_kernels_filter(own: str, other: str, ports: tuple[int, ...]) -> None:
    steps = tap.program(ports)
    assert passes(steps, wire(own, other, 4000, 5060, b"x"))
    assert passes(steps, wire(other, own, 5060, ports[-1], b"x"))
    assert passes(steps, wire(other, own, ports[0], 5060, b"x"))
    assert not passes(steps, wire(other, own, 5060, 4001, b"x"))
    assert passes(steps, bytes(IP(src=OTHER, dst=OWN) / ICMP(type=3)))
    assert passes(steps, bytes(IPv6(src=OTHER6, dst=OWN6) / ICMPv6DestUnreach()))
    assert not passes(steps, bytes(IP(src=OTHER, dst=OWN) / TCP(sport=4000, dport=4000)))
