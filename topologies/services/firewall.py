"""Make ports silent on a server's own host: its firewall drops what arrives for them."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

from topologies.services.program import Program, binary

#: iptables takes this lock; /run may be read-only to an ordinary user.
#: An address, a protocol and its ports.
Closed = tuple[str, str, Sequence[int]]
LOCK = "XTABLES_LOCKFILE"


def program(node: str, closed: Sequence[Closed], workdir: Path) -> Program:
    """Drop what arrives for each (address, protocol, ports)."""
    home = workdir / f"{node}-firewall"
    script = home / "rules.sh"
    return Program(
        id=f"{node}-firewall",
        node=node,
        argv=("/bin/sh", "-e", str(script)),
        files={script: rules(closed, home)},
        once=True,
    )


def rules(closed: Sequence[Closed], home: Path) -> str:
    """Write the shell script that installs the rules."""
    tools = {4: binary("iptables", "iptables"), 6: binary("ip6tables", "iptables")}
    lines = [f"export {LOCK}='{home}/lock'"]
    for address, protocol, ports in closed:
        tool = tools[ip_address(address).version]
        for port in ports:
            match = f"-d {address} -p {protocol} --dport {port}"
            lines.append(f"{tool} -w 5 -A INPUT {match} -j DROP")
    return "\n".join(lines) + "\n"
