"""How late forged packets left is read off the wire; the censor's own clock does not count."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

from filterbed.audit import Scene, Tap
from filterbed.latency import errors, summary
from filterbed.pcapng import Frame, write

NOBODY = {"count": 0, "median": None, "p95": None, "max": None}
MAC, FAR = "02:00:00:00:00:01", "02:00:00:00:00:02"
FLOW = {"protocol": "udp", "client": "202.106.45.2", "client_port": 4000,
        "server": "8.8.8.8", "server_port": 53}  # fmt: skip
ASK = IP(src="202.106.45.2", dst="8.8.8.8", ttl=63) / UDP(sport=4000, dport=53) / Raw(b"who?")
LIE = IP(src="8.8.8.8", dst="202.106.45.2", ttl=64, id=7) / UDP(sport=53, dport=4000) / Raw(b"me")
MS = 1_000_000


def tap(path: Path, frames: Sequence[tuple[int, bool, Packet]]) -> Tap:
    """Write an Ethernet capture with nanoseconds: (at, came in, the packet as it is in the box)."""

    def block(kind: int, body: bytes) -> bytes:
        body += b"\0" * (-len(body) % 4)
        size = struct.pack("<I", len(body) + 12)
        return struct.pack("<I", kind) + size + body + size

    data = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    data += block(1, struct.pack("<HHIHHB3xI", 1, 0, 0, 9, 1, 9, 0))
    for at, came, packet in frames:
        whole = packet.copy()
        if came:
            whole[IP].ttl += 1
        src, dst = (FAR, MAC) if came else (MAC, FAR)
        frame = bytes(Ether(src=src, dst=dst) / whole)
        head = struct.pack("<IIIII", 0, at >> 32, at & 0xFFFFFFFF, len(frame), len(frame))
        data += block(6, head + frame)
    path.write_bytes(data)
    return Tap("b0", True, path, MAC)


def scene(folder: Path, frames: Sequence[tuple[int, bool, Packet]], door: list[int]) -> Scene:
    path = folder / "door"
    write(path, ("inside", "outside"), [Frame(at, 0, bytes(ASK), len(ASK)) for at in door])
    return Scene("gfw", [tap(folder / "b0", frames)], path)


def injected(n: int = 1, after: float = 0.002, *packets: Packet) -> dict[str, Any]:
    sent = [bytes(packet).hex() for packet in packets or (LIE,)]
    return {"event": "injected", "n": n, "after": after, "flow": FLOW, "packets": sent}


def test_the_error_is_between_both_captures_less_what_the_policy_wants(tmp_path: Path) -> None:
    # The censor read the question 0.7 ms after it had come in: that is part of the error.
    frames = [(5 * MS, True, ASK), (8 * MS, False, LIE)]
    found = errors(scene(tmp_path, frames, [5 * MS + 700_000]), [injected()])
    assert found == [pytest.approx(0.001)]


def test_every_copy_and_every_question_is_measured_by_itself(tmp_path: Path) -> None:
    frames = [(0, True, ASK), (2 * MS, False, LIE), (3 * MS, False, LIE),
              (50 * MS, True, ASK), (56 * MS, False, LIE)]  # fmt: skip
    one = scene(tmp_path, frames, [100_000, 50 * MS])
    found = errors(one, [injected(1, 0.002, LIE, LIE), injected(2)])
    assert found == [pytest.approx(0), pytest.approx(0.001), pytest.approx(0.004)]


def test_an_identification_that_the_kernel_chose_hides_nothing(tmp_path: Path) -> None:
    other = LIE.copy()
    other[IP].id = 4711
    frames = [(0, True, ASK), (2 * MS, False, other)]
    assert len(errors(scene(tmp_path, frames, [0]), [injected()])) == 1


@pytest.mark.parametrize("n", [1, 2])
def test_what_is_not_on_the_wire_or_at_the_door_is_left_to_the_audit(
    tmp_path: Path, n: int
) -> None:
    assert errors(scene(tmp_path, [(0, True, ASK)], [0]), [injected(n)]) == []
    gone = Scene("gfw", [], tmp_path / "nowhere")
    assert errors(gone, [injected(n)]) == []


def test_other_events_are_not_measured(tmp_path: Path) -> None:
    frames = [(0, True, ASK), (2 * MS, False, LIE)]
    assert errors(scene(tmp_path, frames, [0]), [injected() | {"event": "rewritten"}]) == []


def test_the_summary_is_by_nearest_rank_and_null_where_there_is_nothing() -> None:
    assert summary([]) == NOBODY
    hundred = [number / 1000 for number in range(100, 0, -1)]
    assert summary(hundred) == {"count": 100, "median": 0.0505, "p95": 0.095, "max": 0.1}
