"""One frame at a time: does it cross the box, and what is it afterwards?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet, Raw

from filterbed.header import raw
from filterbed.pcapng import Frame
from filterbed.wire import Crossing, Tally, crossing, forwarded, zeroed

OURS, PEER = "02:00:00:00:00:01", "02:00:00:00:00:02"
MAC = bytes.fromhex(OURS.replace(":", ""))
OWN = frozenset({raw("9.9.9.1")})
V4 = IP(src="1.2.3.4", dst="5.6.7.8", ttl=64) / UDP(sport=1, dport=2) / Raw(b"data")
V6 = IPv6(src="2001:db8::1", dst="2001:db8::2", hlim=64) / UDP(sport=1, dport=2)


def seen(packet: Packet, *, leaves: bool = False, tally: Tally | None = None) -> Crossing | None:
    ether = Ether(src=OURS, dst=PEER) if leaves else Ether(src=PEER, dst=OURS)
    data = bytes(ether / packet)
    return crossing(Frame(0, 0, data, len(data)), MAC, OWN, tally or Tally())


@pytest.mark.parametrize("packet", [V4, V6])
def test_what_enters_equals_what_leaves_one_hop_later(packet: Packet) -> None:
    entered = seen(packet)
    after = packet.copy()
    if IPv6 in after:
        after[IPv6].hlim = 63
    else:
        after[IP].ttl = 63
    left = seen(after, leaves=True)
    assert entered is not None
    assert left is not None
    assert (entered.entered, left.entered) == (True, False)
    assert entered.key == left.key == zeroed(bytes(after)) == forwarded(bytes(packet))
    assert entered.key != zeroed(bytes(packet))


def test_padding_is_no_part_of_a_packet() -> None:
    padded = Raw(bytes(V4) + bytes(18))
    ether = bytes(Ether(src=PEER, dst=OURS, type=0x0800) / padded)
    assert crossing(Frame(0, 0, ether, len(ether)), MAC, OWN, Tally()) == seen(V4)


@pytest.mark.parametrize(
    "packet",
    [
        ARP(),
        IP(src="1.2.3.4", dst="9.9.9.1") / UDP(),
        IP(src="1.2.3.4", dst="224.0.0.1") / UDP(),
        IP(src="1.2.3.4", dst="255.255.255.255") / UDP(),
        IP(src="0.0.0.0", dst="5.6.7.8") / UDP(),
        IP(src="127.0.0.1", dst="5.6.7.8") / UDP(),
        IP(src="1.2.3.4", dst="169.254.1.1") / UDP(),
        IP(src="1.2.3.4", dst="5.6.7.8", ttl=1) / UDP(),
        IP(src="1.2.3.4", dst="5.6.7.8", chksum=1) / UDP(),
        IP(src="1.2.3.4", dst="5.6.7.8", len=900) / UDP(),
        IPv6(src="fe80::1", dst="2001:db8::2") / UDP(),
        IPv6(src="2001:db8::1", dst="ff02::1") / UDP(),
        IPv6(src="::", dst="2001:db8::2") / UDP(),
        IPv6(src="2001:db8::1", dst="2001:db8::2", hlim=1) / UDP(),
    ],
    ids=lambda packet: packet.summary(),
)
def test_what_no_router_forwards(packet: Packet) -> None:
    assert seen(packet) is None


def test_frames_of_others_are_not_ours() -> None:
    data = bytes(Ether(src=PEER, dst="02:00:00:00:00:09") / V4)
    assert crossing(Frame(0, 0, data, len(data)), MAC, OWN, Tally()) is None


def test_a_refusal_is_noted_in_both_forms() -> None:
    tally = Tally()
    error = IP(src="9.9.9.1", dst="1.2.3.4") / ICMP(type=3) / Raw(bytes(V4)[:28])
    assert seen(error, leaves=True, tally=tally) is None
    quote = bytes(V4)[:28]
    assert tally.refused == [(forwarded(quote), zeroed(quote))]
    assert forwarded(bytes(V4)).startswith(forwarded(quote))


def test_a_broken_checksum_that_leaves_is_noted() -> None:
    tally = Tally()
    assert seen(IP(bytes(IP(src="1.2.3.4", dst="5.6.7.8", chksum=1) / UDP())), leaves=True,
                tally=tally) is not None  # fmt: skip
    assert tally.broken.total() == 1


@given(st.binary(max_size=120), st.sampled_from([b"\x08\x00", b"\x86\xdd", b"\x08\x06"]))
def test_any_frame_is_read_or_left_out(data: bytes, kind: bytes) -> None:
    peer = bytes.fromhex(PEER.replace(":", ""))
    for ends in (MAC + peer, peer + MAC):
        frame = ends + kind + data
        crossing(Frame(0, 0, frame, len(frame)), MAC, OWN, Tally(), 20)
