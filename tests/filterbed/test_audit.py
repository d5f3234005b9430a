"""Break each witness of the wire on purpose: each break must be reported, and nothing else."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6ND_NS, IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet, Raw
from scapy.utils import PcapNgWriter

import filterbed
from filterbed.audit import Scene, Tap, audit
from filterbed.pcapng import Frame, write
from fuzz.growth import FACTOR, SLACK, work

MACS = ("02:00:00:00:00:01", "02:00:00:00:00:02")
PEERS = ("02:00:00:00:01:01", "02:00:00:00:01:02")
CLIENT, SERVER, BOX = "1.2.3.4", "5.6.7.8", "9.9.9.1"
EPOCH = 1_700_000_000


@dataclass
class Wire:
    """A box that is played by hand: what its two interfaces and its door record."""

    folder: Path
    taps: tuple[list[Packet], list[Packet]] = field(default_factory=lambda: ([], []))
    door: list[Frame] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    now: float = EPOCH + 1.0
    snaplen: int | None = None

    def __post_init__(self) -> None:
        self.events.append({"event": "started", "box": "gfw", "epoch_ns": EPOCH * 10**9})

    def frame(self, side: int, packet: Packet, *, leaves: bool) -> None:
        self.now += 0.001
        ends = (MACS[side], PEERS[side]) if leaves else (PEERS[side], MACS[side])
        frame = Ether(src=ends[0], dst=ends[1]) / packet
        frame.time = self.now
        self.taps[side].append(frame)

    def enter(self, side: int, packet: Packet, *, door: bool = True) -> bytes:
        """Let a packet arrive; return it as it is after the hop."""
        self.frame(side, packet, leaves=False)
        after = hop(packet)
        if door:
            data = bytes(after)
            self.door.append(Frame(round(self.now * 1e9), side, data, len(data)))
        return bytes(after)

    def leave(self, side: int, data: bytes) -> None:
        packet = IPv6(data) if data[0] >> 4 == 6 else IP(data)
        self.frame(side, packet, leaves=True)

    def cross(self, side: int, packet: Packet, *, door: bool = True) -> None:
        self.leave(1 - side, self.enter(side, packet, door=door))

    def log(self, event: str, **more: Any) -> None:
        flow = {"protocol": "tcp", "client": CLIENT, "client_port": 4000}
        flow |= {"server": SERVER, "server_port": 80}
        t = self.now - EPOCH
        line = {"event": event, "box": "gfw", "t": t, "n": len(self.door), "flow": flow, **more}
        self.events.append(line)

    def audit(self, *, offload: bool = True) -> list[str]:
        return self.audit_all(offload=offload)[0]

    def audit_all(self, *, offload: bool = True) -> tuple[list[str], dict[str, Any]]:
        taps = []
        for side, frames in enumerate(self.taps):
            path = self.folder / f"gfw-eth{side}.pcapng"
            capture(path, frames, self.snaplen)
            taps.append(Tap(f"gfw-eth{side}", side == 0, path, MACS[side]))
        write(self.folder / "door.pcapng", ("inside", "outside"), self.door)
        scene = Scene("gfw", taps, self.folder / "door.pcapng", [BOX, "2001:db8::1"], offload)
        return audit(scene, self.events)


def capture(path: Path, frames: list[Packet], snaplen: int | None) -> None:
    """Write an Ethernet capture with scapy, microseconds, as dumpcap would."""
    writer = PcapNgWriter(str(path))
    writer.write_header(Ether())
    for frame in frames:
        data, at = bytes(frame), float(frame.time)
        kept = data if snaplen is None else data[:snaplen]
        micro = round(at % 1 * 1e6)
        writer.write_packet(kept, sec=int(at), usec=micro, caplen=len(kept), wirelen=len(data))
    writer.close()


def hop(packet: Packet) -> Packet:
    copy = packet.copy()
    if IPv6 in copy:
        copy[IPv6].hlim -= 1
        return IPv6(bytes(copy))
    copy[IP].ttl -= 1
    del copy[IP].chksum
    return IP(bytes(copy))


def tcp(side: int = 0, flags: str = "A", data: bytes = b"", **ip: Any) -> Packet:
    """One segment of the connection 1.2.3.4:4000 -> 5.6.7.8:80; `side` 1 is the way back."""
    ends = (CLIENT, SERVER, 4000, 80) if side == 0 else (SERVER, CLIENT, 80, 4000)
    ip = {"ttl": 64, "id": random.randrange(1, 65536), **ip}
    packet = IP(src=ends[0], dst=ends[1], **ip) / TCP(sport=ends[2], dport=ends[3], flags=flags)
    return IP(bytes(packet / Raw(data) if data else packet))


def talk(wire: Wire) -> None:
    """A short conversation that the box leaves alone."""
    wire.cross(0, tcp(0, "S"))
    wire.cross(1, tcp(1, "SA"))
    wire.cross(0, tcp(0, "PA", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
    wire.cross(1, tcp(1, "PA", b"HTTP/1.1 200 OK\r\n\r\n" * 40))


@pytest.fixture
def wire(tmp_path: Path) -> Wire:
    return Wire(tmp_path)


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


# What is not


def lost(wire: Wire) -> None:
    wire.enter(0, tcp(0, "A", b"lost"))


def unlogged(wire: Wire) -> None:
    wire.leave(0, bytes(tcp(1, "R", ttl=77)))


def unsent(wire: Wire) -> None:
    wire.log("injected", toward="client", packets=[bytes(tcp(1, "R")).hex()])


def wrong_side(wire: Wire) -> None:
    forged = bytes(tcp(0, "R"))
    wire.log("injected", toward="client", packets=[forged.hex()])
    wire.leave(1, forged)


def undead(wire: Wire) -> None:
    wire.cross(0, tcp(0, "PA", b"forbidden"))
    wire.log("dropped")


def altered(wire: Wire) -> None:
    data = bytearray(wire.enter(0, tcp(0, "PA", b"abc")))
    data[-1] ^= 1
    wire.leave(1, bytes(data))


def two_hops(wire: Wire) -> None:
    packet = IP(wire.enter(0, tcp(0, "PA", b"abc")))
    wire.leave(1, bytes(hop(packet)))


def twice(wire: Wire) -> None:
    data = wire.enter(0, tcp(0, "PA", b"abc"))
    wire.leave(1, data)
    wire.leave(1, data)


def ghost(wire: Wire) -> None:
    data = bytes(tcp(0, "PA", b"ghost", ttl=63))
    wire.door.append(Frame(round(wire.now * 1e9), 0, data, len(data)))


def unasked(wire: Wire) -> None:
    packet = IP(src=CLIENT, dst=SERVER, ttl=64) / UDP(sport=6000, dport=53) / Raw(b"query")
    wire.cross(0, IP(bytes(packet)), door=False)


def not_settled_yet(wire: Wire) -> None:
    packet = IP(src=CLIENT, dst=SERVER, ttl=64) / UDP(sport=6000, dport=53)
    wire.cross(0, IP(bytes(packet / Raw(b"one"))), door=False)
    wire.now += 1
    wire.cross(0, IP(bytes(packet / Raw(b"two"))))
    wire.log("settled")


def asked_but_not_settled(wire: Wire) -> None:
    wire.now += 2.0
    wire.cross(0, tcp(0, "A", b"bulk"), door=False)


def no_such_packet(wire: Wire) -> None:
    wire.log("dropped", n=99)


def no_number(wire: Wire) -> None:
    wire.log("dropped", n=None)


def never_started(wire: Wire) -> None:
    del wire.events[0]


BREAKS: list[tuple[Callable[[Wire], None], list[str]]] = [
    (lost, ["1 packet entered inside and never left outside, and no event accounts for it"]),
    (unlogged, ["1 packet left inside, but neither entered outside nor was logged as injected"]),
    (unsent, ["1 packet logged as injected toward inside, but not on the wire there"]),
    (
        wrong_side,
        ["injected toward inside, but not on the wire", "left outside, but neither entered"],
    ),
    (undead, ["1 packet logged as dropped, but seen leaving outside"]),
    (altered, ["entered inside and never left", "left outside, but neither entered"]),
    (two_hops, ["entered inside and never left", "left outside, but neither entered"]),
    (twice, ["1 packet left outside, but neither entered inside"]),
    (ghost, ["1 packet at the censor's door that no capture saw enter inside"]),
    (unasked, ["entered inside and never came to the censor's door"]),
    (not_settled_yet, ["entered inside and never came to the censor's door"]),
    (asked_but_not_settled, ["entered inside and never came to the censor's door"]),
    (no_such_packet, ["the log has `dropped` about packet 99, but the door record has 4"]),
    (no_number, ["the log has `dropped` about packet None"]),
    (never_started, ["the censor did not start"]),
]


@pytest.mark.parametrize(("breaking", "reports"), BREAKS, ids=lambda x: getattr(x, "__name__", ""))
def test_each_break_is_reported(
    wire: Wire, breaking: Callable[[Wire], None], reports: list[str]
) -> None:
    talk(wire)
    breaking(wire)
    problems = wire.audit()
    assert len(problems) == len(reports), problems
    for report in reports:
        assert sum(report in problem for problem in problems) == 1, problems
    assert all(problem.startswith("audit: box gfw: ") for problem in problems)


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
