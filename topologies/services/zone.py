"""Write the zones of the domain name system: the root, the top level domains, and those below.

Each zone names its server by a name of its own and each delegation carries that server's addresses
as glue, so that who asks goes straight down: root, top level domain, name. A registrable name has
a zone of its own, with all names at and below it.

    .                  at `root`     delegates com, net, ...
    com                at `tld`      delegates example.com, ...
    example.com        at `auth`     holds www.example.com, ...
    root-servers.net   at `root`     holds the address of the root's own server

Source:  RFC 1034 sections 4.2 and 4.3.2, RFC 9499 section 7 (glue).
Limits:  one server a zone, with an IPv4 and an IPv6 address. What a registry delegates is told by a
         few well-known words (`co.uk`), not by the list of public suffixes. No reverse zones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import count
from typing import Final

from topologies.address import AUTHORITATIVE, ROOT, TLD, NameServer

#: Nothing is kept by caches: what a client sees is what was answered now.
TTL: Final = 0
#: Labels under which registries of countries sell names.
SECOND_LEVEL: Final = frozenset({"ac", "co", "com", "edu", "gov", "net", "org"})
#: What the root's server is called, and the zone that says where it is.
ROOT_SERVER: Final = "a.root-servers.net"
ROOT_SERVERS: Final = "root-servers.net"


@dataclass(frozen=True, slots=True)
class Zone:
    """One zone: its name (`.` or without a final dot), whose it is, its records and its children.

    `server` is what the zone calls its server, and `children` the zones it delegates.
    """

    name: str
    holder: NameServer
    server: str
    records: tuple[str, ...]
    children: tuple[str, ...] = ()


def tree(names: Mapping[str, Sequence[str]]) -> tuple[Zone, ...]:
    """Return every zone, the root first and each before those it delegates.

    Args: `names` are names -> addresses; none: the name exists without any.
    """
    held = {name.lower().rstrip("."): tuple(addresses) for name, addresses in names.items()}
    held[ROOT_SERVER] = ROOT.addresses
    below: dict[str, dict[str, tuple[str, ...]]] = defaultdict(dict)
    for name, addresses in held.items():
        below[cut(name)][name] = addresses
    leaves = {apex: _leaf(apex, own) for apex, own in below.items() if "." in apex}
    ends = sorted({apex.rpartition(".")[2] for apex in below})
    tops = [_top(end, leaves, below.get(end, {})) for end in ends]
    root = _zone(".", ROOT, ROOT_SERVER, {}, tops)
    return (root, *tops, *leaves.values())


def cut(name: str) -> str:
    """Return the zone that a name is in: what was registered, or its top level domain."""
    labels = name.split(".")
    depth = 3 if len(labels[-1]) == 2 and labels[-2:-1] and labels[-2] in SECOND_LEVEL else 2
    return ".".join(labels[-depth:]) if len(labels) >= depth else labels[-1]


def hints() -> str:
    """Write what a recursor knows before it has asked anybody: the root's server."""
    return "\n".join(
        [f". {TTL} IN NS {ROOT_SERVER}.", *_addresses(ROOT_SERVER, ROOT.addresses), ""]
    )


def _leaf(apex: str, names: Mapping[str, tuple[str, ...]]) -> Zone:
    if apex == ROOT_SERVERS:
        return _zone(apex, ROOT, ROOT_SERVER, names)
    return _zone(apex, AUTHORITATIVE, _free("ns", apex, names), names)


def _top(name: str, leaves: Mapping[str, Zone], names: Mapping[str, tuple[str, ...]]) -> Zone:
    own = [zone for apex, zone in leaves.items() if apex.endswith(f".{name}")]
    taken = [*names, *(zone.name for zone in own)]
    return _zone(name, TLD, _free("nic", name, taken), names, own)


def _free(word: str, apex: str, taken: Collection[str]) -> str:
    """Return a name for the zone's server that is nobody's, and below nobody's: a.WORD.APEX."""
    homes = (f"{word}{number or ''}.{apex}" for number in count())
    return next(f"a.{home}" for home in homes if not {home, f"a.{home}"} & {*taken})


def _zone(
    name: str,
    holder: NameServer,
    server: str,
    names: Mapping[str, Sequence[str]],
    children: Sequence[Zone] = (),
) -> Zone:
    """Write a zone; a name without AAAA answers NODATA, an absent one NXDOMAIN."""
    apex = _dotted(name)
    records = [
        f"{apex} {TTL} IN SOA {server}. hostmaster.{server}. 1 1800 900 604800 {TTL}",
        f"{apex} {TTL} IN NS {server}.",
        *_addresses(server, holder.addresses),
    ]
    for owner, addresses in names.items():
        if owner != server:
            text = [f'{owner}. {TTL} IN TXT "no address"']
            records += _addresses(owner, addresses) or text
    for child in children:
        records.append(f"{child.name}. {TTL} IN NS {child.server}.")
        records += _addresses(child.server, child.holder.addresses)
    return Zone(name, holder, server, tuple(records), tuple(child.name for child in children))


def _dotted(name: str) -> str:
    return name if name == "." else f"{name}."


def _addresses(name: str, addresses: Sequence[str]) -> list[str]:
    types = {4: "A", 6: "AAAA"}
    return [f"{name}. {TTL} IN {types[ip_address(a).version]} {a}" for a in addresses]
