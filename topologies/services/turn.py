"""Run the STUN and TURN servers of one host: coturn, with a user list of the scenario's.

One program for each service, for a realm is a program's. STUN answers on every address, so that two
addresses tell a client how its translator maps (RFC 5780).
Source: turnserver(1), coturn 4.6; RFC 8656.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from topologies.service import Turn
from topologies.services.program import Program, Ready, binary

PORT: Final = 3478
#: Where relayed addresses have their ports, where no other server listens.
RELAYED: Final = (49_152, 57_343)


def programs(node: str, services: Sequence[Turn], workdir: Path) -> Iterator[Program]:
    """Serve each of the services that listens."""
    for service in services:
        if service.manner != "refused":
            yield _program(node, service, workdir)


def _program(node: str, service: Turn, workdir: Path) -> Program:
    home = workdir / f"{node}-turn-{service.id}"
    config = home / "turnserver.conf"
    silent = service.manner == "silent"
    return Program(
        id=f"{node}-turn-{service.id}",
        node=node,
        argv=(binary("turnserver", "coturn"), "-c", str(config)),
        files={config: configuration(service, home)},
        ready=() if silent else tuple(Ready("stun", a, PORT) for a in service.addresses),
    )


def configuration(service: Turn, home: Path) -> str:
    """Write turnserver.conf: plain UDP and TCP, one realm, nothing outside `home`."""
    lines = [f"listening-ip={address}" for address in service.addresses]
    lines += [f"relay-ip={address}" for address in service.addresses]
    lines += [f"listening-port={PORT}", f"min-port={RELAYED[0]}", f"max-port={RELAYED[1]}"]
    lines += [f"realm={service.names[0].lower()}", "lt-cred-mech"]
    lines += [f"user={user}:{password}" for user, password in service.users]
    lines += ["no-tls", "no-dtls", "no-cli", "no-tcp-relay", "no-software-attribute"]
    lines += ["relay-threads=1", "log-file=stdout", "simple-log", "new-log-timestamp"]
    lines += [f"pidfile={home}/turn.pid", f"userdb={home}/turndb"]
    return "\n".join(lines) + "\n"
