"""Run the callees of SIP providers: sipp registers each, answers its calls and echoes their media.

Limits: a callee answers over UDP at its provider's first address; its media comes back on one port
for all calls at once. sipp's exit status says nothing about media: count RTP on the caller's side.
Source: sipp 3.6 manual.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path

from topologies.service import Sip
from topologies.services import kamailio
from topologies.services.program import Program, Ready, binary

#: First ports of the callees of one host: signalling, registering, and media (two a callee).
PORT, REGISTER_PORT, MEDIA_PORT = 5062, 5162, 30_000
#: sipp draws its screen into the log every so many seconds: never.
QUIET = ("-nostdin", "-f", "86400")


def programs(node: str, services: Sequence[Sip], workdir: Path) -> Iterator[Program]:
    """Give every callee of the services that answer two programs: one registers, one answers."""
    pairs = [(s, callee) for s in services if s.manner == "answers" for callee in s.callees]
    for number, (service, callee) in enumerate(pairs):
        yield _answering(node, service, callee, number, workdir)
        yield _registering(node, service, callee, number, workdir)


def _answering(node: str, service: Sip, callee: str, number: int, workdir: Path) -> Program:
    name = f"{node}-sipp-{service.id}-{callee}"
    script = workdir / name / "answer.xml"
    address, port = service.addresses[0], PORT + number
    media = ("-rtp_echo", "-mi", address, "-mp", str(MEDIA_PORT + 4 * number))
    here = ("-i", address, "-p", str(port))
    return Program(
        id=name,
        node=node,
        argv=(binary("sipp", "sip-tester"), "-sf", str(script), *here, *media, "-aa", *QUIET),
        files={script: (files(__package__) / "answer.xml").read_text()},
        ready=(Ready("sip", address, port, f"{callee}@{service.names[0]}"),),
        after=(f"{node}-kamailio",),
    )


def _registering(node: str, service: Sip, callee: str, number: int, workdir: Path) -> Program:
    name = f"{node}-sipp-{service.id}-{callee}-register"
    script = workdir / name / "register.xml"
    address = service.addresses[0]
    host = f"[{address}]" if ":" in address else address
    who = ("-s", callee, "-au", callee, "-ap", kamailio.password(service, callee))
    keys = ("-key", "domain", service.names[0], "-key", "contact_port", str(PORT + number))
    here = ("-i", address, "-p", str(REGISTER_PORT + number))
    path = binary("sipp", "sip-tester")
    once = ("-m", "1", "-timeout", "10", "-timeout_error")
    return Program(
        id=name,
        node=node,
        argv=(
            *(path, f"{host}:{kamailio.PORT}", "-sf", str(script)),
            *(*who, *keys, *here, *once, *QUIET),
        ),
        files={script: (files(__package__) / "register.xml").read_text()},
        after=(f"{node}-kamailio",),
        once=True,
    )
