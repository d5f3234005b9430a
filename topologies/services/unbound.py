"""Run a recursor: Unbound, which asks the authoritative server every time and keeps nothing.

Source: unbound.conf(5), Unbound 1.17.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from topologies.services.program import Program, Ready, binary, unconfined

#: Zones that Unbound answers by itself unless told not to (RFC 6761, RFC 6303).
OWN_ZONES = ("test.", "invalid.", "onion.", "home.arpa.", "local.")


def program(node: str, addresses: Sequence[str], upstream: str, workdir: Path) -> Program:
    """Resolve at `addresses` by asking `upstream`, the server of the root zone."""
    home = workdir / f"{node}-unbound"
    config = home / "unbound.conf"
    path, copied = unconfined(binary("unbound", "unbound"), workdir)
    return Program(
        id=f"{node}-unbound",
        node=node,
        argv=(path, "-d", "-c", str(config)),
        files={config: configuration(addresses, upstream, home), **copied},
        ready=tuple(Ready("dns", address, 53) for address in addresses),
    )


def configuration(addresses: Sequence[str], upstream: str, home: Path) -> str:
    """Write unbound.conf.

    No DNSSEC (`iterator` alone: the sandbox's root is not signed), no cache, no minimisation (a
    censor must see the whole name, as it does from a client), and no memory of slow or dead
    upstreams: one censored query must not change the next answer.
    """
    listen = "\n".join(f"  interface: {address}" for address in addresses)
    zones = "\n".join(f'  local-zone: "{zone}" nodefault' for zone in OWN_ZONES)
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
  module-config: "iterator"
  num-threads: 1
  outgoing-range: 512
  msg-cache-size: 64k
  rrset-cache-size: 64k
  cache-max-ttl: 0
  cache-max-negative-ttl: 0
  infra-host-ttl: 0
  infra-keep-probing: yes
  qname-minimisation: no
  use-caps-for-id: no
  aggressive-nsec: no
  harden-below-nxdomain: no
  hide-version: yes
{zones}
remote-control:
  control-enable: no
stub-zone:
  name: "."
  stub-addr: {upstream}
  stub-prime: no
  stub-first: no
"""
