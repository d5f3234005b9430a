"""A forgery that came second is told; one that came first, or was alone, is not."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from scapy.layers.dns import DNS, DNSQR, DNSRR
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

from filterbed.pcapng import Frame, write
from filterbed.race import losses

EPOCH = 1_795_000_000
FLOW = {"protocol": "udp", "client": "202.106.45.2", "client_port": 4000,
        "server": "8.8.8.8", "server_port": 53}  # fmt: skip
ASK = IP(src="202.106.45.2", dst="8.8.8.8") / UDP(sport=4000, dport=53)
ANSWER = IP(src="8.8.8.8", dst="202.106.45.2") / UDP(sport=53, dport=4000)


def answer(address: str) -> Packet:
    record = DNSRR(rrname="x.org", rdata=address)
    return ANSWER / DNS(id=7, qr=1, qd=[DNSQR(qname="x.org")], an=[record])


QUERY = ASK / DNS(id=7, qd=[DNSQR(qname="x.org")])
FORGED, REAL = answer("8.7.198.45"), answer("93.184.216.34")


def capture(path: Path, packets: list[tuple[float, Packet]]) -> Path:
    """Write pcapng by hand: Ethernet, microseconds; times are seconds after EPOCH."""

    def block(kind: int, body: bytes) -> bytes:
        size = len(body) + 12
        return struct.pack("<II", kind, size) + body + struct.pack("<I", size)

    data = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    data += block(1, struct.pack("<HHI", 1, 0, 0))
    for at, packet in packets:
        frame = bytes(Ether() / packet)
        micro = EPOCH * 10**6 + round(at * 1e6)
        head = struct.pack("<IIIII", 0, micro >> 32, micro & 0xFFFFFFFF, len(frame), len(frame))
        data += block(6, head + frame + b"\0" * (-len(frame) % 4))
    path.write_bytes(data)
    return path


def log(packet: Packet, t: float = 1.0, **more: Any) -> list[dict[str, Any]]:
    injected = {"event": "injected", "t": t, "flow": FLOW, "toward": "client", "rule": "r"}
    return [
        {"event": "started", "t": 0.0, "epoch_ns": EPOCH * 10**9},
        injected | {"packets": [bytes(packet).hex()]} | more,
    ]


def test_a_forgery_that_comes_first_is_no_problem(tmp_path: Path) -> None:
    path = capture(tmp_path / "a", [(1.0, QUERY), (1.002, FORGED), (1.040, REAL)])
    assert losses([path], tmp_path / "no-door", log(FORGED)) == []


def test_a_forgery_that_comes_second_is_told(tmp_path: Path) -> None:
    path = capture(tmp_path / "a", [(1.0, QUERY), (1.040, REAL), (1.045, FORGED)])
    (problem,) = losses([path], tmp_path / "no-door", log(FORGED))
    assert "came 5.0 ms before what rule r forged" in str(problem)
    assert "8.8.8.8" in str(problem)


def test_what_came_before_the_trigger_does_not_count(tmp_path: Path) -> None:
    path = capture(tmp_path / "a", [(0.9, REAL), (1.0, QUERY), (1.002, FORGED)])
    assert losses([path], tmp_path / "no-door", log(FORGED)) == []


def test_an_acknowledgement_is_no_data_and_a_page_is(tmp_path: Path) -> None:
    flow = FLOW | {"protocol": "tcp", "server_port": 80}
    back = IP(src="8.8.8.8", dst="202.106.45.2") / TCP(sport=80, dport=4000, flags="A")
    forged = IP(src="8.8.8.8", dst="202.106.45.2") / TCP(sport=80, dport=4000, flags="R", seq=9)
    quiet = capture(tmp_path / "a", [(1.001, back), (1.002, forged)])
    loud = capture(tmp_path / "b", [(1.001, back / Raw(b"HTTP/1.1 200")), (1.002, forged)])
    assert losses([quiet], tmp_path / "no-door", log(forged, flow=flow)) == []
    assert len(losses([loud], tmp_path / "no-door", log(forged, flow=flow))) == 1


def test_the_kernels_own_identification_does_not_hide_a_forgery(tmp_path: Path) -> None:
    sent = FORGED.copy()
    sent[IP].id = 4711
    path = capture(tmp_path / "a", [(1.0, QUERY), (1.002, sent), (1.040, REAL)])
    assert losses([path], tmp_path / "no-door", log(FORGED)) == []


def test_forgeries_toward_the_server_and_other_events_have_no_race(tmp_path: Path) -> None:
    path = capture(tmp_path / "a", [(1.0, QUERY), (1.040, REAL), (1.045, FORGED)])
    assert losses([path], tmp_path / "no-door", log(FORGED, toward="server")) == []
    assert losses([path], tmp_path / "no-door", log(FORGED, event="matched")) == []
    assert losses([tmp_path / "missing"], tmp_path / "no-door", log(FORGED)) == []


def test_a_connection_that_was_reset_has_no_later_race_but_every_query_has_its_own(
    tmp_path: Path,
) -> None:
    again = [(1.0, QUERY), (1.002, FORGED), (2.0, QUERY), (2.040, REAL), (2.042, FORGED)]
    path = capture(tmp_path / "a", again)
    twice = [*log(FORGED), log(FORGED, t=2.0)[1]]
    assert len(losses([path], tmp_path / "no-door", twice)) == 1
    flow = FLOW | {"protocol": "tcp", "server_port": 80}
    back = IP(src="8.8.8.8", dst="202.106.45.2") / TCP(sport=80, dport=4000, flags="A")
    reset = IP(src="8.8.8.8", dst="202.106.45.2") / TCP(sport=80, dport=4000, flags="R", seq=9)
    page = back / Raw(b"HTTP/1.1 200")
    path = capture(tmp_path / "c", [(1.002, reset), (1.040, page), (1.042, reset)])
    twice = [*log(reset, flow=flow), log(reset, t=1.03, flow=flow)[1]]
    assert losses([path], tmp_path / "no-door", twice) == []


def test_what_answers_the_servers_own_data_races_nobody(tmp_path: Path) -> None:
    door = tmp_path / "door"
    write(door, ("inside", "outside"), [Frame(0, 1, bytes(REAL), len(REAL))])
    beaten = capture(tmp_path / "b", [(1.0, REAL), (1.002, FORGED)])
    assert len(losses([beaten], tmp_path / "no-door", log(FORGED, n=1))) == 1
    assert losses([beaten], door, log(FORGED, n=1)) == []
