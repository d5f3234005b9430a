"""A box that is played by hand: what its interfaces, its door record and its log hold."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw
from scapy.utils import PcapNgWriter

from filterbed.audit import Scene, Tap, audit
from filterbed.pcapng import Frame, write

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
