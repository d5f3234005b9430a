"""Run Skype's legacy network on a host: supernodes, a login server, gateways to telephones.

The programs are ours, `filterbed.probe.supernode`: the real ones are gone since about 2014.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from topologies.service import Echo, Skype, SkypePart
from topologies.services.program import Program, Ready

SERVER: Final = (sys.executable, "-P", "-m", "filterbed.probe.supernode")
#: A datagram that a gateway answers, as a client would begin.
QUESTION: Final = "\x12\x34\x02" + "ready" * 4
#: Where each part listens: transport -> ports.
PORTS: Final[Mapping[SkypePart, Mapping[str, tuple[int, ...]]]] = {
    "supernode": {"udp": (33033,), "tcp": (33033, 80, 443)},
    "login": {"udp": (), "tcp": (33033, 443)},
    "gateway": {"udp": (12340,), "tcp": ()},
    "peer": {"udp": (), "tcp": (33033,)},
}


def programs(node: str, services: Sequence[Skype]) -> Iterator[Program]:
    """Give every part that answers a program of its own."""
    for service in services:
        if service.manner == "answers":
            yield Program(
                id=f"{node}-skype-{service.id}",
                node=node,
                argv=(*SERVER, service.part, *service.addresses),
                ready=tuple(_ready(service)),
            )


def echoes(node: str, services: Sequence[Echo]) -> Iterator[Program]:
    """Give every server that sends datagrams back a program of its own."""
    for service in services:
        if service.manner == "answers":
            yield Program(
                id=f"{node}-echo-{service.id}",
                node=node,
                argv=(*SERVER, str(service.port), *service.addresses),
                ready=tuple(Ready("udp", a, service.port, "ready") for a in service.addresses),
            )


def _ready(service: Skype) -> Iterator[Ready]:
    for address in service.addresses:
        for port in PORTS[service.part]["tcp"]:
            yield Ready("tcp", address, port)
        for port in PORTS[service.part]["udp"]:
            yield Ready("udp", address, port, QUESTION)
