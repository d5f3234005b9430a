"""Draw a plan step by step: nodes, links with numbered interfaces and subnets, then routes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypedDict

from topologies import route
from topologies.address import Area
from topologies.plan import Box, End, Link, Nat, Node, Plan, Portal, Role


class Standing(TypedDict, total=False):
    """Where a node stands, as `Draft.node` takes it."""

    city: str | None
    carrier: str | None
    asn: int | None


class Draft:
    """A plan in the making. Subnets that would hold a `reserved` address are passed over."""

    def __init__(self, topology: str, reserved: Iterable[str] = ()) -> None:
        self._topology = topology
        self._reserved = frozenset(ip_address(address) for address in reserved)
        self._nodes: list[Node] = []
        self._links: list[Link] = []
        self._private = 0
        self._interfaces: Counter[str] = Counter()
        self._subnets: dict[Area, tuple[Iterator[IPv4Network], Iterator[IPv6Network]]] = {}

    def node(
        self,
        name: str,
        role: Role,
        addresses: Iterable[str] = (),
        *,
        city: str | None = None,
        carrier: str | None = None,
        asn: int | None = None,
        resolver: str | None = None,
        nat: Nat | None = None,
        keeps: bool = False,
        validates: bool = False,
        proxy: bool = False,
        portal: Portal | None = None,
    ) -> str:
        """Add a node; its service addresses come without a prefix length. Return its name."""
        full = tuple(full_length(address) for address in addresses)
        self._nodes.append(
            Node(
                name, role, full, city, carrier, asn, resolver, nat, keeps, validates, proxy, portal
            )
        )
        return name

    def link(
        self,
        upper: str,
        lower: str,
        area: Area,
        delay: float = 0.0,
        *,
        private: IPv4Network | None = None,
    ) -> tuple[str, str]:
        """Join two nodes by a subnet of the area's prefixes; return both interfaces' names.

        `upper` takes the lower address and is never a vantage (see `plan.Link`). `private` is the
        link's IPv4 network where it is not of the area's.
        """
        self._private += private is not None
        dealt4, dealt6 = self._dealt(area)
        v4, v6 = private or next(dealt4), next(dealt6)
        ends = []
        for place, node in enumerate((upper, lower), start=1):
            interface = f"{node}-eth{self._interfaces[node]}"
            self._interfaces[node] += 1
            ends.append(End(node, interface, (f"{v4[place]}/{v4.prefixlen}", f"{v6[place]}/64")))
        self._links.append(Link((ends[0], ends[1]), delay))
        return ends[0].interface, ends[1].interface

    def has(self, name: str) -> bool:
        """Whether there is such a node."""
        return any(node.name == name for node in self._nodes)

    def translated(self) -> int:
        """Return how many links have private addresses."""
        return self._private

    def plan(
        self,
        *,
        root: str,
        boxes: tuple[Box, ...],
        notes: tuple[str, ...] = (),
        spread: Collection[str] = (),
    ) -> Plan:
        """Compute the routes and freeze; `root` and `spread` as in `route.routes`."""
        nodes, links = tuple(self._nodes), tuple(self._links)
        routes = route.routes(nodes, links, root=root, spread=spread)
        return Plan(self._topology, nodes, links, routes, boxes, notes)

    def _dealt(self, area: Area) -> tuple[Iterator[IPv4Network], Iterator[IPv6Network]]:
        if area not in self._subnets:
            self._subnets[area] = (self._deal4(area), self._deal6(area))
        return self._subnets[area]

    def _deal4(self, area: Area) -> Iterator[IPv4Network]:
        whole = IPv4Network(area.v4)
        for start in range(area.offset, whole.num_addresses, 4):
            subnet = IPv4Network((int(whole.network_address) + start, 30))
            if not any(address in subnet for address in self._reserved):
                yield subnet

    def _deal6(self, area: Area) -> Iterator[IPv6Network]:
        whole = IPv6Network(area.v6)
        for start in range(area.offset, whole.num_addresses >> 64):
            subnet = IPv6Network((IPv6Address(int(whole.network_address) + (start << 64)), 64))
            if not any(address in subnet for address in self._reserved):
                yield subnet


def full_length(address: str) -> str:
    """Give an address its whole prefix length: /32 or /128."""
    return str(ip_network(address))
