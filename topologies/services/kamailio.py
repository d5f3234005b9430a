"""Run the SIP providers of one host: Kamailio as registrar and proxy with digest authentication.

Every service is a domain of its own, known by any of its names and addresses; the first name is
the realm. Users register and call with their password, callees are users as well.
Source: Kamailio 5.6, modules auth, registrar, usrloc; RFC 3261.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from topologies.errors import PlanError, Problem
from topologies.service import Sip
from topologies.services.program import Program, Ready, binary

PORT = 5060
#: Megabytes of shared memory, and private memory a process.
MEMORY = ("-m", "32", "-M", "4")
#: What a quoted string in the configuration can hold without escapes, variables and comments.
WORD = re.compile(r"[A-Za-z0-9._~+!*()=:,;/?&-]+")


@dataclass(frozen=True, slots=True)
class Trunk:
    """Where a service's gateway answers one of its numbers: `at` is an address and a port."""

    service: str
    number: str
    at: str


def program(
    node: str, services: Sequence[Sip], workdir: Path, trunks: Sequence[Trunk] = ()
) -> Program | None:
    """Serve what listens among the services; None where nothing does."""
    open_ = [service for service in services if service.manner != "refused"]
    if not open_:
        return None
    home = workdir / f"{node}-kamailio"
    config = home / "kamailio.cfg"
    own = ("-P", f"{home}/pid", "-Y", str(home), "-w", str(home))
    path = binary("kamailio", "kamailio")
    return Program(
        id=f"{node}-kamailio",
        node=node,
        argv=(path, "-DD", "-E", *MEMORY, "-f", str(config), *own),
        files={config: configuration(open_, trunks)},
        ready=tuple(
            Ready("sip", address, PORT, service.names[0])
            for service in open_
            if service.manner != "silent"
            for address in service.addresses
        ),
    )


def password(service: Sip, callee: str) -> str:
    """Make up a callee's password: nobody but the testbed uses it, and it is the same each time."""
    return hashlib.sha256(f"{service.id} {callee}".encode()).hexdigest()[:16]


def configuration(services: Sequence[Sip], trunks: Sequence[Trunk] = ()) -> str:
    """Fill in the template; PlanError for a name or password that it cannot hold."""
    _check(services)
    template = (files(__package__) / "kamailio.cfg").read_text()
    return (
        template.replace("#@LISTEN\n", "".join(_listen(services)))
        .replace("#@DOMAINS\n", "".join(_domains(services)))
        .replace("#@USERS\n", "".join(_users(services)))
        .replace("#@UNPAID\n", "".join(_unpaid(services)))
        .replace("#@NUMBERS\n", "".join(_numbers(services, trunks)))
        .replace("#@GATEWAY\n", "".join(_gateway(trunks)))
    )


def _listen(services: Iterable[Sip]) -> Iterable[str]:
    for service in services:
        for address in service.addresses:
            for protocol in ("udp", "tcp"):
                yield f"listen={protocol}:{_host(address)}:{PORT}\n"
        for name in service.names:
            yield f'alias="{name.lower()}"\n'


def _domains(services: Iterable[Sip]) -> Iterable[str]:
    for service in services:
        hosts = (*(name.lower() for name in service.names), *map(_host, service.addresses))
        test = " || ".join(f'$(rd{{s.tolower}}) == "{host}"' for host in hosts)
        yield f'  if ({test}) $var(domain) = "{service.names[0].lower()}";\n'


def _users(services: Iterable[Sip]) -> Iterable[str]:
    for service in services:
        domain = service.names[0].lower()
        callees = ((callee, password(service, callee)) for callee in service.callees)
        for user, secret in (*service.users, *callees):
            yield f'  if ($var(who) == "{user}@{domain}") $var(password) = "{secret}";\n'


def _unpaid(services: Iterable[Sip]) -> Iterable[str]:
    for service in services:
        for user in service.unpaid:
            yield f'  if ($var(who) == "{user}@{service.names[0].lower()}") $var(unpaid) = 1;\n'


def _numbers(services: Iterable[Sip], trunks: Iterable[Trunk]) -> Iterable[str]:
    domains = {service.id: service.names[0].lower() for service in services}
    for trunk in trunks:
        test = f'$var(called) == "{trunk.number.lstrip("+")}@{domains[trunk.service]}"'
        yield f'  if ({test}) $var(trunk) = "sip:{trunk.at}";\n'


def _gateway(trunks: Iterable[Trunk]) -> Iterable[str]:
    for trunk in trunks:
        host, _, port = trunk.at.rpartition(":")
        test = f'($si == "{host}" || $si == "{host.strip("[]")}") && $sp == {port}'
        yield f"  if ({test}) $var(gateway) = 1;\n"


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _check(services: Iterable[Sip]) -> None:
    problems = [
        Problem(("services", service.id), word, "letters, digits and ._~+!*()=:,;/?&-")
        for service in services
        for word in (
            *service.names,
            *service.callees,
            *service.unpaid,
            *(w for user in service.users for w in user),
        )
        if not WORD.fullmatch(word)
    ]
    if problems:
        raise PlanError(tuple(problems))
