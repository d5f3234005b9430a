"""A control pass as the door of a box records it, made with scapy; and what is asked of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dns.message
from scapy.layers.inet import IP, TCP, UDP
from scapy.packet import Packet, Raw

from filterbed.engine import COMMAND, Engines
from filterbed.header import raw
from filterbed.pcapng import Frame
from filterbed.proof import WAYS, play, prove
from filterbed.question import Question
from filterbed.rehearsal import Door
from scenarios.model import Label, Target, Truth

EPOCH = 1_700_000_000.0


CLIENTS = {"bj": "1.2.3.4", "sh": "1.2.4.4"}


RESOLVER, AUTH, SHARED, OTHER = "8.8.0.53", "9.9.0.53", "5.6.7.8", "5.6.7.9"


OK, DOWN = Label("ok"), Label("down")


POISONED = Label("blocked", frozenset({"dns.injection.other"}), "network")


RESET = Label("blocked", frozenset({"http.reset.host"}), "network")


RESIDUAL = Label("blocked", frozenset({"residual"}), "network")


#: target -> (name, address)
SITES = {
    "facebook": ("www.facebook.com", OTHER),
    "banned": ("banned.example.org", SHARED),
    "beside": ("beside.example.org", SHARED),
    "clean": ("clean.example.net", OTHER),
}


TRUTHS = {
    "facebook": Truth(POISONED, OK),
    "banned": Truth(RESET, OK),
    "beside": Truth(RESIDUAL, OK, by_log=True),
    "clean": Truth(OK, OK),
}


POLICY: dict[str, Any] = {
    "position": "on-path",
    "latency": 0.002,
    "rules": [
        {
            "id": "facebook-dns",
            "when": {"dns.name": {"suffix": ["facebook.com"]}},
            "then": {"inject": "dns-answer", "addresses": ["8.7.198.45"]},
        },
        {
            "id": "banned-host",
            "when": {"http.host": {"exact": ["banned.example.org"]}},
            "then": {
                "inject": "reset",
                "toward": "both",
                "residual": {
                    "key": "3-tuple",
                    "seconds": 90,
                    "on": "data",
                    "then": {"inject": "reset", "toward": "both"},
                },
            },
        },
    ],
}


@dataclass
class Pass:
    """A control pass, made by hand: the door's frames and the measurements."""

    now: float = EPOCH
    port: int = 40000
    frames: list[Frame] = field(default_factory=list)
    measurements: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def see(self, packet: Packet, *, inside: bool) -> None:
        self.now += 0.01
        data = bytes(packet)
        self.frames.append(Frame(round(self.now * 1e9), 0 if inside else 1, data, len(data)))

    def ask(self, client: str, server: str, name: str, port: int) -> None:
        query = dns.message.make_query(name, "A")
        answer = dns.message.make_response(query)
        udp = UDP(sport=port, dport=53)
        self.see(IP(src=client, dst=server) / udp / Raw(query.to_wire()), inside=True)
        back = UDP(sport=53, dport=port)
        self.see(IP(src=server, dst=client) / back / Raw(answer.to_wire()), inside=False)

    def fetch(self, client: str, server: str, name: str, port: int) -> None:
        there = IP(src=client, dst=server), {"sport": port, "dport": 80}
        here = IP(src=server, dst=client), {"sport": 80, "dport": port}
        request = f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n".encode()
        end = 101 + len(request)
        segments: list[tuple[Any, str, int, int, bytes]] = [
            (there, "S", 100, 0, b""),
            (here, "SA", 500, 101, b""),
            (there, "A", 101, 501, b""),
            (there, "PA", 101, 501, request),
            (here, "PA", 501, end, b"HTTP/1.1 200 OK\r\n\r\n"),
            (there, "FA", end, 520, b""),
            (here, "FA", 520, end + 1, b""),
            (there, "A", end + 1, 521, b""),
        ]
        for (ip, ports), flags, seq, ack, data in segments:
            tcp = TCP(**ports, flags=flags, seq=seq, ack=ack)
            self.see(ip / tcp / Raw(data) if data else ip / tcp, inside=ip is there[0])

    def measure(self, vantage: str, target: str, *, resolver: str = RESOLVER) -> None:
        name, server = SITES[target]
        client, start = CLIENTS[vantage], self.now
        self.port += 2
        self.ask(client, resolver, name, self.port)
        self.fetch(client, server, name, self.port + 1)
        self.measurements.setdefault(vantage, []).append(
            {
                "target": target,
                "t_start": start,
                "t_end": self.now,
                "flows": [
                    ["udp", "0.0.0.0", self.port, resolver, 53],
                    ["tcp", client, self.port + 1, server, 80],
                ],
            }
        )


def targets(names: Sequence[str]) -> tuple[Target, ...]:
    return tuple(Target(name, "web", {"url": f"http://{SITES[name][0]}/"}, {}) for name in names)


def question(
    truths: Mapping[str, Truth] = TRUTHS,
    order: Sequence[str] = ("facebook", "banned", "beside", "clean"),
    vantages: Sequence[str] = ("bj",),
    resolvers: Mapping[str, tuple[str, ...]] | None = None,
) -> Question:
    return Question(
        tuple(vantages),
        targets(order),
        {(vantage, name): truths[name] for vantage in vantages for name in order},
        {raw(address): name for name, address in CLIENTS.items() if name in vantages},
        {raw(address): names for address, names in (resolvers or {}).items()},
        {name: (address,) for name, address in SITES.values()},
    )


def control(order: Sequence[str] = tuple(SITES), vantages: Sequence[str] = ("bj",)) -> Pass:
    made = Pass()
    for vantage in vantages:
        for name in order:
            made.measure(vantage, name)
    return made


def proof(
    asked: Question,
    measurements: Mapping[str, list[dict[str, Any]]],
    door: Door,
    work: Path,
    engine: Sequence[str] = COMMAND,
) -> list[str]:
    """Prove with engines of this command, one box's."""
    with Engines({door.box: door.policy}, WAYS, work=work, command=engine) as engines:
        return prove(asked, play(asked, measurements, [door], engines), [door])
