"""Stand up the servers of a network: which programs serve what, and where they run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from topologies.plan import Plan
from topologies.service import Echo, Resolver, Service, Sip, Skype, Turn, Web
from topologies.services import (
    caddy,
    captive,
    dnssec,
    firewall,
    kamailio,
    nginx,
    nsd,
    sipp,
    skype,
    squid,
    turn,
    unbound,
)
from topologies.services.certificate import Authority
from topologies.services.program import Program
from topologies.services.standing import START_LIMIT, Dead, Spawn, Standing

__all__ = ["Dead", "Spawn", "Standing", "programs", "stand"]

WEB_PORTS = (80, 443)


def stand(
    plan: Plan,
    services: Sequence[Service],
    dns: Mapping[str, Sequence[str]],
    *,
    workdir: Path,
    spawn: Spawn,
    namespace: Callable[[str], str],
    limit: float = START_LIMIT,
) -> Standing:
    """Start every server of a network and return when each one answers.

    Args:
        dns: all names there are, name -> addresses; an empty tuple makes a name without addresses.
        workdir: a private directory; configurations lie in it, logs in its `logs/`.
        spawn: starts a program on a node (`Network.popen`).
        namespace: node -> the path of its network namespace, such as /proc/PID/ns/net.
        limit: seconds until a server that has not answered is a failure.
    Raises: ServiceError naming the first server that is not ready, its command and its log's
        end; MachineError where a program is not installed. Nothing is left running then.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    authority = Authority()
    standing = Standing(workdir, spawn, namespace)
    standing.ca.write_bytes(authority.pem)
    try:
        standing.start(programs(plan, services, dns, authority, workdir), limit=limit)
    except BaseException:
        standing.stop()
        raise
    return standing


def programs(
    plan: Plan,
    services: Sequence[Service],
    dns: Mapping[str, Sequence[str]],
    authority: Authority,
    workdir: Path,
) -> tuple[Program, ...]:
    """List the programs that a network's services need; nothing is started or written."""
    signer = _signer(plan, services)
    found = [*nsd.programs(dns, workdir, signer)]
    for node in plan.nodes:
        if node.role == "resolver":
            own = _held(plan, node.name)
            anchor = signer.anchor() if signer and node.validates else None
            found.append(unbound.program(node.name, own, workdir, keeps=node.keeps, anchor=anchor))
    found += [*squid.programs(plan, workdir), *captive.programs(plan, workdir)]
    for name in dict.fromkeys(service.node for service in services):
        here = [service for service in services if service.node == name]
        webs = [service for service in here if isinstance(service, Web)]
        sips = [service for service in here if isinstance(service, Sip)]
        servers = (
            nginx.program(name, webs, authority, workdir),
            caddy.program(name, webs, authority, workdir),
            kamailio.program(name, sips, workdir, sipp.trunks(name, sips)),
        )
        found += [program for program in servers if program]
        found += sipp.programs(name, sips, workdir)
        relays = [service for service in here if isinstance(service, Turn)]
        found += turn.programs(name, relays, workdir)
        found += skype.programs(name, [one for one in here if isinstance(one, Skype)])
        found += skype.echoes(name, [one for one in here if isinstance(one, Echo)])
        anchor = signer.anchor() if signer else None
        found += [
            unbound.public(name, one, authority, workdir, anchor=anchor)
            for one in here
            if isinstance(one, Resolver) and one.manner == "answers"
        ]
        closed = [*_silent(here)]
        found += [firewall.program(name, closed, workdir)] if closed else []
    return tuple(found)


def _signer(plan: Plan, services: Sequence[Service]) -> dnssec.Signer | None:
    """Sign every zone where somebody validates."""
    if not any(node.validates for node in plan.nodes):
        return None
    stale = [s for s in services if isinstance(s, Web) and s.signature == "expired"]
    return dnssec.Signer(frozenset(name for service in stale for name in service.names))


def _silent(services: Sequence[Service]) -> Iterator[firewall.Closed]:
    for service in services:
        for address in service.addresses if service.manner == "silent" else ():
            if isinstance(service, Web):
                yield address, "tcp", WEB_PORTS
                if service.http3:
                    yield address, "udp", (caddy.PORT,)
            elif isinstance(service, Resolver):
                yield address, "tcp", (53, *unbound.SECURE)
                yield address, "udp", (53,)
            elif isinstance(service, Echo):
                yield address, "udp", (service.port,)
            elif isinstance(service, Skype):
                yield from ((address, *closed) for closed in skype.PORTS[service.part].items())
            else:
                port = turn.PORT if isinstance(service, Turn) else kamailio.PORT
                yield from ((address, protocol, (port,)) for protocol in ("udp", "tcp"))


def _held(plan: Plan, node: str) -> tuple[str, ...]:
    return tuple(address.partition("/")[0] for address in plan.node(node).addresses)
