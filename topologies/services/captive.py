"""Run a captive portal on a gateway: what answers its client's HTTP, and perhaps its DNS."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from topologies import gateway
from topologies.plan import Plan
from topologies.portal import PORT
from topologies.services.program import Program, Ready, binary, unconfined

SERVER: Final = (sys.executable, "-P", "-m", "topologies.portal")


def programs(plan: Plan, workdir: Path) -> Iterator[Program]:
    """Give every portal its programs."""
    for node in plan.nodes:
        if node.portal is None:
            continue
        address = gateway.inner(plan, node.name)
        yield Program(
            id=f"{node.name}-portal",
            node=node.name,
            argv=(
                *(*SERVER, "--address", address),
                *("--status", str(node.portal.status), "--voucher", node.portal.voucher),
            ),
            ready=(Ready("tcp", address, PORT),),
        )
        if node.portal.answers_dns:
            yield _names(node.name, address, workdir)


def _names(node: str, address: str, workdir: Path) -> Program:
    """Answer every question for an address with the portal's, and every other with none."""
    home = workdir / f"{node}-unbound"
    config = home / "unbound.conf"
    path, copied = unconfined(binary("unbound", "unbound"), workdir)
    return Program(
        id=f"{node}-unbound",
        node=node,
        argv=(path, "-d", "-c", str(config)),
        files={config: configuration(address, home), **copied},
        ready=(Ready("dns", address, 53),),
    )


def configuration(address: str, home: Path) -> str:
    """Write the unbound.conf of a portal that answers DNS."""
    return f"""server:
  interface: {address}
  access-control: 0.0.0.0/0 allow
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "{home}"
  pidfile: "{home}/unbound.pid"
  use-syslog: no
  logfile: ""
  num-threads: 1
  module-config: "iterator"
  local-zone: "." redirect
  local-data: ". 0 IN A {address}"
remote-control:
  control-enable: no
"""
