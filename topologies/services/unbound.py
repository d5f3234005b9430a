"""Run a recursor: Unbound, which goes down from the root every time and keeps nothing.

It knows the sandbox's own root by its hints, and asks it, the top level domain's server and the
name's own. One that keeps answers does so for as long as they say. The testbed's own servers say no
time at all, so that what is kept was forged on the way to it. One that is given a key to trust
validates (RFC 4035): what it cannot verify it answers SERVFAIL, and for a minute it remembers which
zones' keys those were.
Source: unbound.conf(5), unbound-control(8), Unbound 1.17.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from pathlib import Path

from topologies.errors import MachineError
from topologies.plan import Plan
from topologies.service import Resolver, Service
from topologies.services import zone
from topologies.services.certificate import Authority
from topologies.services.program import Program, Ready, binary, unconfined

#: Zones that Unbound answers by itself unless told not to (RFC 6761, RFC 6303).
OWN_ZONES = ("test.", "invalid.", "onion.", "home.arpa.", "local.")

#: Ports of DNS over TLS (RFC 7858) and over HTTPS (RFC 8484).
SECURE = (853, 443)

#: What the file is called that says where the root is.
HINTS = "root.hints"

#: Seconds to wait for a recursor that is told to forget.
PATIENCE = 5.0


def program(
    node: str,
    addresses: Sequence[str],
    workdir: Path,
    *,
    keeps: bool = False,
    anchor: str | None = None,
) -> Program:
    """Resolve at `addresses`, from the root down.

    `anchor` is the root's DNSKEY, where the recursor is to validate.
    """
    home = workdir / f"{node}-unbound"
    config = home / "unbound.conf"
    path, copied = unconfined(binary("unbound", "unbound"), workdir)
    return Program(
        id=f"{node}-unbound",
        node=node,
        argv=(path, "-d", "-c", str(config)),
        files={
            config: configuration(addresses, home, keeps=keeps, anchor=anchor),
            home / HINTS: zone.hints(),
            **copied,
        },
        ready=tuple(Ready("dns", address, 53) for address in addresses),
    )


def public(
    node: str,
    service: Resolver,
    authority: Authority,
    workdir: Path,
    *,
    anchor: str | None = None,
) -> Program:
    """Resolve for everybody at a service's addresses: on port 53, over TLS, and over HTTPS."""
    home = workdir / f"{node}-unbound-{service.id}"
    config = home / "unbound.conf"
    path, copied = unconfined(binary("unbound", "unbound"), workdir)
    pair = authority.issue(service.names, service.addresses, "valid")
    listen = [f"{address}@{port}" for address in service.addresses for port in (53, *SECURE)]
    text = configuration(listen, home, anchor=anchor)
    secured = f'''server:
  tls-port: {SECURE[0]}
  https-port: {SECURE[1]}
  tls-service-pem: "{home}/server.pem"
  tls-service-key: "{home}/server.key"
'''
    return Program(
        id=f"{node}-unbound-{service.id}",
        node=node,
        argv=(path, "-d", "-c", str(config)),
        files={
            config: text.replace("server:\n", secured, 1),
            home / HINTS: zone.hints(),
            home / "server.pem": pair.certificate,
            home / "server.key": pair.key,
            **copied,
        },
        ready=(
            *(Ready("dns", address, 53) for address in service.addresses),
            *(Ready("tcp", address, port) for address in service.addresses for port in SECURE),
        ),
    )


def recursors(plan: Plan, services: Iterable[Service]) -> tuple[str, ...]:
    """List the ids of the programs that resolve names in a network."""
    own = [f"{node.name}-unbound" for node in plan.nodes if node.role == "resolver"]
    offered = [s for s in services if isinstance(s, Resolver) and s.manner == "answers"]
    return (*own, *(f"{service.node}-unbound-{service.id}" for service in offered))


def flush(recursor: str, workdir: Path) -> None:
    """Have a recursor forget all it keeps: answers, and keys that it could not verify.

    Args: `recursor` is its program's id.

    Wire:   unbound-control(8) over a socket file: a version, a command, a line that says "ok".
    Raises: MachineError with what it said instead.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as there:
        there.settimeout(PATIENCE)
        try:
            there.connect(str(_control(workdir / recursor)))
            there.sendall(b"UBCT1 flush_zone .\n")
            said = there.makefile().readline()
        except OSError as error:
            raise MachineError(f"the cache of {recursor} cannot be emptied: {error}") from error
    if not said.startswith("ok"):
        raise MachineError(f"the cache of {recursor} cannot be emptied: unbound said {said!r}")


def _control(home: Path) -> Path:
    return home / "control"


def configuration(
    addresses: Sequence[str],
    home: Path,
    *,
    keeps: bool = False,
    anchor: str | None = None,
) -> str:
    """Write unbound.conf.

    No DNSSEC without an `anchor` (`iterator` alone), no cache, no minimisation (a censor must see
    the whole name, as it does from a client), and no memory of slow or dead upstreams, nor of what
    could not be verified: one censored query must not change the next answer. Servers are asked
    over IPv4, and over IPv6 where they do not answer: the same in every run. Glue is enough, so
    their names are not looked up. One that validates asks for keys on its way down, and once more
    for what it cannot verify: five times more, as it would, takes longer than clients wait.
    """
    modules = "validator iterator" if anchor else "iterator"
    trusted = f'''  trust-anchor: "{anchor}"
  trust-anchor-signaling: no
  val-bogus-ttl: 0
  val-max-restart: 1
  prefetch-key: yes
'''
    trusted = trusted if anchor else ""
    kept = "" if keeps else "  cache-max-ttl: 0\n  cache-max-negative-ttl: 0\n"
    listen = "\n".join(f"  interface: {address}" for address in addresses)
    zones = "\n".join(f'  local-zone: "{own}" nodefault' for own in OWN_ZONES)
    return f"""server:
{listen}
  access-control: 0.0.0.0/0 allow
  access-control: ::/0 allow
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "{home}"
  pidfile: "{home}/unbound.pid"
  use-syslog: no
  logfile: ""
  verbosity: 1
  module-config: "{modules}"
{trusted}  num-threads: 1
  outgoing-range: 512
  msg-cache-size: 256k
  rrset-cache-size: 256k
{kept}  root-hints: "{home}/{HINTS}"
  prefer-ip4: yes
  target-fetch-policy: "0 0 0 0 0"
  infra-host-ttl: 0
  infra-keep-probing: yes
  qname-minimisation: no
  use-caps-for-id: no
  aggressive-nsec: no
  harden-below-nxdomain: no
  hide-version: yes
{zones}
remote-control:
  control-enable: yes
  control-interface: "{_control(home)}"
  control-use-cert: no
"""
