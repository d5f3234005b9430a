"""What is in order at a box, and what every packet must be accounted for by."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6ND_NS, IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw

import filterbed
from filterbed.audit import Scene, Tap, audit
from filterbed.pcapng import Frame, write
from fuzz.growth import FACTOR, SLACK, work
from tests.filterbed.played import (
    BOX,
    CLIENT,
    EPOCH,
    MACS,
    PEERS,
    SERVER,
    Wire,
    capture,
    talk,
    tcp,
)

# What is in order


def test_a_quiet_box_has_nothing_to_explain(wire: Wire) -> None:
    talk(wire)
    problems, counts = wire.audit_all()
    assert problems == []
    assert counts == {
        "entered": {"inside": 2, "outside": 2},
        "left": {"inside": 2, "outside": 2},
        "door": 4,
        "injected": {"inside": 0, "outside": 0},
        "dropped": 0,
        "refused": 0,
    }


def test_ipv6_and_equal_packets_twice(wire: Wire) -> None:
    packet = IPv6(src="2001:db8:1::1", dst="2001:db8:2::1", hlim=64) / UDP(sport=9, dport=53)
    for _ in range(3):
        wire.cross(0, IPv6(bytes(packet / Raw(b"same"))))
    assert wire.audit() == []


def test_logged_acts_are_accounted_for(wire: Wire) -> None:
    talk(wire)
    wire.enter(0, tcp(0, "PA", b"forbidden"))
    wire.log("dropped")
    for toward, side, end in (("client", 0, 1), ("server", 1, 0)):
        forged = bytes(tcp(end, "RA", ttl=99))
        wire.log("injected", toward=toward, packets=[forged.hex()])
        wire.leave(side, forged)
    assert wire.audit() == []


def test_an_injection_answering_the_server_goes_the_right_way(wire: Wire) -> None:
    """The packet that caused it came from outside, so `client` is the other side."""
    talk(wire)
    forged = bytes(tcp(1, "R"))
    wire.log("injected", toward="client", packets=[forged.hex()])
    wire.leave(0, forged)
    assert wire.audit() == []


def test_the_kernel_numbers_injections_whose_identification_is_zero(wire: Wire) -> None:
    talk(wire)
    forged = tcp(1, "R", id=0)
    wire.log("injected", toward="client", packets=[bytes(forged).hex()])
    numbered = tcp(1, "R", id=777)
    wire.leave(0, bytes(numbered))
    assert wire.audit() == []


def test_a_rewritten_packet_leaves_as_the_log_says(wire: Wire) -> None:
    talk(wire)
    wire.enter(0, tcp(0, "PA", b"before"))
    after = bytes(tcp(0, "PA", b"after", ttl=63))
    wire.log("rewritten", packets=[after.hex()])
    wire.leave(1, after)
    assert wire.audit() == []


def test_connections_that_the_box_leads_itself_are_its_own(wire: Wire) -> None:
    talk(wire)
    wire.enter(0, tcp(0, "PA", b"hello"))
    wire.log("intercepted")
    wire.leave(0, bytes(tcp(1, "PA", b"forged")))
    wire.frame(0, tcp(0, "A"), leaves=False)
    onward = bytes(IP(src=CLIENT, dst=SERVER) / TCP(sport=4001, dport=80, flags="S"))
    wire.leave(1, onward)
    assert len(wire.audit(offload=False)) == 4  # nobody said that they are
    flow = wire.events[-1]["flow"]
    wire.log("relayed", onward={**flow, "client_port": 4001})
    assert wire.audit(offload=False) == []
    wire.leave(1, bytes(IP(src=CLIENT, dst=SERVER) / TCP(sport=4002, dport=80, flags="S")))
    assert "neither entered inside" in wire.audit(offload=False)[0]


def test_settled_flows_may_pass_the_door_by(wire: Wire) -> None:
    talk(wire)
    wire.log("settled")
    wire.now += 2.0  # the captures of these tests count whole seconds
    wire.cross(0, tcp(0, "A", b"bulk"), door=False)
    wire.cross(1, tcp(1, "A", b"bulk"), door=False)
    assert wire.audit() == []


@pytest.mark.parametrize("what", ["flow", "pair"])
def test_a_flow_no_longer_settled_must_ask_again(wire: Wire, what: str) -> None:
    talk(wire)
    wire.log("settled")
    wire.now += 2.0
    wire.cross(0, tcp(0, "A", b"asked"))
    wire.log("unsettled", what=what)
    wire.now += 2.0
    wire.cross(0, tcp(0, "A", b"bulk"), door=False)
    (problem,) = wire.audit()
    assert "though its flow was not settled" in problem


def test_only_the_flow_that_lost_its_mark_must_ask_again(wire: Wire) -> None:
    other = IP(src=CLIENT, dst=SERVER, ttl=64) / UDP(sport=6000, dport=53) / Raw(b"x")
    talk(wire)
    wire.log("settled")
    wire.cross(0, IP(bytes(other)))
    wire.log("settled")
    wire.log("unsettled", n=1, what="flow")
    wire.now += 2.0
    wire.cross(0, IP(bytes(other)), door=False)
    assert wire.audit() == []
    wire.log("unsettled", n=1, what="pair")
    wire.now += 2.0
    wire.cross(0, IP(bytes(other)), door=False)
    assert len(wire.audit()) == 1


def test_what_was_withdrawn_need_not_be_on_the_wire(wire: Wire) -> None:
    talk(wire)
    forged = bytes(tcp(1, "R")).hex()
    wire.log("injected", toward="client", packets=[forged], after=20.0)
    wire.log("withdrawn", n=None, inside=True, packets=[forged])
    assert wire.audit() == []


def test_an_icmp_error_settles_nothing_but_itself(wire: Wire) -> None:
    talk(wire)
    error = IP(src=SERVER, dst=CLIENT, ttl=64) / ICMP(type=3, code=3) / Raw(bytes(tcp())[:28])
    wire.cross(1, IP(bytes(error)))
    wire.log("settled")
    wire.now += 2.0
    wire.cross(0, tcp(0, "A", b"bulk"), door=False)
    assert len(wire.audit()) == 1


def test_what_a_router_keeps_to_itself_is_left_out(wire: Wire) -> None:
    talk(wire)
    wire.frame(0, ARP(psrc=CLIENT, pdst=BOX), leaves=False)
    wire.frame(0, IP(src=CLIENT, dst=BOX) / ICMP(), leaves=False)
    wire.frame(0, IP(src=BOX, dst=CLIENT) / ICMP(type=0), leaves=True)
    wire.frame(0, IP(src=CLIENT, dst="224.0.0.251") / UDP(), leaves=False)
    wire.frame(0, IP(src=CLIENT, dst="255.255.255.255") / UDP(), leaves=False)
    wire.frame(0, IPv6(src="fe80::2", dst="fe80::1") / ICMPv6ND_NS(), leaves=False)
    wire.frame(0, IPv6(src="::", dst="ff02::1") / ICMPv6ND_NS(), leaves=False)
    expired = tcp(0, "S", ttl=1)
    wire.frame(0, expired, leaves=False)
    wire.frame(0, IP(src=BOX, dst=CLIENT) / ICMP(type=11) / Raw(bytes(expired)[:28]), leaves=True)
    broken = bytearray(bytes(tcp(0, "S")))
    broken[10] ^= 0xFF
    frame = Ether(src=PEERS[0], dst=MACS[0], type=0x0800) / Raw(bytes(broken))
    frame.time = wire.now
    wire.taps[0].append(frame)
    assert wire.audit() == []


@pytest.mark.parametrize("counted", [True, False])
def test_a_packet_refused_with_an_error_is_accounted_for(wire: Wire, counted: bool) -> None:
    talk(wire)
    packet = IP(bytes(IP(src=CLIENT, dst="240.0.0.9") / UDP(sport=5, dport=6) / Raw(b"x" * 99)))
    after = wire.enter(0, packet, door=False)
    quote = (after if counted else bytes(packet))[:28]
    error = IP(src=BOX, dst=CLIENT) / ICMP(type=3, code=0) / Raw(quote)
    wire.frame(0, IP(bytes(error)), leaves=True)
    # It never came to the forward hook, so the door cannot have seen it.
    assert wire.audit() == []


def test_cut_captures_are_compared_as_far_as_they_go(wire: Wire) -> None:
    wire.snaplen = 256
    talk(wire)
    assert wire.audit() == []
    wire.enter(0, tcp(0, "PA", b"z" * 1000))
    assert len(wire.audit()) == 1


# What must come to the door, and what is looked at


def test_a_flow_settled_in_one_generation_must_ask_again_in_the_next(wire: Wire) -> None:
    talk(wire)
    wire.log("settled")
    wire.now += 2.0  # the captures of these tests count whole seconds
    t = wire.now - EPOCH
    wire.events.append(
        {"event": "policy", "box": "gfw", "state": "active", "n": len(wire.door), "t": t}
    )
    wire.now += 2.0
    wire.cross(0, tcp(0, "A", b"under the old mark"), door=False)
    (problem,) = wire.audit()
    assert "entered inside and never came to the censor's door" in problem
    talk(wire)
    wire.log("settled")
    wire.cross(0, tcp(0, "A", b"asked for anew"), door=False)
    assert len(wire.audit()) == 1


def test_of_equal_packets_the_door_may_have_seen_the_last(wire: Wire) -> None:
    """A repetition over IPv6 is equal to its first; only the one after the change had to ask."""
    made = IPv6(src="2408::1", dst="2001:db8:2::1") / UDP(sport=5060, dport=4000) / Raw(b"x")
    again = IPv6(bytes(made))
    wire.cross(0, again)
    wire.log("settled")
    wire.now += 2.0
    wire.cross(0, again, door=False)
    wire.cross(0, again, door=False)
    t = wire.now + 2.0 - EPOCH
    wire.events.append(
        {"event": "policy", "box": "gfw", "state": "idle", "n": len(wire.door), "t": t}
    )
    wire.now += 4.0
    wire.cross(0, again)
    assert wire.audit() == []
    wire.now += 2.0
    wire.cross(0, again, door=False)
    (problem,) = wire.audit()
    assert "1 packet entered inside and never came to the censor's door" in problem


def test_without_offload_every_packet_must_come_to_the_door(wire: Wire) -> None:
    talk(wire)
    wire.log("settled")
    wire.now += 2.0
    wire.cross(0, tcp(0, "A", b"bulk"), door=False)
    (problem,) = wire.audit(offload=False)
    assert "though every packet must" in problem


def test_a_torn_capture_and_a_missing_one_are_reported(wire: Wire) -> None:
    talk(wire)
    wire.audit()
    path = wire.folder / "gfw-eth1.pcapng"
    whole = path.read_bytes()
    tap = Tap("gfw-eth1", False, path, MACS[1])
    scene = Scene("gfw", [tap], wire.folder / "door.pcapng")
    path.write_bytes(whole[:-20])
    assert "capture on gfw-eth1 ends in the middle of a packet" in audit(scene, wire.events)[0][0]
    path.write_bytes(b"\xd4\xc3\xb2\xa1" + bytes(40))
    assert "not a pcapng file" in audit(scene, wire.events)[0][0]
    path.unlink()
    assert "capture on gfw-eth1: " in audit(scene, wire.events)[0][0]


def test_packets_between_two_interfaces_of_one_side(wire: Wire, tmp_path: Path) -> None:
    """National: carriers meet at the border, so a packet may leave by the side it came from."""
    talk(wire)
    data = wire.enter(0, tcp(0, "PA", b"domestic"))
    packet = Ether(src="02:00:00:00:00:03", dst=PEERS[0]) / IP(data)
    packet.time = wire.now
    assert len(wire.audit()) == 1
    third = tmp_path / "gfw-eth2.pcapng"
    capture(third, [packet], None)
    taps = [
        Tap("gfw-eth0", True, tmp_path / "gfw-eth0.pcapng", MACS[0]),
        Tap("gfw-eth1", False, tmp_path / "gfw-eth1.pcapng", MACS[1]),
        Tap("gfw-eth2", True, third, "02:00:00:00:00:03"),
    ]
    assert audit(Scene("gfw", taps, tmp_path / "door.pcapng"), wire.events)[0] == []


def long_run(tmp_path: Path, count: int) -> tuple[Scene, list[Any]]:
    """Let so many packets pass a box unchanged, but for a hop."""
    taps: list[list[bytes]] = [[], []]
    door: list[Frame] = []
    for n in range(count):
        before, after = bytes_of(n, 64), bytes_of(n, 63)
        at = (EPOCH + 1) * 10**9 + n * 10_000
        head = bytes.fromhex((MACS[0] + PEERS[0]).replace(":", "")) + b"\x08\x00"
        tail = bytes.fromhex((PEERS[1] + MACS[1]).replace(":", "")) + b"\x08\x00"
        taps[0].append(head + before)
        taps[1].append(tail + after)
        door.append(Frame(at, 0, after, len(after)))
    scene_taps = []
    for side, frames in enumerate(taps):
        path = tmp_path / f"{side}.pcapng"
        write(path, ["x"], [Frame(door[n].at, 0, data, len(data)) for n, data in enumerate(frames)])
        ethernet = bytearray(path.read_bytes())
        struct.pack_into("<H", ethernet, 36, 1)
        path.write_bytes(ethernet)
        scene_taps.append(Tap(f"eth{side}", side == 0, path, MACS[side]))
    write(tmp_path / "door.pcapng", ("inside", "outside"), door)
    events = [{"event": "started", "epoch_ns": EPOCH * 10**9}]
    return Scene("gfw", scene_taps, tmp_path / "door.pcapng"), events


def test_work_grows_with_the_packets(tmp_path: Path) -> None:
    costs = []
    for count in (500, 500 * FACTOR):
        folder = tmp_path / str(count)
        folder.mkdir()
        scene = long_run(folder, count)
        problems, counts = audit(*scene)
        assert problems == []
        assert counts["door"] == count
        costs.append(work(lambda one: audit(*one), scene, str(Path(filterbed.__file__).parent)))
    assert 0 < costs[1] <= FACTOR * SLACK * costs[0]


def bytes_of(n: int, ttl: int) -> bytes:
    ends = b"\1\2\3\4\5\6\7\x08"
    fields = (0x45, 0, 1040, n & 0xFFFF, 0, ttl, 17, 0, ends)
    head = bytearray(struct.pack(">BBHHHBBH8s", *fields))
    total = sum(struct.unpack(">10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    struct.pack_into(">H", head, 10, 0xFFFF - ((total & 0xFFFF) + (total >> 16)))
    return bytes(head) + struct.pack(">HHHH", 1000 + n // 65536, 53, 1020, 0) + bytes(1012)
