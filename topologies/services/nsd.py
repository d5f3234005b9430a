"""Run authoritative servers: NSD, one for each step down from the root, which holds its zones.

A server answers for its own zones alone, and points down where it has delegated.
Source: nsd.conf(5), NSD 4.6.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from topologies.address import NAME_SERVERS, NameServer
from topologies.services import zone
from topologies.services.dnssec import Signer
from topologies.services.program import Program, Ready, binary

#: NSD reads the machine's authorities for transfers over TLS, which nobody asks for: a third of the
#: time it takes to start.
NO_AUTHORITIES = {"SSL_CERT_FILE": "/dev/null", "SSL_CERT_DIR": "/dev/null"}


def programs(
    names: Mapping[str, Sequence[str]], workdir: Path, signer: Signer | None = None
) -> tuple[Program, ...]:
    """Serve `names` (name -> addresses; none: the name exists without any) from the root down.

    A server that would hold nothing does not run.
    """
    zones = zone.tree(names)
    texts = signer.sign(zones) if signer else {z.name: "\n".join(z.records) for z in zones}
    held = [
        (one, {z.name: texts[z.name] for z in zones if z.holder == one}) for one in NAME_SERVERS
    ]
    return tuple(_program(server, own, workdir) for server, own in held if own)


def _program(server: NameServer, zones: Mapping[str, str], workdir: Path) -> Program:
    home = workdir / f"{server.node}-nsd"
    config = home / "nsd.conf"
    files = {home / _file(name): f"{text}\n" for name, text in zones.items()}
    asked = f"{next(iter(zones)).rstrip('.')}."
    return Program(
        id=f"{server.node}-nsd",
        node=server.node,
        argv=(binary("nsd", "nsd"), "-d", "-c", str(config)),
        files={config: configuration(server.addresses, home, zones), **files},
        ready=tuple(Ready("dns", address, 53, asked) for address in server.addresses),
        environment=NO_AUTHORITIES,
    )


def _file(name: str) -> str:
    return f"{'root' if name == '.' else name}.zone"


def configuration(addresses: Sequence[str], home: Path, zones: Iterable[str]) -> str:
    """Write nsd.conf: no user to change to, no limit on responses, nothing outside `home`.

    No room is made ready for zone transfers, which takes NSD 16,384 random numbers.
    """
    listen = "\n".join(f"  ip-address: {address}" for address in addresses)
    held = "\n".join(
        f'zone:\n  name: "{name}"\n  zonefile: "{home}/{_file(name)}"' for name in zones
    )
    return f"""server:
{listen}
  username: ""
  chroot: ""
  zonesdir: "{home}"
  database: ""
  pidfile: "{home}/nsd.pid"
  xfrdfile: "{home}/xfrd.state"
  xfrdir: "{home}"
  zonelistfile: "{home}/zone.list"
  cookie-secret-file: "{home}/cookies"
  server-count: 1
  xfrd-tcp-max: 1
  xfrd-tcp-pipeline: 1
  rrl-ratelimit: 0
  hide-version: yes
  verbosity: 1
remote-control:
  control-enable: no
{held}
"""
