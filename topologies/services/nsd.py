"""Run the authoritative server: NSD with one zone, the root, that holds every name there is.

Source: nsd.conf(5), NSD 4.6.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path

from topologies.services.dnssec import Signer
from topologies.services.program import Program, Ready, binary

#: Nothing is kept by caches: what a client sees is what was answered now.
TTL = 0


def program(
    node: str,
    addresses: Sequence[str],
    names: Mapping[str, Sequence[str]],
    workdir: Path,
    signer: Signer | None = None,
) -> Program:
    """Serve `names` (name -> addresses; none: the name exists without any) at `addresses`."""
    root = zone(names, addresses)
    home = workdir / f"{node}-nsd"
    config = home / "nsd.conf"
    return Program(
        id=f"{node}-nsd",
        node=node,
        argv=(binary("nsd", "nsd"), "-d", "-c", str(config)),
        files={
            config: configuration(addresses, home),
            home / "root.zone": signer.sign(root) if signer else root,
        },
        ready=tuple(Ready("dns", address, 53) for address in addresses),
    )


def zone(names: Mapping[str, Sequence[str]], servers: Sequence[str]) -> str:
    """Write the root zone; a name without AAAA answers NODATA, an absent one NXDOMAIN."""
    server = "a.root-servers.net"
    lines = [
        f"$TTL {TTL}",
        f". IN SOA {server}. nstld.verisign-grs.com. 1 1800 900 604800 {TTL}",
        f". IN NS {server}.",
        *_records(server, servers),
    ]
    for name, addresses in names.items():
        bare = name.lower().rstrip(".")
        if bare != server:
            lines += _records(bare, addresses) or [f'{bare}. IN TXT "no address"']
    return "\n".join(lines) + "\n"


def _records(name: str, addresses: Sequence[str]) -> list[str]:
    types = {4: "A", 6: "AAAA"}
    return [f"{name}. IN {types[ip_address(a).version]} {a}" for a in addresses]


def configuration(addresses: Sequence[str], home: Path) -> str:
    """Write nsd.conf: no user to change to, no limit on responses, nothing outside `home`."""
    listen = "\n".join(f"  ip-address: {address}" for address in addresses)
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
  rrl-ratelimit: 0
  hide-version: yes
  verbosity: 1
remote-control:
  control-enable: no
zone:
  name: "."
  zonefile: "{home}/root.zone"
"""
